#include "otafs/settle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "otafs/assign.h"
#include "otafs/outcome.h"

/** Free text of a device that is kept in the history. */
#define REPORT_TEXT_MAX 200

int
settle_tell(struct settling *s, struct happening about, struct err *err, const char *format, ...)
{
	char text[1024], shown[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	name_printable(text, shown, sizeof(shown));
	about.device = s->device->id;
	about.at = s->now;
	about.who = STATE_WHO_DEVICE;
	about.text = shown;
	s->is_changed = true;
	return state_happened(s->core->state, &about, err);
}

/* -- reports -- */

static enum outcome_result
kind_of(const struct told_result *result)
{
	return result->is_success      ? OUTCOME_SUCCESS
	       : result->is_cancelled  ? OUTCOME_CANCELLED
	       : result->is_unfinished ? OUTCOME_UNFINISHED
				       : OUTCOME_FAILURE;
}

/* Reports are repeated until an answer has come. Old clients say no correlation id: with that of the open
 * update what they report of another try at the same is another report. */
static int
make_digest(struct settling *s, struct err *err)
{
	AUTO(json_decref_p) json_t *all = json_array();
	AUTO(free_p) char *text = NULL;

	json_array_append(all, s->told->report);
	for (size_t i = 0; !s->told->report && i < s->told->count; i++)
		json_array_append(all, s->told->ecus[i].operation);
	if (json_array_size(all) == 0)
		return 0;
	if (!s->told->report && s->open_count)
		json_array_append_new(all, json_string(s->open[0].correlation));
	text = json_write(all);
	if (!text)
		return err_set(err, ENOMEM, "no memory for a report");
	digest_sha256_hex(text, strlen(text), s->digest);
	return 0;
}

static bool
is_new(const struct settling *s)
{
	return s->digest[0] && strcmp(s->digest, s->device->report_digest) != 0;
}

static bool
is_open(const struct settling *s, const char *correlation)
{
	for (size_t i = 0; i < s->open_count; i++)
		if (!strcmp(s->open[i].correlation, correlation))
			return true;
	return false;
}

/* Which update a report is of, if it is not the open one. */
static int
name_update(struct settling *s, const char **words, struct err *err)
{
	bool is_known = false;
	int r = 0;

	*words = "";
	if (is_open(s, s->told->correlation))
		return 0;
	if (s->told->correlation[0])
		r = state_installation_is_known(
		    s->core->state, s->device->id, s->told->correlation, &is_known, err);
	*words = !s->told->correlation[0] ? " (of no update that it names)"
		 : is_known               ? " (of an earlier update)"
					  : " (of an update that is not known here)";
	return r;
}

/* One line of history for a result, whole report or one ECU of it. */
static int
tell_result(
    struct settling *s, const char *ecu, const struct told_result *result, const char *words, struct err *err)
{
	const char *correlation = s->told->correlation;

	return settle_tell(s,
	    (struct happening){
		.what = "reported", .ecu = ecu, .correlation = correlation, .is_chatter = true },
	    err, "reported %s%.64s%s%s %.64s: %.*s%s%.127s%s", ecu ? "for ECU " : "", ecu ? ecu : "",
	    ecu ? " " : "", result->is_success ? "success" : "failure", *result->code ? result->code : "?",
	    REPORT_TEXT_MAX, result->text, *correlation ? ", " : "", correlation, words);
}

static int
tell_report(struct settling *s, struct err *err)
{
	struct told_result result;
	const char *words;
	int r;

	if (!told_result(s->told, &result))
		return 0;
	if ((r = name_update(s, &words, err)) < 0 || (r = tell_result(s, NULL, &result, words, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < s->ecu_count; i++)
		if (told_item(s->told, s->ecus[i].serial, &result))
			r = tell_result(s, s->ecus[i].serial, &result, "", err);
	return r;
}

static int
tell_operations(struct settling *s, struct err *err)
{
	struct told_result result;
	const char *file;
	int r = 0;

	for (size_t i = 0; r == 0 && !s->told->report && i < s->told->count; i++) {
		if (!s->told->ecus[i].operation)
			continue;
		told_operation(s->told->ecus[i].operation, &result, &file);
		r = tell_result(s, s->told->ecus[i].serial, &result, "", err);
	}
	return r;
}

/* -- open assignments -- */

/* The device's own words about an assignment that has ended: those of its ECU, else of the whole, if they speak
 * of that end. An ECU that says OK in an update that failed has not failed with "OK". */
static void
find_result(const struct settling *s, const struct assignment *a, bool is_installed, struct told_result *out)
{
	const struct told_ecu *told = told_of(s->told, a->ecu);
	const char *file = "";
	struct told_result one;

	*out = (struct told_result){ .code = "", .text = "" };
	if (s->told->report && strcmp(s->told->correlation, a->correlation) != 0)
		return;
	if (told_item(s->told, a->ecu, &one) && one.is_success == is_installed)
		*out = one;
	else if (told_result(s->told, &one) && one.is_success == is_installed)
		*out = one;
	if (s->told->report || !told || !told->operation)
		return;
	told_operation(told->operation, &one, &file);
	if (!strcmp(file, a->target) && one.is_success == is_installed)
		*out = one;
}

static void
find_facts(const struct settling *s, const struct assignment *a, struct outcome_facts *out)
{
	const struct told_ecu *told = settle_believed(s, a->ecu);
	struct told_result result;
	const char *file;

	*out = (struct outcome_facts){ .is_in_flight = a->in_flight_at > 0, .is_new = is_new(s) };
	if (told)
		out->runs = !strcmp(told->file, a->target) && !strcmp(told->sha256, a->sha256) ? OUTCOME_TARGET
											       : OUTCOME_OTHER;
	if (s->told->report) {
		if (strcmp(s->told->correlation, a->correlation) != 0)
			return;
		if (told_result(s->told, &result))
			out->update = kind_of(&result);
		if (told_item(s->told, a->ecu, &result))
			out->ecu = kind_of(&result);
	} else if (told && told->operation) {
		told_operation(told->operation, &result, &file);
		if (!strcmp(file, a->target))
			out->old = kind_of(&result);
	}
}

static struct happening
about(const char *what, const struct assignment *a)
{
	return (struct happening){
		.what = what, .ecu = a->ecu, .target = a->target, .correlation = a->correlation
	};
}

/* The failures of all ECUs stand together in the device's status. */
static void
add_failure(struct settling *s, const struct assignment *a, const char *how, const struct told_result *result)
{
	size_t n = strlen(s->failure);
	char text[1024];

	snprintf(text, sizeof(text), "%sthe update of ECU %s to %s %s: %.64s: %.*s", n ? "; " : "", a->ecu,
	    a->target, how, *result->code ? result->code : "?", REPORT_TEXT_MAX, result->text);
	name_printable(text, s->failure + n, sizeof(s->failure) - n);
}

static int
end_assignment(struct settling *s, struct assignment *a, enum outcome outcome, struct err *err)
{
	struct told_result result;
	const char *state = INSTALLATION_INSTALLED, *what = "installed";
	int r;

	find_result(s, a, outcome == OUTCOME_INSTALLED, &result);
	if (outcome == OUTCOME_FAILED) {
		state = INSTALLATION_FAILED, what = "failed";
		add_failure(s, a, "failed", &result);
	} else if (outcome == OUTCOME_ENDED) {
		state = INSTALLATION_CANCELLED, what = "cancelled";
		add_failure(s, a, "was cancelled by the device", &result);
	}
	if ((r = assign_finish(s->core, s->device->id, a, state, result.code, result.text, s->now, err)) < 0 ||
	    (r = settle_tell(
		 s, about(what, a), err, "%s %s on ECU %s, %s", what, a->target, a->ecu, a->correlation)) < 0)
		return r;
	a->target[0] = '\0';
	s->ended++;
	return 0;
}

/* It stays open: the next poll may tell better, and the device tries again. */
static int
tell_doubt(struct settling *s, const struct assignment *a, struct err *err)
{
	const struct told_ecu *told = told_of(s->told, a->ecu);
	char text[ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "%.*s is reported as installed on ECU %s, which runs %.*s: it stays open",
	    80, a->target, a->ecu, 80, told->file);
	if ((r = state_device_why(s->core->state, s->device->id, text, s->now, err)) < 0)
		return r;
	return settle_tell(s, about("doubted", a), err, "%s", text);
}

static int
end_assignments(struct settling *s, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->open_count; i++) {
		struct outcome_facts facts;
		enum outcome outcome;

		find_facts(s, &s->open[i], &facts);
		outcome = outcome_of(&facts);
		if (outcome == OUTCOME_DOUBTED)
			r = tell_doubt(s, &s->open[i], err);
		else if (outcome != OUTCOME_OPEN)
			r = end_assignment(s, &s->open[i], outcome, err);
	}
	if (r == 0 && s->failure[0])
		r = state_device_failure(s->core->state, s->device->id, s->failure, err);
	return r < 0 ? r : 0;
}

/* What the device should install is less now. */
static int
bump(struct settling *s, struct err *err)
{
	int r = state_device_bump(s->core->state, s->device->id, s->now, err);

	return r < 0 ? r : core_device_changed(s->core, s->device->id, err);
}

int
settle(struct settling *s, struct err *err)
{
	int r;

	if ((r = make_digest(s, err)) < 0 || (r = settle_ecus(s, err)) < 0)
		return r;
	if (is_new(s) && ((r = tell_report(s, err)) < 0 || (r = tell_operations(s, err)) < 0 ||
			     (r = state_device_report(s->core->state, s->device->id, s->digest, err)) < 0))
		return r;
	if ((r = end_assignments(s, err)) < 0)
		return r;
	return s->ended ? bump(s, err) : 0;
}
