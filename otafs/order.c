#include "otafs/order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/group.h"
#include "otafs/ids.h"
#include "otafs/order_run.h"
#include "otafs/text.h"
#include "otafs/update.h"

/** Members that get their receipt in a transaction. */
#define COLLECT_PAGE 1000
/** Receipts that are printed at a time. */
#define RECEIPTS_PAGE 500

/* ---- who is a member */

static int
store_members(struct core *core, struct group_order *order, const struct ids *members, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < members->count; i++) {
		r = state_receipt_add(core->state, order->number, members->list[i], err);
		order->members += r == 0;
	}
	return state_end(core->state, r < 0 ? r : 0, err);
}

/* The lock is free while a page is read. */
static int
collect(struct core *core, struct group_order *order, struct err *err)
{
	AUTO(ids_done) struct ids members = { .err = err };
	char cursor[NODE_CURSOR_MAX] = "";
	int r = 1, stored;

	while (r > 0) {
		members.count = 0;
		core_unlock(core);
		r = group_page(core, order->name, cursor, COLLECT_PAGE, ids_add, &members, err);
		core_lock(core);
		if (r >= 0 && (stored = store_members(core, order, &members, err)) < 0)
			r = stored;
	}
	if (r == 0 && order->members == 0)
		return err_set(err, ENODATA, "%s has no members", order->name);
	return r;
}

/* ---- an order */

static int
tell(struct core *core, const struct group_order *order, const char *what, const char *text, struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){ .device = "",
		.at = utc_now(),
		.who = order->who,
		.what = what,
		.text = text,
		.group = order->name,
		.correlation = order->correlation },
	    err);
}

static int
begin_work(struct core *core, struct group_order *order, struct err *err)
{
	char line[1024], text[1280];
	int r;

	snprintf(text, sizeof(text), "ordered for group %s, %lld members: %s", order->name,
	    (long long)order->members, text_one_line(order->text, line, sizeof(line)));
	order->phase = ORDER_WORKING;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_order_update(core->state, order, err)) == 0 &&
	    (r = state_orders_stale(core->state, order->name, order->number, err)) == 0)
		r = tell(core, order, "ordered", text, err);
	return state_end(core->state, r, err);
}

int
order_check_text(const char *text, struct err *err)
{
	if (strlen(text) > STATE_ORDER_TEXT_MAX)
		return err_set(err, EFBIG, "an order has at most %d bytes", STATE_ORDER_TEXT_MAX);
	if (!text[strspn(text, TEXT_BLANKS)])
		return err_set(err, EINVAL,
		    "empty: expected what devices/ID/assign takes, \"PACKAGE VERSION [ECU]\" or \"cancel\"");
	/* It is shown as it was written. */
	return text_check(text, STATE_ORDER_TEXT_MAX, "\t\r\n", "the order", err);
}

int
order_check_waiting(const struct core *core, struct err *err)
{
	if (core->orders->waiting < ORDER_WAITING_MAX)
		return 0;
	return err_set(err, EBUSY, "%d orders are being worked off, try again when one of them is done",
	    core->orders->waiting);
}

static int
check_alone(struct core *core, const char *group, struct err *err)
{
	struct group_order open;
	char since[UTC_TEXT_SIZE];
	int r = state_order_open(core->state, group, &open, err);

	if (r < 0)
		return r;
	if (r == 0) {
		utc_format(open.started_at, since);
		return err_set(err, EBUSY, "%s is busy with an order of %s since %s: cat groups/%s/assign",
		    group, open.who, since, group);
	}
	return order_check_waiting(core, err);
}

static void
fill(struct group_order *order, const char *group, const char *text, const char *who)
{
	*order = (struct group_order){ .phase = ORDER_COLLECTING, .started_at = utc_now() };
	snprintf(order->name, sizeof(order->name), "%s", group);
	snprintf(order->text, sizeof(order->text), "%s", text);
	snprintf(order->who, sizeof(order->who), "%s", who);
	update_correlation(UPDATE_BY_HAND, order->correlation);
}

/* An order that cannot begin is to be removed, with the receipts that it has. On a full disk even that cannot
 * be noted: orders_follow() does it later. */
