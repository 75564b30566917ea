/** devices/ID/tags: what people call a device by, for queries, groups and lists. */
#ifndef OTAFS_TAG_H
#define OTAFS_TAG_H

#include <stdio.h>

#include "otafs/core.h"
#include "state/tag.h"

/** Most bytes of one write. */
#define TAG_BYTES_MAX (64 * 1024)

/** 0, or -EINVAL with the cause: 1 to STATE_TAG_NAME_MAX letters, digits, spaces, and . _ + : - ; no space at
 * an end. So a name can stand in a rule, in a table's head and in front of a '='. */
int tag_check_name(const char *name, struct err *err);
/** 0, or -EINVAL: UTF-8 without control characters, at most STATE_TAG_VALUE_MAX bytes. */
int tag_check_value(const char *value, struct err *err);

/**
 * Sets tag @name of @device to @value, or removes it when @value is "". What is so already changes nothing and
 * is no line in the history. -EINVAL for what must not stand in either, -ENOSPC beyond STATE_TAGS_MAX.
 */
int tag_set(struct core *core, const char *device, const char *name, const char *value, const char *who,
    struct err *err);

/** Lines "NAME=VALUE", all or none of which are taken; "NAME=" removes. */
int
tag_write(struct core *core, const struct device *device, const char *text, const char *who, struct err *err);
int tag_print(struct core *core, const struct device *device, FILE *out, struct err *err);

#endif
