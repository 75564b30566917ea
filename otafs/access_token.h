/**
 * access/ of the tree: administrators and their roles, and the tokens that they make for programs.
 *
 * A token is shown once, when it is made: "ota_ID_SECRET", the secret 64 hex digits. What is kept is its
 * SHA-256. Nobody can give away more than he has: the role of a token is at most that of who makes it, and
 * what the token that it was made with may not reach it does not reach either (access.h).
 */
#ifndef OTAFS_ACCESS_TOKEN_H
#define OTAFS_ACCESS_TOKEN_H

#include <stdio.h>

#include "otafs/access.h"
#include "otafs/core.h"

/** Of one administrator. */
#define ACCESS_TOKENS_MAX 100
/** A token that nobody gave an end ends after so many days; none lives longer than the most. */
#define ACCESS_DAYS 90
#define ACCESS_DAYS_MAX 3650
/** One write to access/administrators/NAME. */
#define ACCESS_ROLE_BYTES_MAX 64
/** A request for a token. */
#define ACCESS_REQUEST_MAX 2048

/** "ota_", ID, "_", secret, and the 0. */
#define ACCESS_TEXT_SIZE (4 + STATE_ACCESS_ID_SIZE - 1 + 1 + 64 + 1)

/** Who asks: through as/ or, is_there false, a user of the machine, who may do all. */
struct access_asker {
	const struct access *access;
	const char *who;
};

/** Prints the role of an administrator; "none" when he is none. */
int access_print_role(struct core *core, const char *name, FILE *out, struct err *err);
/** "view", "operate" or "keys". Adds him, or changes his role. */
int access_write_role(
    struct core *core, const char *name, const char *text, const struct access_asker *asker, struct err *err);
/** Removes him, and all his tokens with him. -ENOENT. */
int access_remove(struct core *core, const char *name, const struct access_asker *asker, struct err *err);

/**
 * Makes a token, as lines ask for: "role view", "paths devices/car* groups/", "expires 30d" ("12h", or a time
 * like 2027-01-01T00:00:00Z), "title nightly build", and, of users of the machine only and then always,
 * "user NAME", its holder.
 *
 * Returns 0 and @text, or -EINVAL, -EACCES (more than the asker has), -ENOSPC (too many), and other -errno.
 */
int access_token_make(struct core *core, const char *request, const struct access_asker *asker,
    char text[static ACCESS_TEXT_SIZE], struct err *err);

/** Ends it, and all that were made with it. */
int access_token_revoke(struct core *core, const char *id, const struct access_asker *asker, struct err *err);
int access_token_print(
    struct core *core, const char *id, const struct access_asker *asker, FILE *out, struct err *err);
/** Whether the asker may see it: his own, and who has the role keys, himself, all; a token itself and those
 * that were made with it. 0, -ENOENT. */
int access_token_find(struct core *core, const char *id, const struct access_asker *asker, struct err *err);

#endif
