/** Who administers through the admin listener: people with a role, and the tokens that they gave to programs.
 */
#ifndef STATE_ACCESS_H
#define STATE_ACCESS_H

#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"
#include "state/state.h"

/** What somebody may do; each may do what those before it may. */
enum access_role {
	ACCESS_NONE = 0,
	ACCESS_VIEW,    /**< read */
	ACCESS_OPERATE, /**< write what concerns the fleet */
	ACCESS_KEYS,    /**< also who gets in: certificates, enrolment, administrators */
};

/** 0 and @role, or STATE_NONE. */
int state_administrator(struct state *state, const char *name, enum access_role *role, struct err *err);
/** Adds him, or gives him another role. */
int state_administrator_set(struct state *state, const char *name, enum access_role role, int64_t now,
    const char *who, struct err *err);
/** Removes him with all of his tokens; STATE_NONE. */
int state_administrator_remove(struct state *state, const char *name, struct err *err);
int state_administrators(struct state *state, state_name_fn each, void *context, struct err *err);

/** 8 hex digits and the 0. */
#define STATE_ACCESS_ID_SIZE 9
/** Patterns of paths, one behind the other. */
#define STATE_ACCESS_PATHS_MAX 512
#define STATE_ACCESS_TITLE_MAX 100

struct access_token {
	char id[STATE_ACCESS_ID_SIZE];
	char parent[STATE_ACCESS_ID_SIZE];      /**< the token that made it; "": its holder himself */
	char name[NAME_USER_MAX + 1];           /**< of its holder */
	char digest[DIGEST_HEX_SIZE];           /**< SHA-256 of the token */
	enum access_role role;                  /**< at most */
	char paths[STATE_ACCESS_PATHS_MAX + 1]; /**< "": all */
	char title[STATE_ACCESS_TITLE_MAX + 1];
	int64_t created_at, expires_at;
	int64_t used_at; /**< 0: never */
};

/** 0 and @out, or STATE_NONE. */
int state_access(struct state *state, const char *id, struct access_token *out, struct err *err);
/** STATE_EXISTS: there is one of this id. */
int state_access_add(struct state *state, const struct access_token *token, struct err *err);
int state_access_used(struct state *state, const char *id, int64_t now, struct err *err);
/** Removes it and all that were made with it, and with those; STATE_NONE. */
int state_access_remove(struct state *state, const char *id, struct err *err);
int state_access_list(struct state *state, state_name_fn each, void *context, struct err *err);
/** How many @name has. */
int state_access_count(struct state *state, const char *name, int64_t *count, struct err *err);

#endif
