#include "otafs/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/silence.h"
#include "otafs/moment.h"
#include "otafs/past.h"
#include "otafs/text.h"
#include "state/blocked.h"
#include "state/revoked.h"
#include "state/schedule.h"

int
device_add(struct core *core, const char *id, const char *who, struct err *err)
{
	char text[128];
	int r;

	if ((r = name_check_device(id, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "device made by %s", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_device_add(core->state, id, utc_now(), err)) == 0 &&
	    (r = state_blocked_remove(core->state, id, err)) >= 0)
		r = core_tell(core, id, who, "made", text, err);
	r = state_end(core->state, r, err);
	core_device_named(core, id);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: there is such a device", id) : r;
}

int
device_remove(struct core *core, const struct device *device, const char *who, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	char text[512];
	size_t count;
	int r;

	if ((r = state_assignments(core->state, device->id, &open, &count, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "device deleted by %s%s%s", who, count ? ", with an open update: " : "",
	    count ? open[0].correlation : "");
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_device_remove(core->state, device->id, err)) == 0 &&
	    (r = state_blocked_add(core->state, device->id, who, utc_now(), err)) >= 0)
		r = core_tell(core, device->id, who, "deleted", text, err);
	core_device_named(core, device->id);
	return state_end(core->state, r, err);
}

static int
note_certificate(struct core *core, const struct device *device, const char *serial, const char *done,
    const char *who, struct err *err)
{
	char text[256], what[32];

	snprintf(text, sizeof(text), "certificate %s %s by %s", serial, done, who);
	snprintf(what, sizeof(what), "certificate_%s", done);
	core_certificate_changed(core, device->id, serial);
	return core_tell(core, device->id, who, what, text, err);
}

int
device_certificate_add(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err)
{
	int r;

	if ((r = name_check_serial(serial, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_certificate_add(core->state, device->id, serial, utc_now(), err)) == 0 &&
	    (r = state_revoked_remove(core->state, device->id, serial, err)) >= 0)
		r = note_certificate(core, device, serial, "accepted", who, err);
	r = state_end(core->state, r, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: certificate %s is known", device->id, serial) : r;
}

/* What is to end since a newer one is in use does not, when that one is gone. */
static int
keep_older(struct core *core, const struct device *device, const char *who, struct err *err)
{
	int r = state_certificates_stay(core->state, device->id, err);

	if (r)
		return r < 0 ? r : 0;
	return core_tell(core, device->id, who, "certificate_stays",
	    "what was to end stays: the certificate that had taken its place is gone", err);
}

int
device_certificate_remove(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_certificate_remove(core->state, device->id, serial, err)) == 0 &&
	    (r = state_revoked_add(core->state, device->id, serial, who, utc_now(), err)) == 0 &&
	    (r = note_certificate(core, device, serial, "revoked", who, err)) == 0)
		r = keep_older(core, device, who, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: no certificate %s", device->id, serial) : r;
}

/* Nothing is told of the same time again, which a script may write each day. */
static int
note_expires(struct core *core, const struct device *device, const char *serial, int64_t expires_at,
    const char *who, struct err *err)
{
	char text[256], time[UTC_TEXT_SIZE];
	int64_t was = 0;
	int r = state_certificate(core->state, device->id, serial, &was, err);

	if (r || was == expires_at)
		return r;
	utc_format(expires_at, time);
	snprintf(text, sizeof(text), "certificate %s expires at %s, says %s", serial, time, who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_certificate_expires(core->state, device->id, serial, expires_at, err)) == 0)
		r = core_tell(core, device->id, who, "certificate_expires", text, err);
	return state_end(core->state, r, err);
}

int
device_certificate_expires(struct core *core, const struct device *device, const char *serial, const char *text,
    const char *who, struct err *err)
{
	int64_t expires_at;
	int r;

	if (moment_parse(text, &expires_at) < 0)
		return err_set(err, EINVAL,
		    "\"%.*s\" is no time: 2046-11-22T08:00:00Z, 2046-11-22, or what openssl x509 says",
		    (int)strcspn(text, "\n"), text);
	r = note_expires(core, device, serial, expires_at, who, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: no certificate %s", device->id, serial) : r;
}

int
device_print_certificate_expires(
    struct core *core, const struct device *device, const char *serial, FILE *out, struct err *err)
{
	int64_t expires_at = 0;
	char text[UTC_TEXT_SIZE];
	int r = state_certificate(core->state, device->id, serial, &expires_at, err);

	if (r)
		return r < 0 ? r : err_set(err, ENOENT, "%s: no certificate %s", device->id, serial);
	utc_format(expires_at, text);
	fprintf(out, "%s\n", expires_at ? text : "not known");
	return 0;
}

static void
print_seen(const struct device *device, FILE *out)
{
	char seen[UTC_TEXT_SIZE];

	utc_format(device->seen_at, seen);
	fprintf(out, "last seen %s", device->seen_at ? seen : "never");
}

const struct target *
device_ecu_target(const struct core *core, const struct ecu *ecu)
{
	const struct target *targets;
	size_t count;

	targets = image_targets(core->image, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(targets[i].file, ecu->installed) ||
		    !strcmp(targets[i].sha256, ecu->installed_sha256))
			return &targets[i];
	return NULL;
}

static const char *
runs(const struct core *core, const struct ecu *ecu)
{
	const struct target *target = device_ecu_target(core, ecu);

	return target ? target->file : ecu->installed[0] ? ecu->installed : "nothing known";
}

static void
print_open(const struct core *core, const struct assignment *open, size_t open_count, const struct ecu *ecus,
    size_t count, FILE *out)
{
	for (size_t i = 0; i < open_count; i++) {
		fprintf(out, "%s%s should run %s", i ? "; " : "", open[i].ecu, open[i].target);
		for (size_t k = 0; k < count; k++)
			if (!strcmp(ecus[k].serial, open[i].ecu))
				fprintf(out, ", runs %s", runs(core, &ecus[k]));
	}
}

/* Nothing is open: what the ECUs run, and how the last update went. */
static void
print_idle(
    const struct core *core, const struct device *device, const struct ecu *ecus, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s runs %s%s", i ? "; " : "", ecus[i].serial, runs(core, &ecus[i]),
		    !ecus[i].installed[0] || device_ecu_target(core, &ecus[i]) ? "" : " (no package here)");
	fputs(", nothing is assigned", out);
	if (device->failure[0])
		fprintf(out, "; %s", device->failure);
}

/* The next of what begins later; it may be late, behind what is open. */
static int
print_scheduled(struct core *core, const char *device, FILE *out, struct err *err)
{
	struct schedule *list;
	size_t count;
	char at[UTC_TEXT_SIZE];
	int r = state_schedules(core->state, device, &list, &count, err);

	if (r < 0)
		return r;
	if (count) {
		utc_format(list[0].at, at);
		fprintf(out, "; an update is scheduled for %s", at);
	}
	state_schedules_free(list, count);
	return 0;
}

static int
print_words(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	size_t count, open_count;
	int r;

	if ((r = state_ecus(core->state, device->id, &ecus, &count, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &open, &open_count, err)) < 0)
		return r;
	if (count == 0) {
		fputs("the device has not told its ECUs yet", out);
	} else if (open_count) {
		print_open(core, open, open_count, ecus, count, out);
		if ((r = silence_print(core, device, open, open_count, out, err)) < 0)
			return r;
	} else {
		print_idle(core, device, ecus, count, out);
	}
	return print_scheduled(core, device->id, out, err);
}

int
device_print_status(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	int r;

	fprintf(out, "%s: %s: ", device->id, device->status);
	if ((r = print_words(core, device, out, err)) < 0)
		return r;
	fputs("; ", out);
	print_seen(device, out);
	fputc('\n', out);
	return 0;
}

int
device_print_history(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	return state_history(core->state, device->id, text_line, out, err);
}

int
device_print_log(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	return state_history_json(core->state, device->id, text_line, out, err);
}

int
device_print_why(const struct device *device, FILE *out)
{
	char when[UTC_TEXT_SIZE];

	utc_format(device->why_at, when);
	if (device->why[0])
		fprintf(out, "%s %s\n", when, device->why);
	return 0;
}

static void
print_ecu(const struct device *device, const struct ecu *ecu, FILE *out)
{
	char since[UTC_TEXT_SIZE];

	utc_format(ecu->installed_at, since);
	fprintf(out, "serial: %s\nhardware id: %s\nprimary: %s\nruns: %s\nsha256: %s\nsince: %s\nkey: %s\n",
	    ecu->serial, ecu->hardware, strcmp(ecu->serial, device->primary_ecu) ? "no" : "yes",
	    ecu->installed[0] ? ecu->installed : "nothing known", ecu->installed_sha256,
	    ecu->installed_at ? since : "", ecu->key);
	if (ecu->attacks[0])
		fprintf(out, "attacks detected: %s\n", ecu->attacks);
	utc_format(ecu->absent_at, since);
	if (ecu->absent_at)
		fprintf(out, "not in manifests since: %s\n", since);
}

static int
find_ecu(struct core *core, const struct device *device, const char *serial, struct ecu *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	size_t count;
	int r = state_ecus(core->state, device->id, &ecus, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(ecus[i].serial, serial)) {
			*out = ecus[i];
			return 0;
		}
	return err_set(err, ENOENT, "no such ECU");
}

int
device_has_ecu(struct core *core, const struct device *device, const char *serial, struct err *err)
{
	struct ecu ecu;

	return find_ecu(core, device, serial, &ecu, err);
}

int
device_print_ecu(struct core *core, const struct device *device, const char *serial, FILE *out, struct err *err)
{
	struct ecu ecu;
	int r = find_ecu(core, device, serial, &ecu, err);

	if (r < 0)
		return r;
	print_ecu(device, &ecu, out);
	return past_print_ecu(core, device, serial, "installation: ", out, err);
}
