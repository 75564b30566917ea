/**
 * Who acts through the admin listener, and what he may do.
 *
 * Below as/WHO/ of the full tree is the same tree, acted on by WHO: the name of an administrator, or
 * ".ID.DIGEST", the token ID whose text has this SHA-256. ota-admin-gate alone gets in, and believes the web
 * server or its own look at a password about a name; that somebody has a token it shows by the digest.
 *
 * A token is never more than its holder and the token that it was made with: roles, ends and paths of all of
 * them are held against each use, so that whatever is taken from one is taken from all below it at once.
 */
#ifndef OTAFS_ACCESS_H
#define OTAFS_ACCESS_H

#include <stdbool.h>

#include "lib/err.h"
#include "state/access.h"

struct core;

/** Tokens made by tokens, made by tokens, ... */
#define ACCESS_DEPTH_MAX 4

struct access {
	bool is_there;                    /**< somebody acts through as/ */
	char name[NAME_USER_MAX + 1];     /**< of the administrator; "": as/ itself */
	char token[STATE_ACCESS_ID_SIZE]; /**< "": he is here himself */
	enum access_role role;
	int64_t expires_at; /**< of the token, by the earliest end */
	int depth;          /**< of the token; 0: none */
	char paths[ACCESS_DEPTH_MAX][STATE_ACCESS_PATHS_MAX + 1];
};

/** Finds who @who is, which is @bytes long. -EACCES: nobody, no more, or not yet. */
int access_find(struct core *core, const char *who, size_t bytes, struct access *out, struct err *err);

/** Notes that the token was used, if that was not noted today. */
int access_note(struct core *core, const struct access *access, struct err *err);

/** For the history: "anna (web)", or "anna (token 1a2b3c4d)". */
void access_who(const struct access *access, char who[static STATE_WHO_MAX]);

/** Whether it may be seen that there is @path, which may lead to what he may read: -EACCES. */
int access_may_pass(const struct access *access, const char *path, struct err *err);
/** Whether he may do with @path what needs @role: -EACCES with words. */
int access_may(const struct access *access, const char *path, enum access_role role, struct err *err);

/** "view", "operate", "keys", or "none"; the other way ACCESS_NONE for all else. */
const char *access_role_name(enum access_role role);
enum access_role access_role_of(const char *name);

/** How @path stands to the patterns of a token: words of parts with * and ?, each of which means a path and all
 * below it. "": everything is within; blanks alone lead nowhere. */
enum access_reach { ACCESS_OUTSIDE, ACCESS_ABOVE, ACCESS_WITHIN };
enum access_reach access_reach(const char *patterns, const char *path);

/** Of patterns that are to be stored, one at least: -EINVAL. */
int access_check_paths(const char *patterns, struct err *err);

#endif
