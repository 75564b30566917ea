/** packages/NAME/VERSION/: what was pushed, and who runs it. */
#ifndef OTAFS_PACKAGE_H
#define OTAFS_PACKAGE_H

#include <stdio.h>

#include "otafs/core.h"

/** The texts below packages/NAME/VERSION/, NULL at the end. */
extern const char *const package_files[];

/** Prints one of them; -ENOENT. */
int package_print(struct core *core, const struct target *target, const char *file, FILE *out, struct err *err);

/** Prints the SHA-512 of @package @version; nothing when its bytes are not here. It is kept nowhere, so all of
 * them are read: to be called without the core's lock, which it takes for a moment. */
int
package_print_sha512(struct core *core, const char *package, const char *version, FILE *out, struct err *err);

/** How many static deltas ota-watcher has made, and their bytes; 0 when it tells nothing. */
void package_count_deltas(struct core *core, int64_t *count, int64_t *bytes);

#endif
