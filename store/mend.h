/**
 * Good copies of what the store lost: found in the drops that were published, verified, and put in place
 * durably.
 */
#ifndef STORE_MEND_H
#define STORE_MEND_H

#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"

/** No drop has it. */
#define MEND_NONE 1

struct mend {
	int repository; /**< folder, borrowed */
	int done;       /**< spool/done, or -1 */
	char from[256]; /**< the drop that it was taken from, after success */
};

/** Puts a verified copy of object @checksum.@kind in place. 0, MEND_NONE, -errno. */
int mend_object(struct mend *mend, const char *checksum, const char *kind, struct err *err);

/** The same for a binary of @length bytes. */
int mend_binary(struct mend *mend, const char *sha256, uint64_t length, struct err *err);

/** Moves @path (below the repository) to repository/damaged/, so that nobody is served it. 0 or -errno. */
int mend_put_away(struct mend *mend, const char *path, struct err *err);

#endif
