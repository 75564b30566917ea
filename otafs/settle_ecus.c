/* What a manifest says of each ECU by itself: what it runs, attacks that it has detected, and who is missing.
 */
#include <string.h>

#include "otafs/follow.h"
#include "otafs/settle.h"

static bool
runs_another(const struct ecu *ecu, const struct told_ecu *told)
{
	return strcmp(ecu->installed, told->file) != 0 || strcmp(ecu->installed_sha256, told->sha256) != 0;
}

static int
take_installed(struct settling *s, struct ecu *ecu, const struct told_ecu *told, struct err *err)
{
	snprintf(ecu->installed, sizeof(ecu->installed), "%s", told->file);
	snprintf(ecu->installed_sha256, sizeof(ecu->installed_sha256), "%s", told->sha256);
	ecu->installed_at = s->now;
	follow_note(s->core, s->device->id);
	return settle_tell(s,
	    (struct happening){ .what = "runs", .ecu = ecu->serial, .target = told->file, .is_chatter = true },
	    err, "ECU %s runs %s, sha256 %s", ecu->serial, told->file, told->sha256);
}

/* Told once, and again when it says something else. */
static int
take_attacks(struct settling *s, struct ecu *ecu, const struct told_ecu *told, struct err *err)
{
	if (!strcmp(ecu->attacks, told->attacks))
		return 0;
	snprintf(ecu->attacks, sizeof(ecu->attacks), "%s", told->attacks);
	return settle_tell(s, (struct happening){ .what = "attack", .ecu = ecu->serial, .is_chatter = true },
	    err,
	    told->attacks[0] ? "ECU %s has detected an attack: %s" : "ECU %s tells of no attack any more%s",
	    ecu->serial, told->attacks);
}

static bool
is_primary(const struct settling *s, const struct ecu *ecu)
{
	return !strcmp(ecu->serial, s->device->primary_ecu);
}

/* A secondary that is out of reach is told of with its last report. An older one than that was taken tells what
 * is not true any more. (The primary's counter was held against the whole manifest.) */
static bool
is_old(const struct settling *s, const struct ecu *ecu, const struct told_ecu *told)
{
	return !is_primary(s, ecu) && told->counter >= 0 && told->counter < ecu->report_counter;
}

static int
tell_old(struct settling *s, const struct ecu *ecu, const struct told_ecu *told, struct err *err)
{
	char text[ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text),
	    "ECU %s: a report with a counter below %lld, which was taken, is passed over; if the ECU was set "
	    "back, write \"reset\" into devices/%s/counter",
	    ecu->serial, (long long)ecu->report_counter, s->device->id);
	if (!strcmp(s->device->why, text))
		return 0;
	if ((r = state_device_why(s->core->state, s->device->id, text, s->now, err)) != 0)
		return r < 0 ? r : 0;
	return settle_tell(s, (struct happening){ .what = "replayed", .ecu = ecu->serial, .is_chatter = true },
	    err, "ECU %s: report with counter %lld passed over, %lld was taken", ecu->serial,
	    (long long)told->counter, (long long)ecu->report_counter);
}

/* A device should tell of all its ECUs, and leaves out those that it cannot reach. What it tells of the others
 * is taken all the same; who has never been told of has nothing that could be missed.  (Uptane 2.1, 5.4.2.1) */
static int
take_absence(struct settling *s, struct ecu *ecu, bool is_absent, struct err *err)
{
	if (is_absent == (ecu->absent_at > 0) || (is_absent && !ecu->installed[0]))
		return 0;
	ecu->absent_at = is_absent ? s->now : 0;
	return settle_tell(s,
	    (struct happening){
		.what = is_absent ? "absent" : "present", .ecu = ecu->serial, .is_chatter = true },
	    err, "ECU %s is %s the manifest%s", ecu->serial, is_absent ? "not in" : "in",
	    is_absent ? ": the device does not reach it" : " again");
}

/* Counters are stored with what they belong to: that alone must not come back. */
static int
take_ecu(struct settling *s, struct ecu *ecu, const struct told_ecu *told, struct err *err)
{
	bool was_changed = s->is_changed, is_other = runs_another(ecu, told);
	int r;

	s->is_changed = false;
	if ((is_other && (r = take_installed(s, ecu, told, err)) < 0) ||
	    (r = take_attacks(s, ecu, told, err)) < 0 || (r = take_absence(s, ecu, false, err)) < 0)
		return r;
	if (s->is_changed) {
		if (told->counter > ecu->report_counter)
			ecu->report_counter = told->counter;
		r = is_other ? state_ecu_installed(s->core->state, s->device->id, ecu, err)
			     : state_ecu_told(s->core->state, s->device->id, ecu, err);
	}
	s->is_changed |= was_changed;
	return r < 0 ? r : 0;
}

static int
lose_ecu(struct settling *s, struct ecu *ecu, struct err *err)
{
	int64_t was = ecu->absent_at;
	int r = take_absence(s, ecu, true, err);

	if (r == 0 && ecu->absent_at != was)
		r = state_ecu_told(s->core->state, s->device->id, ecu, err);
	return r < 0 ? r : 0;
}

const struct told_ecu *
settle_believed(const struct settling *s, const char *serial)
{
	const struct told_ecu *told = told_of(s->told, serial);

	for (size_t i = 0; told && i < s->ecu_count; i++)
		if (!strcmp(s->ecus[i].serial, serial) && is_old(s, &s->ecus[i], told))
			return NULL;
	return told;
}

int
settle_ecus(struct settling *s, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->ecu_count; i++) {
		const struct told_ecu *told = told_of(s->told, s->ecus[i].serial);

		if (!told)
			r = lose_ecu(s, &s->ecus[i], err);
		else if (is_old(s, &s->ecus[i], told))
			r = tell_old(s, &s->ecus[i], told, err);
		else
			r = take_ecu(s, &s->ecus[i], told, err);
	}
	return r;
}
