#include "otafs/standing.h"

#include <string.h>

#include "state/standing.h"

const char *const standing_names[] = { STANDING_NOT_SEEN, STANDING_NOT_REGISTERED, STANDING_UP_TO_DATE,
	STANDING_UPDATE_SCHEDULED, STANDING_UPDATE_PENDING, STANDING_IN_FLIGHT, STANDING_UNRESPONSIVE,
	STANDING_ERROR };
const size_t standing_name_count = sizeof(standing_names) / sizeof(standing_names[0]);

const char *
standing_of(const struct facts *facts)
{
	if (!facts->is_seen)
		return STANDING_NOT_SEEN;
	if (!facts->is_registered)
		return STANDING_NOT_REGISTERED;
	if (facts->is_open)
		return facts->is_unresponsive ? STANDING_UNRESPONSIVE
		       : facts->is_in_flight  ? STANDING_IN_FLIGHT
					      : STANDING_UPDATE_PENDING;
	/* What is planned does not hide what went wrong. */
	if (facts->is_failed)
		return STANDING_ERROR;
	return facts->is_scheduled ? STANDING_UPDATE_SCHEDULED : STANDING_UP_TO_DATE;
}

int
standing_facts(struct core *core, const struct device *device, struct facts *out, struct err *err)
{
	int64_t limit = core->config->unresponsive_polls;
	struct state_underway underway = { 0 };
	int r = state_underway(core->state, device->id, &underway, err);

	if (r < 0)
		return r;
	*out = (struct facts){
		.is_registered = device->primary_ecu[0] != '\0',
		.is_open = underway.open > 0,
		.is_in_flight = underway.in_flight > 0,
		.is_unresponsive = limit > 0 && device->polls >= limit,
		.is_failed = device->failure[0] != '\0',
		.is_scheduled = underway.scheduled > 0,
	};
	/* Who has told its ECUs was there, whatever was not written down of that. */
	out->is_seen = out->is_registered || device->activated_at > 0 || device->seen_at > 0;
	return 0;
}

int
standing_update(struct core *core, const char *device, struct err *err)
{
	struct device now = { 0 };
	struct facts facts;
	const char *status;
	int r;

	if ((r = state_device(core->state, device, &now, err)) != 0)
		return r < 0 ? r : 0;
	if ((r = standing_facts(core, &now, &facts, err)) < 0)
		return r;
	status = standing_of(&facts);
	if (!strcmp(status, now.status))
		return 0;
	r = state_standing(core->state, device, now.status, status, err);
	return r < 0 ? r : 0;
}

int
standing_seen(struct core *core, const struct device *device, int64_t now, struct err *err)
{
	int r = state_device_seen(core->state, device->id, now, err);

	if (r < 0 || device->activated_at)
		return r < 0 ? r : 0;
	if ((r = state_device_activated(core->state, device->id, now, err)) < 0)
		return r;
	return standing_update(core, device->id, err);
}

int
standing_count(struct core *core, const char *status, int64_t *devices, struct err *err)
{
	const struct state_standing_count *list;
	size_t count;
	int r = state_standings(core->state, &list, &count, err);

	*devices = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!strcmp(list[i].status, status))
			*devices = list[i].devices;
	return r;
}
