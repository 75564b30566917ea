/** Where a request of an administrator goes. */
#ifndef GATEWAY_ADMIN_PATH_H
#define GATEWAY_ADMIN_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A path below the top of the tree, with its 0. */
#define ADMIN_PATH_SIZE 1024

enum admin_place {
	ADMIN_NOWHERE,
	ADMIN_TREE,   /**< /tree/PATH */
	ADMIN_WHOAMI, /**< /whoami */
};

struct admin_target {
	enum admin_place place;
	char path[ADMIN_PATH_SIZE]; /**< below /tree/, decoded, without slashes at an end; "": the top */
	bool is_link;               /**< ?link: what is put there is a symbolic link */
	int64_t from;               /**< ?from=N: of a file, without the first N bytes */
};

/** Takes apart a raw request target. Doubled slashes count as one. -EINVAL: parts that are "." or "..", bytes
 * that no name has, an unknown query. */
int admin_target_parse(const char *target, struct admin_target *out, struct err *err);

/** The same of a Destination header (RFC 4918, 10.3), an address or a path, which has to be one of /tree/. */
int admin_destination_parse(const char *value, struct admin_target *out, struct err *err);

#endif
