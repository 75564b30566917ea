#include "tests/device/apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/device/manifest.h"
#include "tests/device/report.h"
#include "tests/device/target.h"

/** Longest list of the codes of all ECUs. */
#define CODES_MAX 1024

/* {SERIAL: {"name","target"}}: what @plan has for each ECU. NULL: no memory. */
static json_t *
steps_of(const struct ecus *ecus, json_t *plan)
{
	AUTO(json_decref_p) json_t *steps = json_object();
	const char *name;
	json_t *one;

	json_object_foreach(plan, name, one)
	{
		json_t *target = json_object_get(one, "target");

		for (size_t i = 0; i < ecus->count; i++) {
			const char *serial = ecus->ecu[i].serial;

			if (json_object_get(target_ecus(target), serial) &&
			    json_object_set_new(
				steps, serial, json_pack("{s:s,s:O}", "name", name, "target", target)) < 0)
				return NULL;
		}
	}
	return MOVE(steps);
}

static int
tell_all(struct device *device, const char *type, json_t *steps, const char *correlation, struct err *err)
{
	const char *serial;
	json_t *step;
	int r;

	json_object_foreach(steps, serial, step)
	{
		if ((r = report_event(device, type, serial, correlation, REPORT_NO_SUCCESS, err)) < 0)
			return r;
	}
	return report_flush(device, err);
}

/* -- how it went -- */

static const char *
code_of(const struct ecu *ecu)
{
	return ecu->is_failing ? "INSTALL_FAILED" : "OK";
}

static const char *
words_of(const struct ecu *ecu)
{
	return ecu->is_failing ? "Installing image failed" : "Installing image succeeded";
}

/* Adds the ECU's part to the report, and to what clients before it was invented said instead. */
static int
conclude_ecu(struct device *device, size_t i, const json_t *step, json_t *items, struct err *err)
{
	const struct ecu *ecu = &device->ecus.ecu[i];
	const char *name = json_text(step, "name");
	json_t *item =
	    json_pack("{s:s,s:o}", "ecu", ecu->serial, "result", manifest_result(code_of(ecu), words_of(ecu)));
	json_t *operation = json_pack(
	    "{s:s,s:i,s:s}", "id", name, "result_code", ecu->is_failing ? 19 : 0, "result_text", words_of(ecu));

	if (json_array_append_new(items, item) < 0 ||
	    json_object_set_new(store_section(device->store, "operations"), ecu->serial, operation) < 0)
		return err_set(err, ENOMEM, "installation report: no memory");
	printf("%s %s on %s\n", ecu->is_failing ? "failed" : "installed", name, ecu->serial);
	return ecu->is_failing ? 0
			       : manifest_set_installed(device, i, name, json_object_get(step, "target"), err);
}

/* "hw-a:INSTALL_FAILED|hw-b:INSTALL_FAILED" of those that failed; empty: none did. */
static void
list_codes(const struct ecus *ecus, json_t *steps, char codes[static CODES_MAX])
{
	size_t n = 0;

	codes[0] = '\0';
	for (size_t i = 0; i < ecus->count && n < CODES_MAX; i++)
		if (ecus->ecu[i].is_failing && json_object_get(steps, ecus->ecu[i].serial))
			n += (size_t)snprintf(codes + n, CODES_MAX - n, "%s%s:%s", n ? "|" : "",
			    ecus->ecu[i].hardware, code_of(&ecus->ecu[i]));
}

static int
tell_ends(struct device *device, json_t *steps, const char *correlation, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->ecus.count; i++) {
		const struct ecu *ecu = &device->ecus.ecu[i];

		if (json_object_get(steps, ecu->serial))
			r = report_event(device, "EcuInstallationCompleted", ecu->serial, correlation,
			    ecu->is_failing ? REPORT_FAILED : REPORT_SUCCEEDED, err);
	}
	return r < 0 ? r : report_flush(device, err);
}

/* What is installed and the report of it are saved together, so no event comes in between. */
static int
conclude(struct device *device, json_t *steps, const char *correlation, struct err *err)
{
	AUTO(json_decref_p) json_t *items = json_array();
	char codes[CODES_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < device->ecus.count; i++) {
		const json_t *step = json_object_get(steps, device->ecus.ecu[i].serial);

		if (step)
			r = conclude_ecu(device, i, step, items, err);
	}
	if (r < 0)
		return r;
	list_codes(&device->ecus, steps, codes);
	r = manifest_set_report(device, correlation, *codes ? codes : "OK",
	    *codes ? "Device has failed to install" : "Device has been successfully installed",
	    *codes ? "Installation failed" : "Installation succesful", MOVE(items), err);
	/* After a failure the server is listened to again. */
	if (r == 0 && *codes)
		r = store_forget_metadata(device->store, REPOSITORY_DIRECTOR, err);
	return r < 0 ? r : tell_ends(device, steps, correlation, err);
}

/* -- at once, or with a reboot -- */

static int
wait_for_reboot(struct device *device, json_t *steps, const char *correlation, struct err *err)
{
	json_t *pending = json_pack("{s:s,s:O}", "correlation", correlation, "steps", steps), *step;
	const char *serial;
	int r;

	if (!pending || json_object_set_new(store_state(device->store), "pending", pending) < 0)
		return err_set(err, ENOMEM, "no memory for what waits for a reboot");
	json_object_foreach(steps, serial, step)
	    printf("applied %s on %s, waits for a reboot\n", json_text(step, "name"), serial);
	if ((r = store_save(device->store, err)) < 0)
		return r;
	return tell_all(device, "EcuInstallationApplied", steps, correlation, err);
}

int
apply_plan(struct device *device, json_t *plan, const char *correlation, struct err *err)
{
	AUTO(json_decref_p) json_t *steps = steps_of(&device->ecus, plan);
	int r;

	if (!steps)
		return err_set(err, ENOMEM, "no memory for a plan");
	if ((r = tell_all(device, "EcuInstallationStarted", steps, correlation, err)) < 0)
		return r;
	return device->is_rebooting ? wait_for_reboot(device, steps, correlation, err)
				    : conclude(device, steps, correlation, err);
}

bool
apply_is_waiting(struct device *device)
{
	return json_object_get(store_state(device->store), "pending") != NULL;
}

int
apply_reboot(struct device *device, struct err *err)
{
	AUTO(json_decref_p)
	json_t *pending = json_incref(json_object_get(store_state(device->store), "pending"));
	int r;

	if (!pending)
		return err_set(err, ENODATA, "nothing waits for a reboot");
	json_object_del(store_state(device->store), "pending");
	r = conclude(device, json_object_get(pending, "steps"), json_text(pending, "correlation"), err);
	return r < 0 ? r : store_forget_metadata(device->store, REPOSITORY_DIRECTOR, err);
}
