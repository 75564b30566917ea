#include "otafs/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/text.h"

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
	if ((r = state_device_add(core->state, id, utc_now(), err)) == 0)
		r = state_history_add(core->state, id, text, utc_now(), err);
	r = state_end(core->state, r, err);
	core_changed(core, "devices", id);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: there is such a device", id) : r;
}

int
device_remove(struct core *core, const struct device *device, const char *who, struct err *err)
{
	char text[128];
	int r;

	snprintf(text, sizeof(text), "device deleted by %s", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_device_remove(core->state, device->id, err)) == 0)
		r = state_history_add(core->state, device->id, text, utc_now(), err);
	core_changed(core, "devices", device->id);
	return state_end(core->state, r, err);
}

static int
note_certificate(struct core *core, const struct device *device, const char *serial, const char *what,
    const char *who, struct err *err)
{
	char text[256], parent[128];

	snprintf(text, sizeof(text), "certificate %s %s by %s", serial, what, who);
	snprintf(parent, sizeof(parent), "devices/%s", device->id);
	core_changed(core, parent, serial);
	return state_history_add(core->state, device->id, text, utc_now(), err);
}

int
device_certificate_add(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err)
{
	int r;

	if ((r = name_check_serial(serial, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_certificate_add(core->state, device->id, serial, utc_now(), err)) == 0)
		r = note_certificate(core, device, serial, "accepted", who, err);
	r = state_end(core->state, r, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: certificate %s is known", device->id, serial) : r;
}

int
device_certificate_remove(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_certificate_remove(core->state, device->id, serial, err)) == 0)
		r = note_certificate(core, device, serial, "revoked", who, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: no certificate %s", device->id, serial) : r;
}

static void
print_seen(const struct device *device, FILE *out)
{
	char seen[UTC_TEXT_SIZE];

	utc_format(device->seen_at, seen);
	fprintf(out, "last seen %s", device->seen_at ? seen : "never");
}

static const char *
runs(const struct ecu *ecus, size_t count, const char *serial)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(ecus[i].serial, serial) && ecus[i].installed[0])
			return ecus[i].installed;
	return "nothing known";
}

static void
print_open(const struct assignment *open, size_t open_count, const struct ecu *ecus, size_t count, FILE *out)
{
	for (size_t i = 0; i < open_count; i++)
		fprintf(out, "%s%s should run %s, runs %s", i ? "; " : "update pending: ", open[i].ecu,
		    open[i].target, runs(ecus, count, open[i].ecu));
}

/* The reason why an open update is not done yet, as far as the server can know it. */
static void
print_reason(const struct device *device, const struct assignment *open, FILE *out)
{
	char since[UTC_TEXT_SIZE];

	utc_format(open->created_at, since);
	if (device->seen_at < open->created_at)
		fprintf(out, " because the device was not heard of since the assignment of %s", since);
	else
		fprintf(out, " because the device has not reported the installation since the assignment of %s",
		    since);
}

int
device_print_status(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	size_t count, open_count;
	int r;

	if ((r = state_ecus(core->state, device->id, &ecus, &count, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &open, &open_count, err)) < 0)
		return r;
	fprintf(out, "%s: ", device->id);
	if (count == 0) {
		fputs("not registered: the device has not told its ECUs yet", out);
	} else if (open_count) {
		print_open(open, open_count, ecus, count, out);
		print_reason(device, open, out);
	} else {
		fputs("up to date:", out);
		for (size_t i = 0; i < count; i++)
			fprintf(out, "%s %s runs %s", i ? ";" : "", ecus[i].serial,
			    runs(ecus, count, ecus[i].serial));
		fputs(", nothing is assigned", out);
	}
	if (device->why[0] && open_count == 0)
		fprintf(out, "; %s", device->why);
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
device_print_why(const struct device *device, FILE *out)
{
	char when[UTC_TEXT_SIZE];

	utc_format(device->why_at, when);
	if (device->why[0])
		fprintf(out, "%s %s\n", when, device->why);
	return 0;
}

int
device_print_ecu(struct core *core, const struct device *device, const char *serial, FILE *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	size_t count;
	int r;

	if ((r = state_ecus(core->state, device->id, &ecus, &count, err)) < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		const struct ecu *ecu = &ecus[i];
		char since[UTC_TEXT_SIZE];

		if (strcmp(ecu->serial, serial))
			continue;
		utc_format(ecu->installed_at, since);
		fprintf(out,
		    "serial: %s\nhardware id: %s\nprimary: %s\nruns: %s\nsha256: %s\nsince: %s\nkey: %s\n",
		    ecu->serial, ecu->hardware, strcmp(ecu->serial, device->primary_ecu) ? "no" : "yes",
		    ecu->installed[0] ? ecu->installed : "nothing known", ecu->installed_sha256,
		    ecu->installed_at ? since : "", ecu->key);
		return 0;
	}
	return err_set(err, ENOENT, "no such ECU");
}