static int
give_up(struct core *core, struct group_order *order, int r)
{
	struct err ignored;

	order->phase = ORDER_STALE;
	state_order_update(core->state, order, &ignored);
	core->orders->look_at = 0;
	return r;
}

int
order_write(struct core *core, const char *group, const char *text, const char *who, struct err *err)
{
	struct group_order order;
	struct run *run;
	int r;

	if ((r = order_check_text(text, err)) < 0 || (r = check_alone(core, group, err)) < 0)
		return r;
	fill(&order, group, text, who);
	if ((r = state_order_add(core->state, &order, err)) < 0)
		return r;
	core->orders->waiting++;
	core->orders->collecting++;
	if ((r = collect(core, &order, err)) == 0)
		r = begin_work(core, &order, err);
	core->orders->collecting--;
	core->orders->waiting--;
	if (r < 0)
		return give_up(core, &order, r);
	/* From here on it is done, whatever happens to who has ordered it. */
	core->orders->look_at = 0;
	if ((r = run_start(core, &order, true, &run, err)) < 0)
		return err_context(err, r, "held up, the rest follows by itself");
	return run_wait(run, err);
}

/* ---- stop */

int
order_stop(struct core *core, const char *group, const char *who, struct err *err)
{
	struct group_order order;
	char text[256];
	int r, passed;

	if ((r = state_order_open(core->state, group, &order, err)) < 0)
		return r;
	if (r == STATE_NONE || order.phase == ORDER_COLLECTING)
		return err_set(err, ENODATA, "no order to %s is being worked off, nothing to stop", group);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "passed over: stopped by %s", who);
	r = passed = state_receipts_stop(core->state, order.number, text, err);
	if (r >= 0) {
		order.refused += passed;
		order.phase = ORDER_FINISHED;
		order.finished_at = utc_now();
		snprintf(order.who, sizeof(order.who), "%s", who);
		snprintf(text, sizeof(text), "order to group %s stopped: %lld of %lld took it", group,
		    (long long)order.taken, (long long)order.members);
		r = state_order_update(core->state, &order, err);
	}
	if (r == 0)
		r = tell(core, &order, "order_stopped", text, err);
	return state_end(core->state, r, err);
}

/* ---- what is shown */

static void
print_text(const char *text, FILE *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			fprintf(out, "  %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

int
order_print(struct core *core, const char *group, FILE *out, struct err *err)
{
	struct group_order order;
	char began[UTC_TEXT_SIZE], ended[UTC_TEXT_SIZE];
	int r = state_order_last(core->state, group, &order, err);

	if (r != 0)
		return r < 0 ? r : 0;
	utc_format(order.started_at, began);
	utc_format(order.finished_at, ended);
	fprintf(out, "ordered by %s at %s, %s%s, %s\n", order.who, began,
	    order.phase == ORDER_FINISHED ? "done at " : "being worked off",
	    order.phase == ORDER_FINISHED ? ended : "", order.correlation);
	fprintf(out, "%lld members: %lld have taken it, %lld have refused, %lld wait\n",
	    (long long)order.members, (long long)order.taken, (long long)order.refused,
	    (long long)(order.members - order.taken - order.refused));
	print_text(order.text, out);
	return 0;
}

struct printing {
	FILE *out;
	char *cursor;
	int count;
};

static int
print_receipt(const char *device, enum receipt_result result, const char *text, void *context)
{
	static const char *const words[] = { "waiting", "taken", "refused: " };
	struct printing *printing = context;

	fprintf(printing->out, "%s %s%s\n", device, words[result], text);
	snprintf(printing->cursor, NODE_CURSOR_MAX, "%s", device);
	printing->count++;
	return 0;
}

/* When an order is followed by another while it is read, the rest is of the other. */
int
order_print_receipts(
    struct core *core, const char *group, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	struct printing printing = { out, cursor, 0 };
	struct group_order order;
	char after[NODE_CURSOR_MAX];
	int r = state_order_last(core->state, group, &order, err);

	if (r != 0)
		return r < 0 ? r : 0;
	memcpy(after, cursor, sizeof(after));
	r = state_receipts(core->state, order.number, after, RECEIPTS_PAGE, print_receipt, &printing, err);
	return r < 0 ? r : printing.count == RECEIPTS_PAGE;
}
