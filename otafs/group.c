#include "otafs/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/order.h"
#include "otafs/rule.h"
#include "otafs/text.h"
#include "state/token.h"

/** Members that are looked at under the lock at a time, to count them. */
#define COUNT_PAGE 1000

/** Files of a group's folder: a device of such a name cannot stand beside them. */
static const char *const files[] = { "rule", "assign", "assign.check", "receipts", "count", "stop" };

int
group_find(struct core *core, const char *name, struct group *out, struct err *err)
{
	int r = state_group(core->state, name, out, err);

	return r == STATE_NONE ? err_set(err, ENOENT, "%.128s: there is no such group", name) : r;
}

static int
check_room(struct core *core, struct err *err)
{
	int64_t count;
	int r = state_group_count(core->state, &count, err);

	if (r < 0 || count < GROUPS_MAX)
		return r;
	return err_set(
	    err, ENOSPC, "there are %lld groups, at most %d are possible", (long long)count, GROUPS_MAX);
}

static int
tell(struct core *core, const char *device, const char *group, const char *who, const char *what,
    const char *text, struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){
		.device = device, .at = utc_now(), .who = who, .what = what, .text = text, .group = group },
	    err);
}

int
group_add(struct core *core, const char *name, const char *who, struct err *err)
{
	char text[256];
	int r;

	if ((r = name_check_group(name, err)) < 0 || (r = check_room(core, err)) < 0 ||
	    (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "group %s made", name);
	if ((r = state_group_add(core->state, name, utc_now(), err)) == 0)
		r = tell(core, "", name, who, "group_made", text, err);
	r = state_end(core->state, r, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: there is such a group", name) : r;
}

/* ---- what holds a group as it is */

static int
check_no_order(struct core *core, const char *name, struct err *err)
{
	struct group_order order;
	int r = state_order_open(core->state, name, &order, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return err_set(
	    err, EBUSY, "%s: an order of %s is being worked off: cat groups/%s/assign", name, order.who, name);
}

struct checking {
	struct core *core;
	const char *name;
	struct err *err;
};

static int
check_rule_of(const struct group *group, void *context)
{
	const struct checking *checking = context;
	AUTO(rule_freep) struct rule *rule = NULL;
	struct err why;
	/* Only those that may name it themselves: a rule can be a hundred to look through, of a thousand
	 * groups. */
	int r = strstr(group->rule, checking->name) ? rule_parse(group->rule, &rule, checking->err) : 0;

	if (r < 0 || !rule || (r = rule_check(checking->core, rule, group->name, &why)) == 0)
		return r;
	return err_set(checking->err, EBUSY, "%s: the rule of group %s needs it: %s", checking->name,
	    group->name, group->rule);
}

/* Within the transaction that took a name away: nobody's rule may come to mean something else, or nothing. */
static int
check_rules(struct core *core, const char *name, struct err *err)
{
	struct checking checking = { core, name, err };

	return state_groups(core->state, check_rule_of, &checking, err);
}

int
group_remove(struct core *core, const char *name, const char *who, struct err *err)
{
	char text[256];
	int r;

	if ((r = check_no_order(core, name, err)) < 0 || (r = order_check_rule(core, name, err)) < 0 ||
	    (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "group %s deleted", name);
	if ((r = state_group_remove(core->state, name, err)) == 0 && (r = check_rules(core, name, err)) == 0 &&
	    (r = state_orders_stale(core->state, name, 0, err)) == 0)
		r = tell(core, "", name, who, "group_deleted", text, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: there is no such group", name) : r;
}

static int
check_free(struct core *core, const char *name, struct err *err)
{
	struct group group;
	int r = name_check_group(name, err);

	if (r < 0 || (r = state_group(core->state, name, &group, err)) < 0)
		return r;
	return r == STATE_NONE ? 0 : err_set(err, EEXIST, "%s: there is such a group", name);
}

int
group_rename(struct core *core, const char *name, const char *as, const char *who, struct err *err)
{
	char text[512];
	int r;

	if ((r = check_free(core, as, err)) < 0 || (r = check_no_order(core, name, err)) < 0 ||
	    (r = order_check_rule(core, name, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "group %s renamed to %s", name, as);
	if ((r = state_group_rename(core->state, name, as, err)) == 0 &&
	    (r = check_rules(core, name, err)) == 0 && (r = state_orders_stale(core->state, as, 0, err)) == 0 &&
	    (r = state_orders_rename(core->state, name, as, err)) == 0 &&
	    (r = state_tokens_rename_group(core->state, name, as, err)) == 0)
		r = tell(core, "", name, who, "group_renamed", text, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: there is no such group", name) : r;
}

/* ---- the rule */

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Copies @text without blanks at its ends; what is between the lines is a space. */
static int
copy_rule(const char *text, char out[static STATE_GROUP_RULE_MAX + 1], struct err *err)
{
	size_t n;

	text += strspn(text, TEXT_BLANKS);
	for (n = strlen(text); n && strchr(TEXT_BLANKS, text[n - 1]);)
		n--;
	if (n > STATE_GROUP_RULE_MAX)
		return err_set(err, EINVAL, "a group's rule has at most %d characters", RULE_GROUP_MAX);
	memcpy(out, text, n);
	out[n] = '\0';
	for (char *p = out; *p; p++)
		if (strchr(TEXT_BLANKS, *p))
			*p = ' ';
	if (characters(out) > RULE_GROUP_MAX)
		return err_set(err, EINVAL, "the rule has %zu characters, at most %d are allowed",
		    characters(out), RULE_GROUP_MAX);
	return 0;
}

static int
store_rule(struct core *core, const char *name, const char *rule, const char *who, struct err *err)
{
	char text[STATE_GROUP_RULE_MAX + 256];
	int r = state_group_rule(core->state, name, rule, err);

	if (r != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: there is no such group", name);
	if (*rule)
		snprintf(text, sizeof(text), "group %s has the rule: %s", name, rule);
	else
		snprintf(text, sizeof(text), "group %s has no rule any more", name);
	return tell(core, "", name, who, "group_rule", text, err);
}

int
group_write_rule(struct core *core, const char *name, const char *text, const char *who, struct err *err)
{
	AUTO(rule_freep) struct rule *parsed = NULL;
	char rule[STATE_GROUP_RULE_MAX + 1];
	int r;

	if ((r = copy_rule(text, rule, err)) < 0 || (*rule && (r = rule_parse(rule, &parsed, err)) < 0) ||
	    (parsed && (r = rule_check(core, parsed, name, err)) < 0) ||
	    (r = order_check_rule(core, name, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	return state_end(core->state, store_rule(core, name, rule, who, err), err);
}

/* ---- members */

int
group_check_link(const char *target, const char *folder, const char *name, struct err *err)
{
	char end[NODE_PATH_MAX];
	size_t n = strlen(target), m;

	m = (size_t)snprintf(end, sizeof(end), "%s/%.255s", folder, name);
	while (n && target[n - 1] == '/')
		n--;
	if (n >= m && !strncmp(target + n - m, end, m) && (n == m || target[n - m - 1] == '/'))
		return 0;
	return err_set(err, EINVAL, "a link is to %s and has the same name, this is to %.128s", end, target);
}

static int
check_static(struct core *core, const char *name, struct err *err)
{
	struct group group;
	int r = group_find(core, name, &group, err);

	if (r < 0 || !group.rule[0])
		return r;
	return err_set(err, EPERM, "%s: its rule says who is in it: %s", name, group.rule);
}

bool
group_is_file(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i], name))
			return true;
	return false;
}

static int
check_device(struct core *core, const char *id, struct err *err)
{
	struct device device;
	int r;

	if (group_is_file(id))
		return err_set(err, EINVAL,
		    "%s is a file of each group, so no device of this name can be put in; a rule can mean it: "
		    "deviceid is %s",
		    id, id);
	r = state_device(core->state, id, &device, err);
	return r > 0 ? err_set(err, ENOENT, "%.64s: there is no such device", id) : r;
}

int
group_put(struct core *core, const char *name, const char *device, const char *who, struct err *err)
{
	char text[256];
	int r;

	if ((r = check_static(core, name, err)) < 0 || (r = check_device(core, device, err)) < 0 ||
	    (r = order_catch_up(core, device, ORDER_CHANGE, err)) < 0 ||
	    (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "put into group %s", name);
	if ((r = state_member_add(core->state, name, device, err)) == 0)
		r = tell(core, device, name, who, "group_joined", text, err);
	r = state_end(core->state, r, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s is in group %s", device, name) : r;
}

int
group_take(struct core *core, const char *name, const char *device, const char *who, struct err *err)
{
	char text[256];
	int r;

	if ((r = check_static(core, name, err)) < 0 ||
	    (r = order_catch_up(core, device, ORDER_CHANGE, err)) < 0 ||
	    (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "taken out of group %s", name);
	if ((r = state_member_remove(core->state, name, device, err)) == 0)
		r = tell(core, device, name, who, "group_left", text, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%.64s is not in group %s", device, name) : r;
}

int
group_has(struct core *core, const struct group *group, const char *device, struct err *err)
{
	AUTO(rule_freep) struct rule *rule = NULL;
	int r;

	if (!group->rule[0]) {
		r = state_member(core->state, group->name, device, err);
		return r < 0 ? r : r == 0;
	}
	r = rule_parse(group->rule, &rule, err);
	return r < 0 ? r : rule_matches(core, rule, device, err);
}

struct asking {
	struct core *core;
	const char *device;
	state_name_fn each;
	void *context;
	struct err *err;
};

static int
pass_if_in(const struct group *group, void *context)
{
	struct asking *asking = context;
	int r = group_has(asking->core, group, asking->device, asking->err);

	return r > 0 ? asking->each(group->name, asking->context) : r;
}

int
group_each_of(struct core *core, const char *device, state_name_fn each, void *context, struct err *err)
{
	struct asking asking = { core, device, each, context, err };

	return state_groups(core->state, pass_if_in, &asking, err);
}

/* ---- many members */

struct page {
	char *cursor;
	size_t count;
	state_name_fn each;
	void *context;
};

static int
pass_member(const char *device, void *context)
{
	struct page *page = context;
	int r = page->each(device, page->context);

	if (r != 0)
		return r;
	snprintf(page->cursor, NODE_CURSOR_MAX, "%s", device);
	page->count++;
	return 0;
}

int
group_page(struct core *core, const char *name, char cursor[static NODE_CURSOR_MAX], size_t most,
    state_name_fn each, void *context, struct err *err)
{
	AUTO(rule_freep) struct rule *rule = NULL;
	struct page page = { cursor, 0, each, context };
	char after[NODE_CURSOR_MAX];
	struct group group;
	int r;

	memcpy(after, cursor, sizeof(after));
	core_lock(core);
	r = group_find(core, name, &group, err);
	if (r == 0 && !group.rule[0])
		r = state_members(core->state, name, after, (int64_t)most, pass_member, &page, err);
	core_unlock(core);
	if (r != 0 || !group.rule[0])
		return r != 0 ? r : page.count == most;
	if ((r = rule_parse(group.rule, &rule, err)) < 0)
		return r;
	return rule_page(core, rule, cursor, most, each, context, err);
}

static int
count_one(const char *device, void *context)
{
	(void)device;
	++*(int64_t *)context;
	return 0;
}

int
group_count(struct core *core, const char *name, int64_t *count, struct err *err)
{
	char cursor[NODE_CURSOR_MAX] = "";
	int r;

	*count = 0;
	do
		r = group_page(core, name, cursor, COUNT_PAGE, count_one, count, err);
	while (r > 0);
	return r;
}
