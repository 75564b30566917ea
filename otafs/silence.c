#include "otafs/silence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/event.h"
#include "otafs/expiry.h"
#include "otafs/standing.h"

/* -- the rule -- */

/* What an event says of an update that is under way, and what keeps it there. */
static const struct {
	const char *type;
	int success; /* -1: either */
	const char *words, *cause;
} progress[] = {
	{ "EcuDownloadStarted", -1, "the device is downloading it",
	    "its download has begun and not ended: the way to the server is slow, or its disk is full" },
	{ "EcuDownloadCompleted", 0, "its download failed, which the device has not reported yet",
	    "its download failed, and the report of that has not come" },
	{ "EcuDownloadCompleted", -1, "the device has downloaded it and not yet installed it",
	    "it is downloaded and not installed: somebody in the vehicle, or a condition there, has to allow "
	    "it" },
	{ "EcuInstallationStarted", -1, "the device is installing it",
	    "its installation has begun and not ended: the ECU hangs, or was switched off" },
	{ "EcuInstallationApplied", -1, "the device has installed it and waits for a reboot",
	    "it is installed and waits for a reboot, or that came up with the old image" },
	{ "EcuInstallationCompleted", 0, "its installation failed, which the device has not reported yet",
	    "its installation failed, and the report of that has not come" },
	{ "EcuInstallationCompleted", -1, "the device has installed it and not yet reported so",
	    "the device says that it has installed it, and goes on reporting another image" },
	{ "DevicePaused", -1, "it was paused in the vehicle", "it was paused in the vehicle" },
	{ "DeviceResumed", -1, "it goes on after a pause", "it was to go on after a pause, and did not" },
};

#define PROGRESS (sizeof(progress) / sizeof(progress[0]))

/* PROGRESS: the event says nothing. */
static size_t
progress_of(const struct silence *facts)
{
	size_t i = 0;

	while (i < PROGRESS && (strcmp(progress[i].type, facts->event) != 0 ||
				   (progress[i].success >= 0 && progress[i].success != facts->success)))
		i++;
	return i;
}

/* It has read its targets, and not begun: something in them, or in the image repository, is not to its liking.
 */
static void
refusals(const struct silence *facts, FILE *out)
{
	fputs("it has read director/targets.json and not begun: it refuses what it read", out);
	if (facts->expired[0])
		fprintf(out, ", since it has expired (%s)", facts->expired);
	else if (facts->trap[0])
		fprintf(out,
		    ", or takes %s for installed, which it runs with other content: publish under another name",
		    facts->trap);
	else if (facts->unheard[0])
		fprintf(out, ", since its ECUs are not those that it registered (%s never reported)",
		    facts->unheard);
	else
		fputs(": its clock is wrong, its ECUs differ from those it registered, or it knows higher "
		      "versions of "
		      "an earlier server",
		    out);
}

void
silence_causes(const struct silence *facts, FILE *out)
{
	size_t i = progress_of(facts);

	if (facts->refused[0])
		fprintf(out, "its manifests are refused, so nobody hears what it runs: %s", facts->refused);
	else if (facts->absent[0])
		fprintf(out, "ECU %s is not in its manifests: the device does not reach it", facts->absent);
	else if (i < PROGRESS)
		fputs(progress[i].cause, out);
	else if (facts->is_read)
		refusals(facts, out);
	else
		fputs("it has not read director/targets.json: its check ends before that, at the director's "
		      "root, "
		      "which is of another server or has expired",
		    out);
}

/* -- what is known -- */

/* The last event and the update that it is about. */
struct last_event {
	char type[64], correlation[STATE_CORRELATION_MAX];
	int success;
};

static int
read_event(const char *body, void *context)
{
	AUTO(json_decref_p) json_t *json = NULL;
	struct last_event *last = context;
	struct event event;
	struct err err;

	if (json_read(body, strlen(body), "event", &json, &err) < 0)
		return 0;
	event_read(json, &event);
	snprintf(last->type, sizeof(last->type), "%s", event.type ? event.type : "");
	snprintf(
	    last->correlation, sizeof(last->correlation), "%s", event.correlation ? event.correlation : "");
	last->success = event.success;
	return 0;
}

/* What is odd about the ECUs of an update; "" where nothing is. */
struct odd {
	char unheard[NAME_ECU_MAX + 1], absent[NAME_ECU_MAX + 1], trap[NAME_TARGET_MAX + 1];
};

static void
look_at_ecu(const struct ecu *ecu, const struct assignment *open, struct odd *out)
{
	if (strcmp(open->ecu, ecu->serial) != 0)
		return;
	if (ecu->absent_at)
		strcpy(out->absent, ecu->serial);
	if (!strcmp(open->target, ecu->installed) && strcmp(open->sha256, ecu->installed_sha256) != 0)
		strcpy(out->trap, open->target);
}

static int
look_at_ecus(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    struct odd *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	size_t ecu_count;
	int r = state_ecus(core->state, device->id, &ecus, &ecu_count, err);

	for (size_t i = 0; r == 0 && i < ecu_count; i++) {
		if (!ecus[i].installed[0])
			strcpy(out->unheard, ecus[i].serial);
		for (size_t k = 0; k < count; k++)
			look_at_ecu(&ecus[i], &open[k], out);
	}
	return r;
}

