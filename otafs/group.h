/**
 * Groups of devices: groups/NAME/.
 *
 * A group is either static, then who is in it was put there, or it has a rule (rule.h) and who is in it follows
 * from that at each look. A static group that gets a rule keeps those that were put in, unseen, for when the
 * rule is taken away again.
 *
 * All functions but group_page() and group_count() are called with the core's lock held.
 */
#ifndef OTAFS_GROUP_H
#define OTAFS_GROUP_H

#include <stdio.h>

#include "otafs/core.h"
#include "otafs/node.h"
#include "state/group.h"

/** Each look into devices/ID/groups/ asks all rules about the device. */
#define GROUPS_MAX 1000

/** Finds @name; -ENOENT. */
int group_find(struct core *core, const char *name, struct group *out, struct err *err);

/** mkdir: -EEXIST, -EINVAL for a bad name, -ENOSPC when there are GROUPS_MAX. */
int group_add(struct core *core, const char *name, const char *who, struct err *err);
/** rmdir and mv: -EBUSY while an order to it is worked off or the rule of another group names it; mv: -EEXIST.
 */
int group_remove(struct core *core, const char *name, const char *who, struct err *err);
int group_rename(struct core *core, const char *name, const char *as, const char *who, struct err *err);

/** Sets the rule; nothing but blanks makes the group static. -EINVAL with the place of what is not understood,
 * -EBUSY while an order is worked off to a group whose rule leads to this one. */
int group_write_rule(struct core *core, const char *name, const char *text, const char *who, struct err *err);

/**
 * ln -s and rm of a member. -EPERM: it has a rule; -ENOENT no such device, or it is not in it; -EEXIST it is in
 * it; -EINVAL an id that is also the name of a file of the group.
 */
int group_put(struct core *core, const char *name, const char *device, const char *who, struct err *err);
/** Whether @name is that of a file in the folder of each group. */
bool group_is_file(const char *name);
int group_take(struct core *core, const char *name, const char *device, const char *who, struct err *err);

/** What is linked has to be @folder/@name, of whatever path before that: else -EINVAL. */
int group_check_link(const char *target, const char *folder, const char *name, struct err *err);

/** Whether @device, which is there, is in it: 1, 0 or -errno. */
int group_has(struct core *core, const struct group *group, const char *device, struct err *err);
/** Calls @each with the names of the groups that it is in. */
int group_each_of(struct core *core, const char *device, state_name_fn each, void *context, struct err *err);

/**
 * The first @most members behind @cursor, in order of id, and moves @cursor to the last. 1: there may be more,
 * 0: that was all. To be called without the core's lock, which it takes for moments.
 */
int group_page(struct core *core, const char *name, char cursor[static NODE_CURSOR_MAX], size_t most,
    state_name_fn each, void *context, struct err *err);
int group_count(struct core *core, const char *name, int64_t *count, struct err *err);

#endif
