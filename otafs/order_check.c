/* groups/NAME/assign.check: what an order would do. */
#include "otafs/order_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/uuid.h"
#include "otafs/group.h"

struct checking {
	struct core *core;
	struct group_order order;
	char (*list)[NAME_DEVICE_MAX + 1];
	size_t count; /* of list */
	FILE *out;
	struct err first;
};

static int
add_member(const char *device, void *context)
{
	struct checking *checking = context;

	snprintf(checking->list[checking->count++], sizeof(checking->list[0]), "%s", device);
	return 0;
}

static int
check_one(struct checking *checking, const char *device, struct err *err)
{
	struct group_order *order = &checking->order;
	struct err why = { 0 };
	int r = order_one(checking->core, device, order, true, &why);

	if (order_is_failure(r)) {
		*err = why;
		return r;
	}
	order->members++;
	order->taken += r >= 0;
	if (r >= 0)
		return 0;
	if (order->refused++ == 0)
		checking->first = why;
	if (order->refused <= ORDER_CHECK_LINES_MAX)
		fprintf(checking->out, "%s would refuse: %s\n", device, why.text);
	else if (order->refused == ORDER_CHECK_LINES_MAX + 1)
		fprintf(checking->out, "...\n");
	return 0;
}

/* The lock is free while a page of members is read. */
static int
check_all(struct checking *checking, struct err *err)
{
	char cursor[NODE_CURSOR_MAX] = "";
	int r = 1;

	while (r > 0) {
		checking->count = 0;
		core_unlock(checking->core);
		r = group_page(
		    checking->core, checking->order.name, cursor, ORDER_SLICE, add_member, checking, err);
		core_lock(checking->core);
		for (size_t i = 0; r >= 0 && i < checking->count; i++) {
			int one = check_one(checking, checking->list[i], err);

			r = one < 0 ? one : r;
		}
	}
	return r;
}

static struct check *
find(const struct orders *orders, const char *group)
{
	for (size_t i = 0; i < ORDER_CHECKS_MAX; i++)
		if (orders->checks[i].text && !strcmp(orders->checks[i].group, group))
			return (struct check *)(uintptr_t)&orders->checks[i];
	return NULL;
}

/* Takes over @text. */
static void
remember(struct orders *orders, const char *group, char *text)
{
	struct check *check = find(orders, group);

	if (!check)
		check = &orders->checks[orders->checked++ % ORDER_CHECKS_MAX];
	free(check->text);
	check->text = text;
	snprintf(check->group, sizeof(check->group), "%s", group);
}

static int
answer(const struct checking *checking, struct err *err)
{
	const struct group_order *order = &checking->order;

	if (order->members == 0)
		return err_set(err, ENODATA, "%s has no members", order->name);
	if (order->taken)
		return 0;
	return err_set(err, checking->first.code, "none of %lld members would take it: %s",
	    (long long)order->members, checking->first.text);
}

static int
check_into(struct checking *checking, char **text, struct err *err)
{
	AUTO(free_p) void *list = checking->list = calloc(ORDER_SLICE, NAME_DEVICE_MAX + 1);
	size_t bytes;
	int r;

	checking->out = open_memstream(text, &bytes);
	r = list && checking->out ? check_all(checking, err) : err_set(err, ENOMEM, "no memory for a check");
	if (checking->out) {
		fprintf(checking->out, "%lld members: %lld would take it, %lld would refuse\n",
		    (long long)checking->order.members, (long long)checking->order.taken,
		    (long long)checking->order.refused);
		fclose(checking->out);
	}
	return r;
}

int
order_check(struct core *core, const char *group, const char *text, const char *who, struct err *err)
{
	struct checking checking = { .core = core };
	AUTO(free_p) char *told = NULL;
	int r;

	if (core->orders->waiting >= ORDER_WAITING_MAX)
		return err_set(err, EBUSY, "%d orders are being worked off, try again when one of them is done",
		    core->orders->waiting);
	snprintf(checking.order.name, sizeof(checking.order.name), "%s", group);
	snprintf(checking.order.text, sizeof(checking.order.text), "%s", text);
	snprintf(checking.order.who, sizeof(checking.order.who), "%s", who);
	core->orders->waiting++;
	r = check_into(&checking, &told, err);
	core->orders->waiting--;
	if (told)
		remember(core->orders, group, MOVE(told));
	return r < 0 ? r : answer(&checking, err);
}

int
order_print_check(struct core *core, const char *group, FILE *out, struct err *err)
{
	const struct check *check = find(core->orders, group);

	(void)err;
	if (check)
		fputs(check->text, out);
	return 0;
}