/* A sentence about what has expired; the caller releases @problems, which holds it. */
static const char *
look_at_expiry(struct core *core, int64_t now, json_t *problems)
{
	AUTO(json_decref_p) json_t *warnings = json_array();
	struct err ignored;

	if (!core->expiry || expiry_tell(core, now, problems, warnings, &ignored) < 0 ||
	    json_array_size(problems) == 0)
		return "";
	return json_string_value(json_array_get(problems, 0));
}

const char *
silence_refusal(const struct device *device)
{
	size_t n = strlen(SILENCE_REFUSED);

	return strncmp(device->why, SILENCE_REFUSED, n) ? "" : device->why + n;
}

static int
print_causes(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    const struct last_event *last, int64_t now, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *problems = json_array();
	struct odd odd = { "", "", "" };
	struct silence facts = { .event = last->type,
		.success = last->success,
		.refused = silence_refusal(device),
		.unheard = odd.unheard,
		.absent = odd.absent,
		.trap = odd.trap };
	int r = look_at_ecus(core, device, open, count, &odd, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		facts.is_read |= open[i].in_flight_at > 0;
	facts.expired = look_at_expiry(core, now, problems);
	silence_causes(&facts, out);
	return 0;
}

/* Of an earlier update it says nothing. */
static int
read_last(
    struct core *core, const char *device, const char *correlation, struct last_event *out, struct err *err)
{
	int r;

	*out = (struct last_event){ .success = -1 };
	r = state_event_last(core->state, device, read_event, out, err);
	if (strcmp(out->correlation, correlation) != 0)
		*out = (struct last_event){ .success = -1 };
	return r < 0 ? r : 0;
}

/* -- told -- */

int
silence_print(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    FILE *out, struct err *err)
{
	struct last_event last;
	struct silence facts;
	char since[UTC_TEXT_SIZE];
	size_t i;
	int r = read_last(core, device->id, open->correlation, &last, err);

	if (r < 0)
		return r;
	utc_format(open->created_at, since);
	fprintf(out, " because it was assigned at %s and ", since);
	if (!strcmp(device->status, STANDING_UNRESPONSIVE)) {
		fprintf(out, "in %lld polls there was no sign of it: ", (long long)device->polls);
		return print_causes(core, device, open, count, &last, utc_now(), out, err);
	}
	facts = (struct silence){ .event = last.type, .success = last.success };
	i = progress_of(&facts);
	fputs(i < PROGRESS                          ? progress[i].words
	      : device->seen_at >= open->created_at ? "the device has not reported on it since then"
	      : open->in_flight_at                  ? "the device may have read of it and told nothing since"
						    : "the device was not heard of since then",
	    out);
	return 0;
}

bool
silence_is_due(const struct core *core, const struct device *device, int64_t polls)
{
	int64_t limit = core->config->unresponsive_polls;

	return limit > 0 && polls >= limit && strcmp(device->status, STANDING_UNRESPONSIVE) != 0;
}

bool
silence_is_over(const struct core *core, const struct device *device, int64_t polls)
{
	int64_t limit = core->config->unresponsive_polls;

	return (limit == 0 || polls < limit) && !strcmp(device->status, STANDING_UNRESPONSIVE);
}

static int
store_alarm(struct core *core, const struct device *device, const struct assignment *open, int64_t polls,
    const char *causes, int64_t now, struct err *err)
{
	char text[ERR_TEXT_MAX + 512], why[ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "no sign of %s in %lld polls: %s", open->target, (long long)polls, causes);
	name_printable(text, why, sizeof(why));
	if ((r = state_device_why(core->state, device->id, why, now, err)) < 0 ||
	    (r = state_happened(core->state,
		 &(struct happening){ .device = device->id,
		     .at = now,
		     .who = STATE_WHO_OTAFS,
		     .what = "unresponsive",
		     .text = why,
		     .ecu = open->ecu,
		     .target = open->target,
		     .correlation = open->correlation },
		 err)) < 0)
		return r;
	log_line(LOG_WARNING, "unresponsive device=%s target=%s polls=%lld reason=\"%s\"", device->id,
	    open->target, (long long)polls, causes);
	return 0;
}

int
silence_tell(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    int64_t polls, int64_t now, struct err *err)
{
	AUTO(free_p) char *causes = NULL;
	struct last_event last;
	size_t bytes;
	FILE *out;
	int r = read_last(core, device->id, open->correlation, &last, err);

	if (r < 0)
		return r;
	out = open_memstream(&causes, &bytes);
	if (!out)
		return err_set(err, ENOMEM, "no memory for an alarm");
	r = print_causes(core, device, open, count, &last, now, out, err);
	if (fclose(out) != 0 && r == 0)
		r = err_set(err, ENOMEM, "no memory for an alarm");
	return r < 0 ? r : store_alarm(core, device, open, polls, causes, now, err);
}

int
silence_end(struct core *core, const struct device *device, const char *correlation, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r;

	if (device->polls == 0)
		return 0;
	if ((r = state_assignments(core->state, device->id, &open, &count, err)) < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(open[i].correlation, correlation))
			return (r = state_polls(core->state, device->id, 0, err)) < 0
				   ? r
				   : standing_update(core, device->id, err);
	return 0;
}
