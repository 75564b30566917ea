/* groups/ and devices/ID/groups/. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/group.h"
#include "otafs/names.h"
#include "otafs/order.h"
#include "otafs/rows.h"
#include "otafs/trial.h"

/* ---- groups/ */

static int
list_group(const struct group *group, void *names)
{
	return names_pass(group->name, names);
}

static int
list_groups(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFDIR };

	return state_groups(node->core->state, list_group, &names, err);
}

static int
make_group(const struct node *node, const char *name, struct err *err)
{
	return group_add(node->core, name, node->who, err);
}

/* ---- groups/NAME/ */

static int
exists_group(const struct node *node, struct err *err)
{
	struct group group;

	return group_find(node->core, node->args[0], &group, err);
}

static int
remove_group(const struct node *node, struct err *err)
{
	return group_remove(node->core, node->args[0], node->who, err);
}

static int
rename_group(const struct node *node, const char *name, struct err *err)
{
	return group_rename(node->core, node->args[0], name, node->who, err);
}

/* Whom a rule means though it is called like a file of the group is a member without a link. */
static int
list_member(const char *device, void *context)
{
	return group_is_file(device) ? 0 : names_pass(device, context);
}

static int
page_members(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	struct names names = { each, context, S_IFLNK };

	return group_page(node->core, node->args[0], cursor, NAMES_PAGE, list_member, &names, err);
}

static int
put_member(const struct node *node, const char *name, const char *target, struct err *err)
{
	int r = group_check_link(target, "devices", name, err);

	return r < 0 ? r : group_put(node->core, node->args[0], name, node->who, err);
}

static int
exists_member(const struct node *node, struct err *err)
{
	struct device device;
	struct group group;
	int r = group_find(node->core, node->args[0], &group, err);

	if (r < 0 || (r = state_device(node->core->state, node->args[1], &device, err)) != 0)
		return r;
	r = group_has(node->core, &group, device.id, err);
	return r < 0 ? r : r == 0;
}

static int
link_member(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)err;
	snprintf(out, room, "../../devices/%s", node->args[1]);
	return 0;
}

static int
take_member(const struct node *node, struct err *err)
{
	return group_take(node->core, node->args[0], node->args[1], node->who, err);
}

static int
print_rule(const struct node *node, FILE *out, struct err *err)
{
	struct group group;
	int r = group_find(node->core, node->args[0], &group, err);

	if (r == 0 && group.rule[0])
		fprintf(out, "%s\n", group.rule);
	return r;
}

static int
write_rule(const struct node *node, const char *text, struct err *err)
{
	return group_write_rule(node->core, node->args[0], text, node->who, err);
}

/* Who removes it wants to be rid of the rule; rm -r of a group without one means the group. */
static int
keep_rule(const struct node *node, struct err *err)
{
	struct group group;
	int r = group_find(node->core, node->args[0], &group, err);

	if (r < 0 || !group.rule[0])
		return r;
	return err_set(err, EPERM, "cannot be removed: an empty line, written into it, takes the rule away");
}

static int
print_order(const struct node *node, FILE *out, struct err *err)
{
	return order_print(node->core, node->args[0], out, err);
}

static int
write_order(const struct node *node, const char *text, struct err *err)
{
	return order_write(node->core, node->args[0], text, node->who, err);
}

static int
print_nothing(const struct node *node, FILE *out, struct err *err)
{
	(void)node, (void)out, (void)err;
	return 0;
}

/* A file of its own, since the kernel holds up a second write to assign. */
static int
write_stop(const struct node *node, const char *text, struct err *err)
{
	(void)text;
	return order_stop(node->core, node->args[0], node->who, err);
}

static int
print_check(const struct node *node, FILE *out, struct err *err)
{
	(void)err;
	return trial_print(node->core, node->path, out);
}

static int
write_check(const struct node *node, const char *text, struct err *err)
{
	struct trial trial;
	int r = trial_open(node->core, node->path, node->who, text, &trial, err);

	if (r < 0)
		return r;
	return trial_close(
	    &trial, order_check(node->core, node->args[0], text, node->who, trial.told, err), err);
}

static int
stream_receipts(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return order_print_receipts(node->core, node->args[0], cursor, out, err);
}

static int
stream_count(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	int64_t count;
	int r = group_count(node->core, node->args[0], &count, err);

	(void)cursor;
	if (r == 0)
		fprintf(out, "%lld\n", (long long)count);
	return r;
}

/* ---- devices/ID/groups/ */

static int
list_groups_of(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFLNK };

	return group_each_of(node->core, node->args[0], names_pass, &names, err);
}

static int
join_group(const struct node *node, const char *name, const char *target, struct err *err)
{
	int r = group_check_link(target, "groups", name, err);

	return r < 0 ? r : group_put(node->core, name, node->args[0], node->who, err);
}

static int
exists_group_of(const struct node *node, struct err *err)
{
	struct group group;
	int r = group_find(node->core, node->args[1], &group, err);

	if (r == 0)
		r = group_has(node->core, &group, node->args[0], err);
	return r < 0 ? r : r == 0;
}

static int
link_group(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)err;
	snprintf(out, room, "../../../groups/%s", node->args[1]);
	return 0;
}

static int
leave_group(const struct node *node, struct err *err)
{
	return group_take(node->core, node->args[1], node->args[0], node->who, err);
}

/* ---- the table */

/* clang-format off */
/* The files of a group. */
#define GROUP_CONTROL(name, printer, writer, size)                                                                      \
	CONTROL("groups/*/" name, NEEDS_NOTHING, printer, writer, size, .flags = ROW_SHOWN, .exists = exists_group)
#define GROUP_STREAM(name, streamer, more)                                                                              \
	STREAM("groups/*/" name, NEEDS_NOTHING, streamer, .flags = ROW_SHOWN | (more), .exists = exists_group)

static const struct row rows[] = {
	OPEN_FOLDER("groups", NEEDS_NOTHING, .list = list_groups, .make = make_group),
	OPEN_FOLDER("groups/*", NEEDS_NOTHING, .flags = ROW_APART, .exists = exists_group, .page = page_members,
	    .make_link = put_member, .remove = remove_group, .rename = rename_group),
	CONTROL("groups/*/rule", NEEDS_NOTHING, print_rule, write_rule, STATE_GROUP_RULE_MAX, .exists = exists_group,
	    .unlink = keep_rule),
	GROUP_CONTROL("assign", print_order, write_order, ORDER_BYTES_MAX),
	GROUP_CONTROL("assign.check", print_check, write_check, ORDER_BYTES_MAX),
	GROUP_CONTROL("stop", print_nothing, write_stop, STATE_GROUP_RULE_MAX),
	GROUP_STREAM("receipts", stream_receipts, 0),
	GROUP_STREAM("count", stream_count, ROW_APART),
	LINK("groups/*/*", NEEDS_NOTHING, .exists = exists_member, .link = link_member, .unlink = take_member),

	OPEN_FOLDER("devices/*/groups", NEEDS_DEVICE, .list = list_groups_of, .make_link = join_group),
	LINK("devices/*/groups/*", NEEDS_DEVICE, .exists = exists_group_of, .link = link_group, .unlink = leave_group),
};
/* clang-format on */

const struct table tree_groups = TABLE(rows);
