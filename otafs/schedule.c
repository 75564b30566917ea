#include "otafs/schedule.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/order.h"
#include "otafs/standing.h"
#include "otafs/text.h"
#include "otafs/update.h"
#include "state/schedule.h"

/** Begun in one transaction, so that nobody waits long for the lock. */
#define BEGUN_AT_ONCE 50

/* -- writing -- */

static int
read_time(const char **text, int64_t *at, struct err *err)
{
	const char *word = *text + strspn(*text, TEXT_BLANKS);
	size_t length = strcspn(word, TEXT_BLANKS);
	char time[UTC_TEXT_SIZE] = "", shown[64], now[UTC_TEXT_SIZE];

	if (length == UTC_TEXT_SIZE - 1)
		memcpy(time, word, length);
	if (utc_parse(time, at) < 0) {
		snprintf(time, sizeof(time), "%.*s", (int)(length < 20 ? length : 20), word);
		return err_set(err, EINVAL, "at \"%s\": expected a time like 2026-12-01T02:00:00Z, in UTC",
		    name_printable(time, shown, sizeof(shown)));
	}
	if (*at <= utc_now()) {
		utc_format(utc_now(), now);
		return err_set(err, EINVAL, "at %s: that is over, it is %s now", time, now);
	}
	*text = word + length + strspn(word + length, TEXT_BLANKS);
	return 0;
}

static int
check_room(const struct update *update, struct err *err)
{
	struct schedule *list;
	size_t count;
	int r = state_schedules(update->core->state, update->device->id, &list, &count, err);

	if (r < 0)
		return r;
	if (count >= SCHEDULE_DEVICE_MAX)
		r = err_set(err, EBUSY, "has %zu scheduled updates already, which is the most", count);
	state_schedules_free(list, count);
	return r;
}

static int
tell(struct core *core, const struct schedule *s, const char *who, const char *what, const char *text,
    struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){ .device = s->device,
		.at = utc_now(),
		.who = who,
		.what = what,
		.text = text,
		.correlation = s->correlation },
	    err);
}

static int
store(const struct update *update, int64_t at, const char *lines, const char *who, struct err *err)
{
	struct schedule one = { .at = at, .created_at = update->now };
	struct core *core = update->core;
	char text[1024], time[UTC_TEXT_SIZE], shown[600];
	int r;

	snprintf(one.device, sizeof(one.device), "%s", update->device->id);
	snprintf(one.correlation, sizeof(one.correlation), "%s", update->correlation);
	snprintf(one.who, sizeof(one.who), "%s", who);
	one.text = strdup(lines);
	if (!one.text)
		return err_set(err, ENOMEM, "no memory for what is scheduled");
	utc_format(at, time);
	snprintf(text, sizeof(text), "scheduled for %s by %s: %s, %s", time, who,
	    text_one_line(lines, shown, sizeof(shown)), one.correlation);
	if ((r = state_begin(core->state, err)) == 0) {
		if ((r = state_schedule_add(core->state, &one, err)) == STATE_EXISTS)
			r = err_set(err, EEXIST, "%s is scheduled already", one.correlation);
		if (r == 0 && (r = tell(core, &one, who, "scheduled", text, err)) == 0)
			r = standing_update(core, one.device, err);
		r = state_end(core->state, r, err);
	}
	free(one.text);
	schedule_look(core);
	return r;
}

int
schedule_write(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	struct update update;
	int64_t at;
	int r;

	if ((r = read_time(&text, &at, err)) < 0)
		return r;
	r = update_open(core, device, how->correlation, &update, err);
	update.is_later = true;
	if (r == 0 && (r = update_parse(&update, text, err)) == 0 && (r = update_check_size(&update, err)) == 0)
		r = check_room(&update, err);
	if (r == 0 && how->told) {
		char time[UTC_TEXT_SIZE], verb[64];

		utc_format(at, time);
		snprintf(verb, sizeof(verb), how->is_check ? "would assign at %s" : "assigns at %s", time);
		update_print(&update, verb, how->told);
	}
	if (r == 0 && !how->is_check)
		r = store(&update, at, text, how->who, err);
	update_close(&update);
	return r;
}

/* -- taking back -- */

static int
cancel_one(struct core *core, const struct schedule *s, const struct assign_how *how, struct err *err)
{
	char text[1024], time[UTC_TEXT_SIZE], shown[600];
	int r;

	utc_format(s->at, time);
	text_one_line(s->text, shown, sizeof(shown));
	if (how->told)
		fprintf(how->told, "%s what was scheduled for %s: %s, %s\n",
		    how->is_check ? "would cancel" : "cancelled", time, shown, s->correlation);
	if (how->is_check)
		return 0;
	snprintf(text, sizeof(text), "cancelled what was scheduled for %s by %s: %s, %s", time, how->who, shown,
	    s->correlation);
	if ((r = state_schedule_remove(core->state, s->device, s->correlation, err)) != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: is not scheduled", s->correlation);
	return tell(core, s, how->who, "cancelled", text, err);
}

int
schedule_cancel(struct core *core, const struct device *device, const char *correlation,
    const struct assign_how *how, size_t *cancelled, struct err *err)
{
	struct schedule *list;
	size_t count;
	int r = state_schedules(core->state, device->id, &list, &count, err);

	*cancelled = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (*correlation && strcmp(list[i].correlation, correlation) != 0)
			continue;
		r = cancel_one(core, &list[i], how, err);
		(*cancelled)++;
	}
	state_schedules_free(list, count);
	return r;
}

