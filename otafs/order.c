#include "otafs/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "otafs/bind.h"
#include "otafs/group.h"
#include "otafs/order_run.h"
#include "otafs/text.h"
#include "otafs/update.h"
#include "state/seen.h"

/** How long it is looked for a first member, for the sake of who orders to nobody. */
#define PROBE_MS 100
/** Receipts that are printed at a time. */
#define RECEIPTS_PAGE 500

/* ---- whether it can be given */

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
check_room(const struct orders *orders, struct err *err)
{
	int count = 0;

	for (const struct run *run = orders->runs; run; run = run->next)
		count++;
	if (count < ORDER_RUNS_MAX)
		return 0;
	return err_set(err, EBUSY, "%d orders are in force, try again when one of them is worked off", count);
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
	r = check_room(core->orders, err);
	return r < 0 ? r : order_check_waiting(core, err);
}

static int
count_one(const char *device, void *count)
{
	(void)device;
	++*(size_t *)count;
	return 0;
}

/* The lock is free meanwhile. */
static int
check_anybody(struct core *core, const char *group, struct err *err)
{
	char cursor[NODE_CURSOR_MAX] = "";
	int64_t end = steady_ms() + PROBE_MS;
	size_t count = 0;
	int r;

	core_unlock(core);
	do
		r = group_page(core, group, cursor, 1, count_one, &count, err);
	while (r > 0 && count == 0 && steady_ms() < end);
	core_lock(core);
	return r == 0 && count == 0 ? err_set(err, ENODATA, "%s has no members", group) : r < 0 ? r : 0;
}

/* ---- an order */

static int
tell(struct core *core, const struct group_order *order, const char *who, const char *what, const char *text,
    struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){ .device = "",
		.at = utc_now(),
		.who = who,
		.what = what,
		.text = text,
		.group = order->name,
		.correlation = order->correlation },
	    err);
}

static int
fill(struct core *core, struct group_order *order, const char *name, const char *text, const char *who,
    struct err *err)
{
	struct group group;
	int r = group_find(core, name, &group, err);

	*order = (struct group_order){ .phase = ORDER_WORKING, .started_at = utc_now() };
	snprintf(order->name, sizeof(order->name), "%s", name);
	snprintf(order->rule, sizeof(order->rule), "%s", r == 0 ? group.rule : "");
	snprintf(order->text, sizeof(order->text), "%s", text);
	snprintf(order->who, sizeof(order->who), "%s", who);
	update_correlation(UPDATE_BY_HAND, order->correlation);
	return r;
}

/* Within a transaction: from its commit on it is in force. */
static int
store(struct core *core, struct group_order *order, struct err *err)
{
	char line[1024], text[1280];
	int r;

	snprintf(text, sizeof(text), "ordered for group %s: %s", order->name,
	    text_one_line(order->text, line, sizeof(line)));
	/* What is only noted of when devices were seen, a rule does not find. */
	if ((r = state_seen_flush(core->state, err)) < 0 ||
	    (r = state_order_add(core->state, order, err)) < 0 ||
	    (r = state_orders_stale(core->state, order->name, order->number, err)) < 0)
		return r;
	return tell(core, order, order->who, "ordered", text, err);
}

static int
begin(struct core *core, struct group_order *order, struct run **run, struct err *err)
{
	int r = state_begin(core->state, err);

	if (r < 0)
		return r;
	if ((r = store(core, order, err)) == 0)
		r = run_add(core, order, run, err);
	if ((r = state_end(core->state, r, err)) < 0 && *run)
		run_close(*run);
	return r;
}

int
order_write(struct core *core, const char *group, const char *text, const char *who, struct err *err)
{
	struct group_order order;
	struct run *run = NULL;
	int r;

	if ((r = order_check_text(text, err)) < 0 || (r = check_anybody(core, group, err)) < 0 ||
	    (r = check_alone(core, group, err)) < 0 || (r = fill(core, &order, group, text, who, err)) < 0 ||
	    (r = begin(core, &order, &run, err)) < 0)
		return r;
	core->orders->look_at = 0;
	if ((r = run_start(run, err)) == 0)
		return run_wait(run, err);
	core->changes.is_all = true;
	return err_context(err, r, "held up, the rest follows by itself");
}

/* ---- what holds it up */

int
order_stop(struct core *core, const char *group, const char *who, struct err *err)
{
	struct group_order order;
	char text[256];
	int r;

	if ((r = state_order_open(core->state, group, &order, err)) < 0)
		return r;
	if (r == STATE_NONE)
		return err_set(err, ENODATA, "no order to %s is being worked off, nothing to stop", group);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "order to group %s stopped: %lld took it, %lld refused", group,
	    (long long)order.taken, (long long)order.refused);
	if ((r = state_order_end(core->state, order.number, ORDER_STOPPED, utc_now(), err)) >= 0)
		r = tell(core, &order, who, "order_stopped", text, err);
	if ((r = state_end(core->state, r, err)) < 0)
		return r;
	for (struct run *run = core->orders->runs; run; run = run->next)
		if (run->order.number == order.number) {
			run_close(run);
			break;
		}
	return 0;
}

int
order_check_rule(struct core *core, const char *group, struct err *err)
{
	for (const struct run *run = core->orders ? core->orders->runs : NULL; run; run = run->next) {
		AUTO(bind_done) struct bound bound = { .terms = NULL };
		struct err why;

		/* Bound as a rule of @group it leads to itself. */
		if (run->rule && bind_rule(core, run->rule, group, false, &bound, &why) == -ELOOP)
			return err_set(err, EBUSY,
			    "%s: who is meant by an order of %s to group %s depends on it: cat "
			    "groups/%s/assign",
			    group, run->order.who, run->order.name, run->order.name);
	}
	return 0;
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

/* How far it is: members are worked off in the order of their ids. */
static void
print_count(const struct group_order *order, FILE *out)
{
	if (order->phase == ORDER_FINISHED)
		fprintf(out, "%lld members: ", (long long)(order->taken + order->refused));
	fprintf(
	    out, "%lld have taken it, %lld have refused", (long long)order->taken, (long long)order->refused);
	if (order->phase == ORDER_WORKING)
		fprintf(out, "; %s%s%sthe others get their part before they are read or changed",
		    order->cursor[0] ? "done up to " : "", order->cursor, order->cursor[0] ? ", " : "");
	fputc('\n', out);
}

int
order_print(struct core *core, const char *group, FILE *out, struct err *err)
{
	static const char *const states[] = { [ORDER_WORKING] = "being worked off",
		[ORDER_FINISHED] = "done at ",
		[ORDER_STOPPED] = "stopped at " };
	struct group_order order;
	char began[UTC_TEXT_SIZE], ended[UTC_TEXT_SIZE];
	int r = state_order_last(core->state, group, &order, err);

	if (r != 0)
		return r < 0 ? r : 0;
	utc_format(order.started_at, began);
	utc_format(order.finished_at, ended);
	/* A stopped one without a time was begun by a release that knew no such orders. */
	fprintf(out, "ordered by %s at %s, %s%s, %s\n", order.who, began,
	    order.phase == ORDER_STOPPED && !order.finished_at ? "stopped by an upgrade of otafs"
							       : states[order.phase],
	    order.finished_at ? ended : "", order.correlation);
	print_count(&order, out);
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
	static const char *const words[] = { [RECEIPT_TAKEN] = "taken", [RECEIPT_REFUSED] = "refused: " };
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
