/* groups/NAME/assign.check: what an order would do. */
#include "otafs/order_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/group.h"
#include "otafs/ids.h"

struct checking {
	struct core *core;
	struct group_order order;
	int64_t members;
	FILE *out;
	struct err first;
};

static int
check_one(struct checking *checking, const char *device, struct err *err)
{
	struct group_order *order = &checking->order;
	struct err why = { 0 };
	int r = order_catch_up(checking->core, device, ORDER_READ, err);

	if (r < 0)
		return r;
	r = order_one(checking->core, device, order, true, &why);

	if (order_is_failure(r)) {
		*err = why;
		return r;
	}
	checking->members++;
	order->taken += r >= 0;
	if (r >= 0)
		return 0;
	if (order->refused++ == 0)
		err_set(&checking->first, why.code, "%s: %s", device, why.text);
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
	AUTO(ids_done) struct ids members = { .err = err };
	char cursor[NODE_CURSOR_MAX] = "";
	int r = 1;

	while (r > 0) {
		members.count = 0;
		core_unlock(checking->core);
		r = group_page(
		    checking->core, checking->order.name, cursor, ORDER_SLICE, ids_add, &members, err);
		core_lock(checking->core);
		for (size_t i = 0; r >= 0 && i < members.count; i++) {
			int one = check_one(checking, members.list[i], err);

			r = one < 0 ? one : r;
		}
	}
	return r;
}

static int
answer(const struct checking *checking, struct err *err)
{
	const struct group_order *order = &checking->order;

	if (checking->members == 0)
		return err_set(err, ENODATA, "%s has no members", order->name);
	if (order->taken)
		return 0;
	return err_set(err, checking->first.code, "none of %lld members would take it; %s",
	    (long long)checking->members, checking->first.text);
}

int
order_check(
    struct core *core, const char *group, const char *text, const char *who, FILE *told, struct err *err)
{
	struct checking checking = { .core = core, .out = told };
	struct group_order *order = &checking.order;
	int r;

	if ((r = order_check_text(text, err)) < 0 || (r = order_check_waiting(core, err)) < 0)
		return r;
	snprintf(order->name, sizeof(order->name), "%s", group);
	snprintf(order->text, sizeof(order->text), "%s", text);
	snprintf(order->who, sizeof(order->who), "%s", who);
	core->orders->waiting++;
	r = check_all(&checking, err);
	core->orders->waiting--;
	fprintf(told, "%lld members: %lld would take it, %lld would refuse\n", (long long)checking.members,
	    (long long)order->taken, (long long)order->refused);
	return r < 0 ? r : answer(&checking, err);
}
