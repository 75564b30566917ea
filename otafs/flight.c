#include "otafs/flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/ids.h"
#include "otafs/standing.h"
#include "state/reads.h"

/** Devices that are stored in one transaction: some milliseconds. */
#define SLICE 32

static int
tell(struct core *core, const char *device, const char *correlation, int64_t at, struct err *err)
{
	char text[STATE_CORRELATION_MAX + 64];

	snprintf(text, sizeof(text), "in flight: the device may have read of %s", correlation);
	return state_happened(core->state,
	    &(struct happening){ .device = device,
		.at = at,
		.who = STATE_WHO_DEVICE,
		.what = "in_flight",
		.text = text,
		.correlation = correlation },
	    err);
}

/* Told once while it goes on: devices are come to by the thousand. */
static void
log_failure(struct core *core, int r, const struct err *err)
{
	if (r < 0 && r != core->flight_failure)
		log_line(LOG_ERR, "in flight not stored yet reason=\"%s\"", err->text);
	core->flight_failure = r < 0 ? r : 0;
}

/* Within a transaction. */
static int
store(struct core *core, const char *device, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	int64_t at = 0;
	size_t count;
	int r = state_read_store(core->state, device, &at, err);

	if (r != 0 || (r = state_assignments(core->state, device, &open, &count, err)) < 0 || count == 0)
		return r < 0 ? r : 0;
	if ((r = tell(core, device, open[0].correlation, at ? at : utc_now(), err)) < 0)
		return r;
	return standing_update(core, device, err);
}

int
flight_note(struct core *core, const char *device, int64_t number, int64_t now, struct err *err)
{
	return state_read(core->state, device, number, now, err);
}

void
flight_store(struct core *core, const char *device)
{
	struct err err = { 0 };
	int r;

	if (!state_read_is_due(core->state, device))
		return;
	if ((r = state_begin_behind(core->state, &err)) == 0)
		r = state_end(core->state, store(core, device, &err), &err);
	log_failure(core, r, &err);
}

/* Whether there is more. */
static bool
store_some(struct core *core)
{
	int count = state_reads(core->state), r;
	struct err err = { 0 };

	if (count > SLICE)
		count = SLICE;
	if (count == 0 || (r = state_begin_behind(core->state, &err)) < 0)
		return false;
	for (int i = 0; r == 0 && i < count; i++)
		if (state_read_is_due(core->state, state_reads_device(core->state, i)))
			r = store(core, state_reads_device(core->state, i), &err);
	r = state_end(core->state, r, &err);
	log_failure(core, r, &err);
	if (r == 0)
		state_reads_drop(core->state, count);
	return r == 0 && state_reads(core->state) > 0;
}

void
flight_flush(struct core *core)
{
	bool is_more;

	/* What is noted meanwhile may wait. */
	for (int i = 0; i < STATE_READS_MAX / SLICE; i++) {
		core_lock(core);
		is_more = store_some(core);
		core_unlock(core);
		if (!is_more)
			return;
	}
}

void
flight_make_room(struct core *core)
{
	bool are_many;

	core_lock(core);
	are_many = state_reads_are_many(core->state);
	core_unlock(core);
	if (are_many)
		flight_flush(core);
}

static int
store_owed(struct core *core, const struct ids *ids, struct err *err)
{
	int r = state_begin_behind(core->state, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ids->count; i++)
		r = store(core, ids->list[i], err);
	return state_end(core->state, r, err);
}

bool
flight_catch_up(struct core *core)
{
	struct err err = { 0 };
	AUTO(ids_done) struct ids ids = { .err = &err };
	int r;

	if (!state_reads_are_owed(core->state))
		return false;
	if ((r = state_reads_owed(core->state, core->owed, SLICE, ids_add, &ids, &err)) == 0)
		r = store_owed(core, &ids, &err);
	if (r == 0 && ids.count < SLICE)
		r = state_reads_paid(core->state, &err);
	else if (r == 0)
		memcpy(core->owed, ids.list[ids.count - 1], sizeof(core->owed));
	log_failure(core, r, &err);
	return r == 0 && state_reads_are_owed(core->state);
}

int
flight_open(struct core *core, struct err *err)
{
	int r = state_run_begin(core->state, err);

	if (r == 0 && state_reads_are_owed(core->state))
		log_line(LOG_NOTICE, "the last end was not clean: what was open then may have been read");
	return r;
}

void
flight_close(struct core *core)
{
	struct err err = { 0 };

	while (store_some(core))
		;
	if (state_reads(core->state) == 0 && state_run_end(core->state, &err) < 0)
		log_line(LOG_ERR, "end not noted reason=\"%s\"", err.text);
}