int
schedule_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	struct schedule *list;
	size_t count;
	int r = state_schedules(core->state, device->id, &list, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		char time[UTC_TEXT_SIZE], shown[1024];

		utc_format(list[i].at, time);
		fprintf(out, "scheduled for %s%s by %s: %s, %s\n", time,
		    list[i].at <= utc_now() ? " (waits for the open update to end)" : "", list[i].who,
		    text_one_line(list[i].text, shown, sizeof(shown)), list[i].correlation);
	}
	state_schedules_free(list, count);
	return 0;
}

/* -- beginning -- */

static int
begin(struct core *core, const struct device *device, const struct schedule *s, struct err *err)
{
	struct update update;
	int r = update_open(core, device, s->correlation, &update, err);

	if (r == 0 && (r = update_check_idle(&update, err)) == 0 &&
	    (r = update_parse(&update, s->text, err)) == 0 && (r = update_check_size(&update, err)) == 0)
		r = update_store(&update, s->who, err);
	update_close(&update);
	return r;
}

/* What cannot be carried out is over: nobody waits for it to become true. */
static int
refuse(struct core *core, const struct schedule *s, const char *why, struct err *err)
{
	char text[1024], time[UTC_TEXT_SIZE];
	int r;

	utc_format(s->at, time);
	snprintf(text, sizeof(text), "refused what was scheduled for %s by %s, %s: %s", time, s->who,
	    s->correlation, why);
	log_line(LOG_WARNING, "schedule refused device=%s correlation=%s reason=\"%s\"", s->device,
	    s->correlation, why);
	if ((r = tell(core, s, STATE_WHO_OTAFS, "refused", text, err)) < 0 ||
	    (r = state_device_why(core->state, s->device, text, utc_now(), err)) < 0)
		return r;
	return standing_update(core, s->device, err);
}

/* Anything else is the machine's own trouble, and may be over at the next try. */
static bool
is_refusal(int r)
{
	return r == -ENOENT || r == -EINVAL || r == -EEXIST || r == -ENXIO || r == -EFBIG;
}

/* Within a transaction. */
static int
begin_one(struct core *core, const struct schedule *s, struct err *err)
{
	struct device device;
	struct err why;
	int r;

	if ((r = order_catch_up(core, s->device, ORDER_CHANGE, err)) < 0 ||
	    (r = state_device(core->state, s->device, &device, err)) < 0)
		return r;
	if (r == STATE_NONE)
		return state_schedule_remove(core->state, s->device, s->correlation, err);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_schedule_remove(core->state, s->device, s->correlation, err)) == 0)
		r = begin(core, &device, s, err);
	why = *err;
	r = state_end(core->state, r, err);
	/* Two that are due at once: the second waits. */
	if (r == 0 || r == -EBUSY)
		return 0;
	if (!is_refusal(r))
		return r;
	if ((r = state_schedule_remove(core->state, s->device, s->correlation, err)) < 0)
		return r;
	return refuse(core, s, why.text, err);
}

static int
begin_due(struct core *core, int64_t now, size_t *count, struct err *err)
{
	struct schedule *list;
	int r = state_schedules_due(core->state, now, BEGUN_AT_ONCE, &list, count, err);

	if (r < 0 || *count == 0)
		return r;
	if ((r = state_begin(core->state, err)) == 0) {
		for (size_t i = 0; r == 0 && i < *count; i++)
			r = begin_one(core, &list[i], err);
		r = state_end(core->state, r, err);
	}
	state_schedules_free(list, *count);
	return r;
}

void
schedule_look(struct core *core)
{
	core->plans.is_schedule_set = false;
}

void
schedule_run(struct core *core, int64_t now)
{
	struct plans *plans = &core->plans;
	struct err err = { 0 };
	size_t count = 0;
	int r;

	if (plans->is_schedule_set && (plans->schedule_at == 0 || plans->schedule_at > now))
		return;
	if ((r = begin_due(core, now, &count, &err)) == 0 && count < BEGUN_AT_ONCE &&
	    (r = state_schedule_next(core->state, now, &plans->schedule_at, &err)) == 0)
		plans->is_schedule_set = true;
	if (r < 0)
		log_line(LOG_ERR, "nothing scheduled was begun reason=\"%s\"", err.text);
}
