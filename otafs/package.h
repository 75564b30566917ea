/** packages/NAME/VERSION/: what was pushed, and who runs it. */
#ifndef OTAFS_PACKAGE_H
#define OTAFS_PACKAGE_H

#include <stdio.h>

#include "otafs/core.h"

/** The files below packages/NAME/VERSION/, NULL at the end. */
extern const char *const package_files[];

/** Prints one of them; -ENOENT. */
int package_print(struct core *core, const struct target *target, const char *file, FILE *out, struct err *err);

/** How many static deltas ota-watcher has made, and their bytes; 0 when it tells nothing. */
void package_count_deltas(struct core *core, int64_t *count, int64_t *bytes);

#endif
