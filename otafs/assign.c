#include "otafs/assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/follow.h"
#include "otafs/schedule.h"
#include "otafs/standing.h"
#include "otafs/text.h"
#include "otafs/update.h"

/* -- ending -- */

int
assign_finish(struct core *core, const char *device, const struct assignment *a, const char *result,
    const char *code, const char *text, int64_t now, struct err *err)
{
	struct installation row = {
		.assigned_at = a->created_at, .in_flight_at = a->in_flight_at, .finished_at = now
	};
	int r;

	snprintf(row.correlation, sizeof(row.correlation), "%s", a->correlation);
	snprintf(row.ecu, sizeof(row.ecu), "%s", a->ecu);
	snprintf(row.target, sizeof(row.target), "%s", a->target);
	snprintf(row.sha256, sizeof(row.sha256), "%s", a->sha256);
	snprintf(row.result, sizeof(row.result), "%s", result);
	name_printable(code, row.code, sizeof(row.code));
	name_printable(text, row.text, sizeof(row.text));
	if ((r = state_assignment_close(core->state, device, a->ecu, err)) == STATE_NONE)
		return err_set(err, ENOENT, "%s: ECU %s has nothing open", device, a->ecu);
	if (r < 0 || (r = state_installation_add(core->state, device, &row, err)) < 0)
		return r;
	follow_note(core, device);
	schedule_look(core);
	return 0;
}

/* -- "cancel" and "cancel!" -- */

static int
cancel_row(struct core *core, const struct device *device, const struct assignment *a,
    const struct assign_how *how, int64_t now, struct err *err)
{
	char text[1024];
	int r;

	if (how->told)
		fprintf(how->told, "%s %s to ECU %s, %s\n", how->is_check ? "would cancel" : "cancelled",
		    a->target, a->ecu, a->correlation);
	if (how->is_check)
		return 0;
	snprintf(text, sizeof(text), "cancelled %s for ECU %s by %s%s, %s", a->target, a->ecu, how->who,
	    a->in_flight_at ? " though the device may have read of it" : "", a->correlation);
	if ((r = assign_finish(core, device->id, a, INSTALLATION_CANCELLED, "", how->who, now, err)) < 0)
		return r;
	return state_happened(core->state,
	    &(struct happening){ .device = device->id,
		.at = now,
		.who = how->who,
		.what = "cancelled",
		.text = text,
		.ecu = a->ecu,
		.target = a->target,
		.correlation = a->correlation },
	    err);
}

static int
check_in_flight(const struct assignment *open, size_t count, struct err *err)
{
	char since[UTC_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		if (open[i].in_flight_at == 0)
			continue;
		utc_format(open[i].in_flight_at, since);
		return err_set(err, EBUSY,
		    "%s is in flight: the device may have read of it since %s and may install it; \"cancel!\" "
		    "takes "
		    "it back all the same",
		    open[i].target, since);
	}
	return 0;
}

/* Within a transaction. */
static int
cancel_all(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    const char *correlation, const struct assign_how *how, struct err *err)
{
	char shown[STATE_CORRELATION_MAX];
	size_t scheduled = 0;
	int64_t now = utc_now();
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = cancel_row(core, device, &open[i], how, now, err);
	if (r < 0 || (r = schedule_cancel(core, device, correlation, how, &scheduled, err)) < 0)
		return r;
	if (count + scheduled == 0 && *correlation)
		return err_set(err, ENODATA, "%s is neither open nor scheduled",
		    name_printable(correlation, shown, sizeof(shown)));
	if (count + scheduled == 0)
		return err_set(err, ENODATA, "nothing is open or scheduled, nothing to cancel");
	if (how->is_check)
		return 0;
	return count ? update_note(core, device->id, now, err) : standing_update(core, device->id, err);
}

/* What stands after "cancel": a correlation id, or nothing. */
static int
read_correlation(const char *rest, char out[static STATE_CORRELATION_MAX], struct err *err)
{
	const char *word = rest + strspn(rest, TEXT_BLANKS), *end = word + strcspn(word, TEXT_BLANKS);

	if (*word && strncmp(word, "urn:", 4) != 0)
		return err_set(err, EINVAL, "\"cancel\" and \"cancel!\" stand alone, or with a correlation id");
	if (end[strspn(end, TEXT_BLANKS)] || end - word >= STATE_CORRELATION_MAX)
		return err_set(err, EINVAL, "after a correlation id nothing is expected");
	memcpy(out, word, (size_t)(end - word));
	out[end - word] = '\0';
	return 0;
}

