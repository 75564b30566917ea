/** packages/NAME/VERSION/: what was pushed, and who runs it. */
#ifndef OTAFS_PACKAGE_H
#define OTAFS_PACKAGE_H

#include <stdio.h>

#include "otafs/core.h"

/** The files below packages/NAME/VERSION/, NULL at the end. */
extern const char *const package_files[];

/** Prints one of them; -ENOENT. */
int package_print(struct core *core, const struct target *target, const char *file, FILE *out, struct err *err);

#endif
