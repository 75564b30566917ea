/** Tags of devices: a name and a value, given by people. */
#ifndef STATE_TAG_H
#define STATE_TAG_H

#include <stddef.h>

#include "lib/err.h"
#include "state/state.h"

/** A column's title and a word of a rule. */
#define STATE_TAG_NAME_MAX 64
/** Bytes of UTF-8. */
#define STATE_TAG_VALUE_MAX 200
/** Tags of one device; otafs/tag.h refuses more. */
#define STATE_TAGS_MAX 64

/** Calls @each with name and value until it returns other than 0, which is passed on. */
typedef int (*state_tag_fn)(const char *tag, const char *value, void *context);

/** Sets a tag, however it was; "" is a value like others. Checks nothing: tag_set() of otafs/tag.h does. */
int state_tag_put(struct state *state, const char *device, const char *tag, const char *value, struct err *err);
/** STATE_NONE: there is no such tag. */
int state_tag_remove(struct state *state, const char *device, const char *tag, struct err *err);
/** STATE_NONE; else @value. */
int state_tag(struct state *state, const char *device, const char *tag,
    char value[static STATE_TAG_VALUE_MAX + 1], struct err *err);

/** All of a device, by name. */
int state_tags(struct state *state, const char *device, state_tag_fn each, void *context, struct err *err);
int state_tag_count(struct state *state, const char *device, size_t *count, struct err *err);

/** The different names that the devices' tags have, in order; one look into an index for each. */
int state_tag_names(struct state *state, state_name_fn each, void *context, struct err *err);

#endif
