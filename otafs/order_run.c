/* Working off what was ordered, slice by slice. */
#include "otafs/order_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "otafs/bind.h"

/** Receipts that are removed in a transaction. */
#define REMOVED_SLICE 1000
/** Orders are carried on so long after something has failed, seconds. */
#define RETRY_SECONDS 5
/** At the end it is looked so often, so far apart, whether all who wait for an order have answered. */
#define ANSWER_LOOKS 200
#define ANSWER_US 10000

/* ---- runs */

static void
run_free(struct run *run)
{
	bind_done(&run->bound);
	rule_free(run->rule);
	ids_done(&run->page);
	free(run);
}

static void
run_freep(struct run **run)
{
	if (*run)
		run_free(*run);
}

int
run_add(struct core *core, const struct group_order *order, struct run **out, struct err *err)
{
	AUTO(run_freep) struct run *run = calloc(1, sizeof(*run));
	struct run **last = &core->orders->runs;
	int r;

	if (!run)
		return err_set(err, ENOMEM, "no memory for an order");
	run->core = core;
	run->order = *order;
	if (order->phase == ORDER_WORKING && order->rule[0] &&
	    ((r = rule_parse(order->rule, &run->rule, err)) < 0 ||
		(r = bind_rule_at(core, run->rule, order->started_at, &run->bound, err)) < 0))
		return r;
	while (*last)
		last = &(*last)->next;
	*last = run;
	*out = MOVE(run);
	return 0;
}

void
run_close(struct run *run)
{
	struct run **at = &run->core->orders->runs;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
	run->is_over = true;
	/* What waits for this one may begin. */
	run->core->orders->look_at = 0;
	if (!run->is_queued && !run->is_awaited)
		run_free(run);
}

/* Orders change the status of devices: who asks for that has to know what those before have come to. */
static bool
has_to_wait(const struct run *run)
{
	const struct run *one = run->core->orders->runs;

	while (one != run && one->order.phase != ORDER_WORKING)
		one = one->next;
	return run->bound.is_status && one != run;
}

/* ---- slices */

static int
finish(struct run *run, struct err *err)
{
	struct core *core = run->core;
	struct group_order order;
	char text[256];
	int64_t now = utc_now();
	int r = state_order(core->state, run->order.number, &order, err);

	if (r != 0)
		return r < 0 ? r : 0;
	run->is_done = true;
	snprintf(text, sizeof(text), "order to group %s done: %lld of %lld took it", order.name,
	    (long long)order.taken, (long long)(order.taken + order.refused));
	log_line(LOG_NOTICE, "order done group=%s taken=%lld refused=%lld correlation=%s", order.name,
	    (long long)order.taken, (long long)order.refused, order.correlation);
	if ((r = state_order_end(core->state, order.number, ORDER_FINISHED, now, err)) < 0)
		return r;
	return state_happened(core->state,
	    &(struct happening){ .device = "",
		.at = now,
		.who = order.who,
		.what = "order_finished",
		.text = text,
		.group = order.name,
		.correlation = order.correlation },
	    err);
}

/* The first one only comes to the batch's thread, which then looks for members. */
static int
work_slice(struct batch_job *job, struct core *core, struct err *err)
{
	struct run *run = (struct run *)job;
	int64_t begin = steady_ms();
	int r = 0;

	run->is_done = run->is_over; /* it may have been stopped */
	if (run->is_done || !run->is_found)
		return 0;
	for (size_t i = 0; r == 0 && i < run->page.count; i++)
		r = order_catch_up(core, run->page.list[i], ORDER_WORKED, err);
	if (r == 0 && (r = state_order_cursor(core->state, run->order.number, run->end, err)) >= 0)
		r = run->is_last ? finish(run, err) : 0;
	run->took_ms = run->is_awaited ? 0 : steady_ms() - begin;
	return r;
}

