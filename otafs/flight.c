#include "otafs/flight.h"

#include <stdio.h>

#include "lib/cleanup.h"
#include "otafs/standing.h"

bool
flight_is_due(struct core *core, const char *device)
{
	struct err err;

	return state_assignments_unread(core->state, device, &err) != 0;
}

static int
tell(struct core *core, const char *device, const char *correlation, int64_t now, struct err *err)
{
	char text[STATE_CORRELATION_MAX + 64];

	snprintf(text, sizeof(text), "in flight: the device may have read of %s", correlation);
	return state_happened(core->state,
	    &(struct happening){ .device = device,
		.at = now,
		.who = STATE_WHO_DEVICE,
		.what = "in_flight",
		.text = text,
		.correlation = correlation },
	    err);
}

int
flight_note(struct core *core, const char *device, int64_t now, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r;

	if ((r = state_assignments(core->state, device, &open, &count, err)) < 0 ||
	    (r = state_assignments_in_flight(core->state, device, now, err)) < 0)
		return r;
	if (r == STATE_NONE || count == 0)
		return 0;
	if ((r = tell(core, device, open[0].correlation, now, err)) < 0)
		return r;
	return standing_update(core, device, err);
}
