/** Enrolment tokens: certificates that many devices share until each has its own. */
#ifndef STATE_TOKEN_H
#define STATE_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "state/state.h"

/** "token NAME" is who makes a device, so it is shorter than a device id. */
#define STATE_TOKEN_NAME_MAX 50
/** Bytes of all its tags. */
#define STATE_TOKEN_TAGS_MAX 4096

struct token {
	char name[STATE_TOKEN_NAME_MAX + 1]; /**< the common name of its certificate */
	char serial[NAME_SERIAL_MAX + 1];    /**< of its certificate; empty: it has none yet */
	int64_t created_at;
	char who[STATE_WHO_MAX];             /**< made it */
	int64_t expires_at;                  /**< 0: never */
	int64_t most;                        /**< devices that it may make; 0: any number */
	int64_t used;                        /**< devices that it has made */
	char group[NAME_GROUP_MAX + 1];      /**< of each of them; empty: none */
	char tags[STATE_TOKEN_TAGS_MAX + 1]; /**< of each of them, lines "NAME=VALUE" */
};

/** Adds one of the name and maker in @token, with all else as it is there. STATE_EXISTS. */
int state_token_add(struct state *state, const struct token *token, struct err *err);
/** Its certificate is nobody's from now on. STATE_NONE. */
int state_token_remove(struct state *state, const char *name, struct err *err);
/** STATE_NONE, or 0 and @out. */
int state_token(struct state *state, const char *name, struct token *out, struct err *err);
/** Stores all of it but the name, when it was made and by whom. STATE_NONE. */
int state_token_put(struct state *state, const struct token *token, struct err *err);

/** The group @name is called @as now. */
int state_tokens_rename_group(struct state *state, const char *name, const char *as, struct err *err);

/** Calls @each with each token, by name, until it returns other than 0, which is passed on. */
typedef int (*state_token_fn)(const struct token *token, void *context);
int state_tokens(struct state *state, state_token_fn each, void *context, struct err *err);

#endif
