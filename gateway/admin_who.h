/** Who sends a request to the admin listener, and whether a page of another site made him send it. */
#ifndef GATEWAY_ADMIN_WHO_H
#define GATEWAY_ADMIN_WHO_H

#include "lib/err.h"
#include "lib/login.h"
#include "lib/name.h"
#include "lib/scgi.h"

/** ".", an id of 8 digits, ".", a digest of 64; a name is shorter. */
#define ADMIN_WHO_SIZE (2 + 8 + 64 + 1)

struct admin_who {
	char as[ADMIN_WHO_SIZE]; /**< his folder below as/ of the tree (otafs/access.h) */
	const char *by;          /**< "oidc", "certificate", "password" or "token" */
};

/** Nobody, or wrong credentials: 401. */
#define ADMIN_NOBODY 1
/** Too many wrong ones: 429. */
#define ADMIN_TOO_MANY 2

/**
 * Finds out by what the web server says, in this order: a verified certificate, by its whole subject;
 * REMOTE_USER, which it sets when it has authenticated somebody itself; the header Authorization, a password
 * (Basic) that @login knows or a token (Bearer). Whether the token is valid otafs says.
 *
 * Returns 0 and @who, ADMIN_NOBODY or ADMIN_TOO_MANY with words, -EACCES: a name that no administrator has, or
 * a certificate that names somebody else besides; or another -errno.
 */
int admin_identify(const struct scgi *scgi, struct login *login, struct admin_who *who, struct err *err);

/** Whether the request changes nothing, or was made by a program, or by a page of this listener: -EACCES. */
int admin_check_origin(const struct scgi *scgi, struct err *err);

#endif