static int
cancel(struct core *core, const struct device *device, bool is_forced, const char *rest,
    const struct assign_how *how, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	char correlation[STATE_CORRELATION_MAX];
	size_t count;
	int r;

	if ((r = read_correlation(rest, correlation, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &open, &count, err)) < 0)
		return r;
	/* What is open is of one update. */
	if (*correlation && count && strcmp(open[0].correlation, correlation) != 0)
		count = 0;
	if (!is_forced && (r = check_in_flight(open, count, err)) < 0)
		return r;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = cancel_all(core, device, open, count, correlation, how, err);
	return state_end(core->state, r, err);
}

static int
cancel_idle(struct core *core, const struct device *device, const char *rest, const struct assign_how *how,
    struct err *err)
{
	return cancel(core, device, false, rest, how, err);
}

static int
cancel_any(struct core *core, const struct device *device, const char *rest, const struct assign_how *how,
    struct err *err)
{
	return cancel(core, device, true, rest, how, err);
}

/* -- an update at once -- */

static int
assign_now(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	struct update update;
	int r = update_open(core, device, how->correlation, &update, err);

	if (r == 0 && (r = update_check_idle(&update, err)) == 0 &&
	    (r = update_parse(&update, text, err)) == 0 && (r = update_check_size(&update, err)) == 0) {
		if (how->told)
			update_print(&update, how->is_check ? "would assign" : "assigned", how->told);
		r = how->is_check ? 0 : update_store(&update, how->who, err);
	}
	update_close(&update);
	return r;
}

/* -- all commands -- */

static const struct command {
	const char *word;
	int (*run)(struct core *core, const struct device *device, const char *rest,
	    const struct assign_how *how, struct err *err);
} commands[] = {
	{ "cancel", cancel_idle },
	{ "cancel!", cancel_any },
	{ "at", schedule_write },
	{ "follow", follow_write },
	{ "unfollow", follow_end },
};

int
assign_do(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	const char *word = text + strspn(text, TEXT_BLANKS);
	size_t length = strcspn(word, TEXT_BLANKS);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].word) == length && !strncmp(commands[i].word, word, length))
			return commands[i].run(core, device, word + length, how, err);
	return assign_now(core, device, text, how, err);
}

/* -- what "assign" shows -- */

static int
print_open(struct core *core, const char *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r = state_assignments(core->state, device, &open, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct assignment *a = &open[i];
		char since[UTC_TEXT_SIZE], age[TEXT_DURATION_SIZE];

		utc_format(a->created_at, since);
		text_duration(utc_now() - a->created_at, age);
		fprintf(out, "%s to ECU %s, open since %s (%s), ", a->target, a->ecu, since, age);
		utc_format(a->in_flight_at, since);
		if (a->in_flight_at)
			fprintf(out, "in flight since %s, ", since);
		else
			fputs("not read yet, ", out);
		fprintf(out, "%s\n", a->correlation);
	}
	return r;
}

static int
print_last(struct core *core, const char *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct installation *list = NULL;
	size_t count;
	int r = state_installation_last(core->state, device, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct installation *one = &list[i];
		char at[UTC_TEXT_SIZE], took[TEXT_DURATION_SIZE];

		utc_format(one->finished_at, at);
		text_duration(one->finished_at - one->assigned_at, took);
		fprintf(out, "last: %s on ECU %s %s at %s after %s%s%s%s%s, %s\n", one->target, one->ecu,
		    one->result, at, took, one->code[0] ? ": " : "", one->code, one->text[0] ? ": " : "",
		    one->text, one->correlation);
	}
	return r;
}

int
assign_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	int r;

	if ((r = print_open(core, device->id, out, err)) < 0 ||
	    (r = schedule_print(core, device, out, err)) < 0 || (r = follow_print(core, device, out, err)) < 0)
		return r;
	return print_last(core, device->id, out, err);
}
