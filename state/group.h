/** Groups of devices, and the members of those that have no rule. */
#ifndef STATE_GROUP_H
#define STATE_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "state/state.h"

/** Bytes of a rule's text; the grammar (otafs/rule.h) has a limit of its own. */
#define STATE_GROUP_RULE_MAX 1024

struct group {
	char name[NAME_GROUP_MAX + 1];
	char rule[STATE_GROUP_RULE_MAX + 1]; /**< who is a member; empty: who was put in */
	int64_t created_at;
};

/** STATE_EXISTS: there is such a group. */
int state_group_add(struct state *state, const char *name, int64_t now, struct err *err);
/** Removes the group and its members; STATE_NONE. */
int state_group_remove(struct state *state, const char *name, struct err *err);
/** Gives it and its members another name, which is free; STATE_NONE. */
int state_group_rename(struct state *state, const char *name, const char *as, struct err *err);
/** Sets its rule, "" for none. Its members are left alone. STATE_NONE. */
int state_group_rule(struct state *state, const char *name, const char *rule, struct err *err);
/** STATE_NONE, or 0 and @out. */
int state_group(struct state *state, const char *name, struct group *out, struct err *err);
int state_group_count(struct state *state, int64_t *count, struct err *err);

/** Calls @each with each group, by name, until it returns other than 0, which is passed on. */
typedef int (*state_group_fn)(const struct group *group, void *context);
int state_groups(struct state *state, state_group_fn each, void *context, struct err *err);

/** Puts a device in; STATE_EXISTS. Whether there are such a group and device the caller knows. */
int state_member_add(struct state *state, const char *name, const char *device, struct err *err);
/** STATE_NONE. */
int state_member_remove(struct state *state, const char *name, const char *device, struct err *err);
/** 0, or STATE_NONE. */
int state_member(struct state *state, const char *name, const char *device, struct err *err);
/** The first @most members behind @after ("" for the start), in order. Returns 0, -errno, or what @each did. */
int state_members(struct state *state, const char *name, const char *after, int64_t most, state_name_fn each,
    void *context, struct err *err);

#endif
