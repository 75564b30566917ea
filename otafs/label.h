/** devices/ID/name and devices/ID/notes: what people call a device, and what they want to remember of it. */
#ifndef OTAFS_LABEL_H
#define OTAFS_LABEL_H

#include <stdio.h>

#include "otafs/core.h"

/** Most bytes of a write to name: the longest name and a line end. */
#define LABEL_NAME_BYTES_MAX (STATE_DEVICE_NAME_MAX + 2)

/**
 * Each write replaces what was; an empty one removes it. UTF-8 without control characters, but for line ends
 * and tabs in notes; a name is one line. -EINVAL says what is wrong. What is so already changes nothing.
 */
int label_write_name(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err);
int label_write_notes(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err);

int label_print_name(const struct device *device, FILE *out);
int label_print_notes(struct core *core, const struct device *device, FILE *out, struct err *err);

#endif
