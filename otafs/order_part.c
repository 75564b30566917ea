/* What orders mean for one device: who is a member, and having its part. */
#include "otafs/order_run.h"

#include <errno.h>

#include "otafs/assign.h"
#include "otafs/flight.h"
#include "state/group.h"

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
	int r;

	if (!is_check)
		flight_store(core, device);
	if ((r = state_device(core->state, device, &found, err)) != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: was deleted", device);
	return assign_do(core, &found, order->text, &how, err);
}

static bool
is_newer(const struct run *run, int64_t number)
{
	return run->order.phase == ORDER_WORKING && run->order.number > number;
}

/* 0: there is none. */
static int64_t
newest(const struct orders *orders)
{
	int64_t number = 0;

	for (const struct run *run = orders ? orders->runs : NULL; run; run = run->next)
		if (is_newer(run, number))
			number = run->order.number;
	return number;
}

static int
is_member(const struct run *run, const char *device, struct err *err)
{
	int r;

	if (run->rule)
		return rule_holds(run->core, &run->bound, device, err);
	r = state_member(run->core->state, run->order.name, device, err);
	return r < 0 ? r : r == 0;
}

int
order_is_due(struct core *core, const struct device *device, struct err *err)
{
	int r = 0;

	for (const struct run *run = core->orders ? core->orders->runs : NULL; run && r == 0; run = run->next)
		if (is_newer(run, device->ordered))
			r = is_member(run, device->id, err);
	return r;
}

/* A refusal takes back what was done to it alone. */
static int
have_part(struct run *run, const char *device, struct err *err)
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
	if (r < 0 && !run->first.code)
		err_set(&run->first, why.code, "%s: %s", device, why.text);
	return state_receipt_add(core->state, run->order.number, device,
	    r < 0 ? RECEIPT_REFUSED : RECEIPT_TAKEN, r < 0 ? why.text : "", err);
}

/* Each is asked after those before were had. */
static int
have_parts(struct core *core, const struct device *device, enum order_touch touch, struct err *err)
{
	bool is_noted = touch == ORDER_CHANGE;
	int r = 0;

	for (struct run *run = core->orders->runs; run && r == 0; run = run->next) {
		if (!is_newer(run, device->ordered) || (r = is_member(run, device->id, err)) <= 0)
			continue;
		is_noted = true;
		run->is_touched |= touch != ORDER_WORKED;
		r = have_part(run, device->id, err);
	}
	if (r == 0 && is_noted)
		r = state_device_ordered(core->state, device->id, newest(core->orders), err);
	return r;
}

int
order_catch_up(struct core *core, const char *id, enum order_touch touch, struct err *err)
{
	int64_t number = newest(core->orders);
	size_t named = core->changes.count;
	struct device device;
	int r;

	if (number == 0)
		return 0;
	if ((r = state_device(core->state, id, &device, err)) != 0)
		return r < 0 ? r : 0;
	if (device.ordered >= number)
		return 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_end(core->state, have_parts(core, &device, touch, err), err);
	/* Either the kernel knows none of these names, or it forgets all: see order.h. */
	if (touch != ORDER_WORKED)
		core->changes.count = named;
	return r;
}
