/* Working off what was ordered, slice by slice. */
#include "otafs/order_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/ids.h"

/** Receipts that are removed in a transaction. */
#define REMOVED_SLICE 1000
/** Orders are carried on so long after something has failed, seconds. */
#define RETRY_SECONDS 5
/** At the end it is looked so often, so far apart, whether all who wait for an order have answered. */
#define ANSWER_LOOKS 200
#define ANSWER_US 10000

bool
order_is_failure(int r)
{
	return r == -EIO || r == -ENOSPC || r == -ENOMEM;
}

int
order_one(
    struct core *core, const char *device, const struct group_order *order, bool is_check, struct err *err)
{
	const struct assign_how how = { .who = order->who,
		.correlation = order->correlation[0] ? order->correlation : NULL,
		.is_check = is_check };
	struct device found;
	int r = state_device(core->state, device, &found, err);

	if (r != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: was deleted", device);
	return assign_do(core, &found, order->text, &how, err);
}

/* One member, whose refusal takes back what was done to it alone. */
static int
work_one(struct run *run, const char *device, struct err *err)
{
	struct core *core = run->core;
	struct err why = { 0 };
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_end(core->state, order_one(core, device, &run->order, false, &why), &why);
	if (order_is_failure(r)) {
		*err = why;
		return r;
	}
	run->order.taken += r >= 0;
	run->order.refused += r < 0;
	if (r < 0 && !run->first.code)
		err_set(&run->first, why.code, "%s: %s", device, why.text);
	return state_receipt_set(core->state, run->order.number, device,
	    r < 0 ? RECEIPT_REFUSED : RECEIPT_TAKEN, r < 0 ? why.text : "", err);
}

static int
finish(struct run *run, struct err *err)
{
	struct group_order *order = &run->order;
	char text[STATE_ORDER_TEXT_MAX + 512];

	order->phase = ORDER_FINISHED;
	order->finished_at = utc_now();
	run->is_over = true;
	snprintf(text, sizeof(text), "order to group %s done: %lld of %lld took it", order->name,
	    (long long)order->taken, (long long)order->members);
	log_line(LOG_NOTICE, "order done group=%s taken=%lld refused=%lld correlation=%s", order->name,
	    (long long)order->taken, (long long)order->refused, order->correlation);
	return state_happened(run->core->state,
	    &(struct happening){ .device = "",
		.at = order->finished_at,
		.who = order->who,
		.what = "order_finished",
		.text = text,
		.group = order->name,
		.correlation = order->correlation },
	    err);
}

/* The order may have been stopped since the last slice. */
static int
read_again(struct run *run, struct err *err)
{
	struct group_order now;
	int r = state_order_next(run->core->state, ORDER_WORKING, run->order.number - 1, &now, err);

	if (r < 0)
		return r;
	run->is_over = r == STATE_NONE || now.number != run->order.number;
	if (!run->is_over)
		run->order = now;
	return 0;
}

static int
work_slice(struct batch_job *job, struct core *core, struct err *err)
{
	struct run *run = (struct run *)job;
	AUTO(ids_done) struct ids ids = { .err = err };
	int r;

	if ((r = read_again(run, err)) < 0 || run->is_over)
		return r;
	r = state_receipts_waiting(core->state, run->order.number, ORDER_SLICE, ids_add, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = work_one(run, ids.list[i], err);
	if (r == 0 && ids.count < ORDER_SLICE)
		r = finish(run, err);
	return r == 0 ? state_order_update(core->state, &run->order, err) : r;
}

static int
remove_slice(struct batch_job *job, struct core *core, struct err *err)
{
	struct run *run = (struct run *)job;
	int r = state_receipts_remove(core->state, run->order.number, REMOVED_SLICE, err);

	if (r != 0)
		return r < 0 ? r : 0;
	run->is_over = true;
	r = state_order_remove(core->state, run->order.number, err);
	return r < 0 ? r : 0;
}

/* ---- runs */

static void
leave(struct run *run)
{
	struct run **at = &run->core->orders->runs;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
}

static void
end(struct run *run)
{
	struct orders *orders = run->core->orders;

	leave(run);
	if (run->r < 0)
		orders->look_at = utc_now() + RETRY_SECONDS;
	if (!run->is_awaited) {
		free(run);
		return;
	}
	run->is_told = true;
	pthread_cond_broadcast(&orders->told);
}

/* By now the kernel has forgotten what the slice has changed. */
static void
after_slice(struct batch_job *job, int r, struct err *err)
{
	struct run *run = (struct run *)job;
	struct core *core = run->core;

	if (r >= 0 && !run->is_over) {
		core_breathe();
		if ((r = batch_add(core->batch, job, err)) == 0)
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
run_start(
    struct core *core, const struct group_order *order, bool is_awaited, struct run **out, struct err *err)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return err_set(err, ENOMEM, "no memory for an order");
	run->job.work = order->phase == ORDER_STALE ? remove_slice : work_slice;
	run->job.done = after_slice;
	run->core = core;
	run->order = *order;
	run->is_awaited = is_awaited;
	if (core->batch && (r = batch_add(core->batch, &run->job, err)) < 0) {
		free(run);
		return r;
	}
	run->next = core->orders->runs;
	core->orders->runs = run;
	if (out)
		*out = run;
	return 0;
}

/* In programs of one thread. */
static void
run_here(struct run *run)
{
	struct state *state = run->core->state;

	while (run->r >= 0 && !run->is_over)
		if ((run->r = state_begin(state, &run->err)) == 0)
			run->r = state_end(state, run->job.work(&run->job, run->core, &run->err), &run->err);
	end(run);
}

int
run_wait(struct run *run, struct err *err)
{
	struct orders *orders = run->core->orders;
	int r;

	if (!run->core->batch)
		run_here(run);
	orders->waiting++;
	while (!run->is_told)
		turns_wait(run->core->lock, &orders->told);
	orders->waiting--;
	if (run->r < 0)
		r = err_set(err, -run->r, "held up, the rest follows by itself: %s", run->err.text);
	else if (run->order.taken == 0)
		r = err_set(err, run->first.code ? run->first.code : ECANCELED,
		    "none of %lld members has taken it, see groups/%s/receipts; %s",
		    (long long)run->order.members, run->order.name,
		    run->first.code ? run->first.text : "it was stopped");
	else
		r = 0;
	free(run);
	return r;
}

static bool
is_running(const struct orders *orders, int64_t number)
{
	for (const struct run *run = orders->runs; run; run = run->next)
		if (run->order.number == number)
			return true;
	return false;
}

/* Starts a run for each in @phase that has none. */
static int
carry_on(struct core *core, enum order_phase phase, struct err *err)
{
	struct group_order order = { .number = 0 };
	int r;

	while ((r = state_order_next(core->state, phase, order.number, &order, err)) == 0) {
		if (is_running(core->orders, order.number))
			continue;
		if (phase == ORDER_WORKING)
			log_line(LOG_NOTICE, "order carried on group=%s done=%lld of=%lld", order.name,
			    (long long)(order.taken + order.refused), (long long)order.members);
		if ((r = run_start(core, &order, false, NULL, err)) < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/* Of these nothing was done, and nobody was told that anything would be. */
static int
give_up_collecting(struct core *core, struct err *err)
{
	struct group_order order = { .number = 0 };
	int r;

	while ((r = state_order_next(core->state, ORDER_COLLECTING, order.number, &order, err)) == 0) {
		order.phase = ORDER_STALE;
		if ((r = state_order_update(core->state, &order, err)) < 0)
			return r;
		log_line(
		    LOG_NOTICE, "order given up group=%s reason=\"its members were not settled\"", order.name);
	}
	return r < 0 ? r : 0;
}

void
orders_follow(struct core *core, int64_t now)
{
	struct orders *orders = core->orders;
	struct err err;

	if (!orders || (now < orders->look_at && now > orders->look_at - 2 * RETRY_SECONDS))
		return;
	orders->look_at = now + RETRY_SECONDS;
	/* That nobody settles: he could not even note that he gave it up. */
	if ((orders->collecting == 0 && give_up_collecting(core, &err) < 0) ||
	    (core->batch && (carry_on(core, ORDER_WORKING, &err) < 0 || carry_on(core, ORDER_STALE, &err) < 0)))
		log_line(LOG_ERR, "orders not looked at reason=\"%s\"", err.text);
}

/* ---- start and end */

int
orders_open(struct core *core, struct err *err)
{
	core->orders = calloc(1, sizeof(*core->orders));
	if (!core->orders)
		return err_set(err, ENOMEM, "no memory for orders");
	pthread_cond_init(&core->orders->told, NULL);
	return give_up_collecting(core, err);
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
	/* Runs, and those who wait for them still, end with the process. */
	core->orders = NULL;
	free(orders);
}
