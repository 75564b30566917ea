/**
 * Who sends a request: "Authorization: Basic" (RFC 7617) against an htpasswd file, with a limit on guessing.
 *
 * Hashes are what crypt(3) knows and does not call legacy: yescrypt, bcrypt, SHA-512 and SHA-256, no MD5. The
 * file is read again when it has changed. A password that was right is remembered for LOGIN_SECONDS, as a
 * digest, since a hash is made to be slow; one hash is made at a time. Guesses are counted by name and by
 * address: after LOGIN_FAILURES of either within LOGIN_PAUSE_SECONDS, nothing is checked for the rest of them.
 * Guessing at a name shuts nobody out who works, though: its remembered password still counts from elsewhere,
 * and an address from which it was right before is held to its own failures only. All is compared in constant
 * time. May be called from several threads.
 */
#ifndef LIB_LOGIN_H
#define LIB_LOGIN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A password that was right is right for so long without its hash, unless the file changes. */
#define LOGIN_SECONDS 60
/** Wrong passwords of a name or from an address, within the pause. */
#define LOGIN_FAILURES 10
#define LOGIN_PAUSE_SECONDS 60
/** A name with its 0. */
#define LOGIN_NAME_SIZE 65

struct login;

/** Of the htpasswd file at @path, which may be missing: then nobody has a password. NULL: no memory. */
struct login *login_new(const char *path);
void login_free(struct login *login);
void login_freep(struct login **login);

/** No credentials, or wrong ones: 401. */
#define LOGIN_NOBODY 1
/** Too many wrong ones: 429. */
#define LOGIN_TOO_MANY 2

/**
 * Checks @authorization, the header's value ("": none was sent), of a client at @address. 0 and @name is set;
 * LOGIN_NOBODY or LOGIN_TOO_MANY with words; or -errno of reading the file.
 */
int login_check(struct login *login, const char *authorization, const char *address,
    char name[static LOGIN_NAME_SIZE], struct err *err);

/** Counts a failure of other credentials (a bearer token) from @address; login_is_paused() says whether to look
 * at any. */
void login_failed(struct login *login, const char *address);
int login_is_paused(struct login *login, const char *address);

/** What stands for @address where sources are counted, never 0: of IPv6 its /64. */
uint64_t login_source(const struct login *login, const char *address);

#endif