static int
remove_slice(struct batch_job *job, struct core *core, struct err *err)
{
	struct run *run = (struct run *)job;
	int r = state_receipts_remove(core->state, run->order.number, REMOVED_SLICE, err);

	if (r != 0)
		return r < 0 ? r : 0;
	run->is_done = true;
	r = state_order_remove(core->state, run->order.number, err);
	return r < 0 ? r : 0;
}

static int
keep_id(const struct found *found, void *ids)
{
	return ids_add(found->id, ids);
}

static int
find_put_in(struct run *run, struct err *err)
{
	const struct find find = { .by = FIND_MEMBER, .text = run->order.name };
	struct ids *page = &run->page;
	int r;

	if ((r = reader_begin(run->core->reader, err)) < 0)
		return r;
	r = reader_ids(run->core->reader, &find, run->end, ORDER_SLICE, ids_add, page, err);
	reader_end(run->core->reader);
	if (page->count)
		snprintf(run->end, sizeof(run->end), "%s", page->list[page->count - 1]);
	return r < 0 ? r : page->count == ORDER_SLICE;
}

/* Finds the members of the next slice, without the lock. Who was come to meanwhile is among them or not. */
static int
find_members(struct run *run, struct err *err)
{
	int r;

	if (run->order.phase == ORDER_STALE)
		return 0;
	run->page.count = 0;
	run->page.err = err;
	r = run->rule
		? rule_page_bound(run->core, &run->bound, 0, run->end, ORDER_SLICE, keep_id, &run->page, err)
		: find_put_in(run, err);
	run->is_found = r >= 0;
	run->is_last = r == 0;
	return r < 0 ? r : 0;
}

/* With the lock, after the last slice; @run may be freed. */
static void
end(struct run *run)
{
	struct orders *orders = run->core->orders;

	run->is_queued = false;
	if (run->r < 0)
		orders->look_at = utc_now() + RETRY_SECONDS;
	run->is_told = true;
	pthread_cond_broadcast(&orders->told);
	if (run->is_over && !run->is_awaited)
		run_free(run);
	else if (!run->is_over && run->r >= 0)
		run_close(run);
}

/* By now the kernel has forgotten what the slice has changed. */
static void
after_slice(struct batch_job *job, int r, struct err *err)
{
	struct run *run = (struct run *)job;
	struct core *core = run->core;

	if (r >= 0 && !run->is_done) {
		snprintf(run->order.cursor, sizeof(run->order.cursor), "%.*s", NAME_DEVICE_MAX, run->end);
		core_breathe();
		usleep((useconds_t)run->took_ms * 1000);
		if ((r = find_members(run, err)) == 0 && (r = batch_add(core->batch, job, err)) == 0)
			return;
	}
	if (r < 0)
		log_line(LOG_ERR, "order held up group=%s reason=\"%s\"", run->order.name, err->text);
	core_lock(core);
	run->r = r;
	run->err = *err;
	end(run);
	core_unlock(core);
}

int
run_start(struct run *run, struct err *err)
{
	struct core *core = run->core;
	int r;

	if (run->is_queued || has_to_wait(run))
		return 0;
	run->job.work = run->order.phase == ORDER_STALE ? remove_slice : work_slice;
	run->job.done = after_slice;
	run->is_done = run->is_found = run->is_told = false;
	strcpy(run->end, run->order.cursor);
	if (core->batch && (r = batch_add(core->batch, &run->job, err)) < 0)
		return r;
	run->is_queued = true;
	return 0;
}

/* In programs of one thread. */
static void
run_here(struct run *run)
{
	struct state *state = run->core->state;

	while (run->r >= 0 && !run->is_done) {
		if ((run->r = find_members(run, &run->err)) < 0)
			break;
		if ((run->r = state_begin(state, &run->err)) == 0)
			run->r = state_end(state, run->job.work(&run->job, run->core, &run->err), &run->err);
	}
	end(run);
}

/* ---- who has ordered */

