/* What is followed, looked at by itself: devices that were noted, and all of them after a publication. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/follow.h"
#include "otafs/ids.h"
#include "otafs/order.h"

/** Looked at in one transaction, so that nobody waits long for the lock. */
#define DEVICES_AT_ONCE 100

void
follow_note(struct core *core, const char *device)
{
	struct plans *plans = &core->plans;

	for (size_t i = 0; i < plans->noted_count; i++)
		if (!strcmp(plans->noted[i], device))
			return;
	if (plans->noted_count < PLANS_NOTED_MAX)
		snprintf(plans->noted[plans->noted_count++], sizeof(plans->noted[0]), "%s", device);
	else
		plans->is_round_due = true;
}

/* Told once: as long as why has these words, nothing new has happened. */
static int
refuse(struct core *core, const struct device *device, const char *why, struct err *err)
{
	char text[ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "cannot have the newest of what it follows: %.400s", why);
	if (!strcmp(device->why, text))
		return 0;
	log_line(LOG_WARNING, "follow refused device=%s reason=\"%s\"", device->id, why);
	r = core_tell(core, device->id, STATE_WHO_OTAFS, "refused", text, err);
	return r ? r : state_device_why(core->state, device->id, text, utc_now(), err);
}

static int
look_at(struct core *core, const char *id, struct err *err)
{
	const struct assign_how how = { .who = STATE_WHO_OTAFS };
	AUTO(free_p) struct follow *list = NULL;
	struct device device;
	struct err why;
	size_t count;
	int r;

	/* Most that are noted follow nothing. */
	if ((r = state_follows(core->state, id, &list, &count, err)) < 0 || count == 0)
		return r;
	if ((r = order_catch_up(core, id, ORDER_CHANGE, err)) < 0)
		return r;
	if ((r = state_device(core->state, id, &device, err)) != 0)
		return r < 0 ? r : 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = follow_begin(core, &device, NULL, &how, err);
	why = *err;
	r = state_end(core->state, r, err);
	return r == -EINVAL || r == -EFBIG ? refuse(core, &device, why.text, err) : r;
}

static int
take_noted(struct plans *plans, struct ids *ids)
{
	int r = 0;

	while (r == 0 && plans->noted_count && ids->count < DEVICES_AT_ONCE)
		if ((r = ids_add(plans->noted[plans->noted_count - 1], ids)) == 0)
			plans->noted_count--;
	return r;
}

/* The next of the round. */
static int
take_next(struct core *core, struct ids *ids, struct err *err)
{
	struct plans *plans = &core->plans;
	int r;

	if (!plans->is_in_round && (plans->is_round_due || plans->publication != image_number(core->image))) {
		plans->is_round_due = false;
		plans->is_in_round = true;
		plans->publication = image_number(core->image);
		plans->cursor[0] = '\0';
	}
	if (!plans->is_in_round)
		return 0;
	if ((r = state_following(core->state, plans->cursor, DEVICES_AT_ONCE, ids_add, ids, err)) < 0)
		return r;
	plans->is_in_round = ids->count == DEVICES_AT_ONCE;
	if (ids->count)
		strcpy(plans->cursor, ids->list[ids->count - 1]);
	return 0;
}

static int
look_at_all(struct core *core, const struct ids *ids, struct err *err)
{
	int r;

	if (ids->count == 0)
		return 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ids->count; i++)
		r = look_at(core, ids->list[i], err);
	return state_end(core->state, r, err);
}

bool
follow_run(struct core *core)
{
	struct plans *plans = &core->plans;
	struct err err = { 0 };
	AUTO(ids_done) struct ids ids = { .err = &err };
	int r;

	r = take_noted(plans, &ids);
	if (r == 0 && ids.count == 0)
		r = take_next(core, &ids, &err);
	if (r == 0 && (r = look_at_all(core, &ids, &err)) == 0)
		return plans->noted_count > 0 || plans->is_in_round;
	log_line(LOG_ERR, "nobody who follows was looked at reason=\"%s\"", err.text);
	plans->is_round_due = true;
	plans->is_in_round = false;
	return false;
}
