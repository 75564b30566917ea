/** Answers one SCGI request of an administrator: ota-admin-gate(8) has methods, paths and answers. */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "lib/login.h"

struct admin {
	const char *mount;
	struct login *login;
};

/** Serves the connection @fd and leaves it to the caller to close. Memory does not grow with a body or an
 * answer. */
void admin_respond(int fd, const struct admin *admin);

#endif