static int
answer(const struct run *run, struct err *err)
{
	struct group_order order;
	int64_t members;
	int r;

	if (run->r < 0)
		return err_set(err, -run->r, "held up, the rest follows by itself: %s", run->err.text);
	if ((r = state_order(run->core->state, run->order.number, &order, err)) < 0)
		return r;
	members = r == STATE_NONE ? 0 : order.taken + order.refused;
	if (r == 0 && order.taken > 0)
		return 0;
	if (r == 0 && members == 0 && order.phase == ORDER_FINISHED)
		return err_set(err, ENODATA, "%s has no members", run->order.name);
	return err_set(err, run->first.code ? run->first.code : ECANCELED,
	    "none of %lld members has taken it, see groups/%s/receipts; %s", (long long)members,
	    run->order.name, run->first.code ? run->first.text : "it was stopped");
}

static void
wait_a_moment(struct run *run)
{
	struct orders *orders = run->core->orders;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ORDER_WAIT_MS * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	orders->waiting++;
	while (!run->is_told && turns_wait_until(run->core->lock, &orders->told, &end))
		;
	orders->waiting--;
}

int
run_wait(struct run *run, struct err *err)
{
	struct core *core = run->core;
	int r = 0;

	run->is_awaited = true;
	if (run->is_queued && !core->batch)
		run_here(run);
	else if (run->is_queued)
		wait_a_moment(run);
	run->is_awaited = false;
	if (!run->is_told || run->is_touched || run->r < 0)
		core->changes.is_all = true;
	if (run->is_told)
		r = answer(run, err);
	if (run->is_over && !run->is_queued)
		run_free(run);
	return r;
}

/* ---- what nobody works on */

static bool
is_running(const struct orders *orders, int64_t number)
{
	for (const struct run *run = orders->runs; run; run = run->next)
		if (run->order.number == number)
			return true;
	return false;
}

/* Adds a run for each in @phase that has none. */
static int
add_all(struct core *core, enum order_phase phase, struct err *err)
{
	struct group_order order = { .number = 0 };
	struct run *run;
	int r;

	while ((r = state_order_next(core->state, phase, order.number, &order, err)) == 0)
		if (!is_running(core->orders, order.number) && (r = run_add(core, &order, &run, err)) < 0)
			return r;
	return r < 0 ? r : 0;
}

static int
start_all(struct core *core, struct err *err)
{
	int r = add_all(core, ORDER_STALE, err);

	for (struct run *run = core->orders->runs; r == 0 && run; run = run->next)
		r = run_start(run, err);
	return r;
}

void
orders_follow(struct core *core, int64_t now)
{
	struct orders *orders = core->orders;
	struct err err;

	if (!orders || !core->batch || (now < orders->look_at && now > orders->look_at - 2 * RETRY_SECONDS))
		return;
	orders->look_at = now + RETRY_SECONDS;
	if (start_all(core, &err) < 0)
		log_line(LOG_ERR, "orders not looked at reason=\"%s\"", err.text);
}

/* ---- start and end */

int
orders_open(struct core *core, struct err *err)
{
	int r;

	core->orders = calloc(1, sizeof(*core->orders));
	if (!core->orders)
		return err_set(err, ENOMEM, "no memory for orders");
	pthread_cond_init(&core->orders->told, NULL);
	if ((r = add_all(core, ORDER_WORKING, err)) < 0)
		return r;
	for (const struct run *run = core->orders->runs; run; run = run->next)
		log_line(
		    LOG_NOTICE, "order carried on group=%s behind=\"%s\"", run->order.name, run->order.cursor);
	return 0;
}

void
orders_close(struct core *core)
{
	struct orders *orders = core->orders;

	if (!orders)
		return;
	/* Those who wait were told that it ends, and need the lock to answer. */
	for (int i = 0; orders->waiting && i < ANSWER_LOOKS; i++) {
		core_unlock(core);
		usleep(ANSWER_US);
		core_lock(core);
	}
	/* The batch has ended, and with it all slices. Who waits still ends with the process. */
	core->orders = NULL;
	if (orders->waiting)
		return;
	while (orders->runs) {
		struct run *run = orders->runs;

		orders->runs = run->next;
		run_free(run);
	}
	free(orders);
}
