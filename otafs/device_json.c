#include "otafs/device_json.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/device.h"
#include "otafs/group.h"
#include "otafs/director.h"
#include "otafs/report.h"
#include "state/follow.h"
#include "state/installation.h"
#include "state/schedule.h"
#include "state/tag.h"

static json_t *
time_json(int64_t at)
{
	char text[UTC_TEXT_SIZE];

	utc_format(at, text);
	return at ? json_string(text) : json_null();
}

/* What is not there is null. */
static json_t *
text_json(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static int
add_text(const char *text, void *list)
{
	json_array_append_new(list, json_string(text));
	return 0;
}

static json_t *
ecu_json(const struct core *core, const struct device *device, const struct ecu *ecu)
{
	const struct target *target = device_ecu_target(core, ecu);
	struct err err;
	json_t *key = NULL;

	if (json_read(ecu->key, strlen(ecu->key), ecu->serial, &key, &err) < 0)
		key = json_null();
	return json_pack("{s:s,s:s,s:b,s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o,s:o,s:o}}", "serial", ecu->serial,
	    "hardwareId", ecu->hardware, "primary", !strcmp(ecu->serial, device->primary_ecu), "publicKey", key,
	    "reportCounter", ecu->report_counter >= 0 ? json_integer(ecu->report_counter) : json_null(),
	    "attacksDetected", text_json(ecu->attacks), "absentSince", time_json(ecu->absent_at), "installed",
	    "file", text_json(ecu->installed), "sha256", text_json(ecu->installed_sha256), "package",
	    text_json(target ? target->package : NULL), "version", text_json(target ? target->version : NULL),
	    "since", time_json(ecu->installed_at));
}

static int
add_ecus(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	json_t *list = json_array();
	size_t count;
	int r = state_ecus(core->state, device->id, &ecus, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		json_array_append_new(list, ecu_json(core, device, &ecus[i]));
	json_object_set_new(out, "ecus", list);
	return r;
}

static json_t *
assignment_json(const struct core *core, const struct assignment *a)
{
	const struct target *target = image_target(core->image, a->target);

	return json_pack("{s:s,s:s,s:o,s:o,s:s,s:I,s:s,s:s,s:o,s:o}", "ecu", a->ecu, "file", a->target,
	    "package", text_json(target ? target->package : NULL), "version",
	    text_json(target ? target->version : NULL), "sha256", a->sha256, "length", (json_int_t)a->length,
	    "targetFormat", a->format, "correlationId", a->correlation, "assignedAt", time_json(a->created_at),
	    "inFlightAt", time_json(a->in_flight_at));
}

static int
add_assignments(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	json_t *list = json_array();
	size_t count;
	int r = state_assignments(core->state, device->id, &open, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		json_array_append_new(list, assignment_json(core, &open[i]));
	json_object_set_new(out, "assignments", list);
	return r;
}

static int
add_scheduled(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	struct schedule *list = NULL;
	json_t *scheduled = json_array();
	size_t count = 0;
	int r = state_schedules(core->state, device->id, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		json_array_append_new(
		    scheduled, json_pack("{s:o,s:s,s:s,s:s,s:o}", "at", time_json(list[i].at), "command",
				   list[i].text, "who", list[i].who, "correlationId", list[i].correlation,
				   "writtenAt", time_json(list[i].created_at)));
	state_schedules_free(list, count);
	json_object_set_new(out, "scheduled", scheduled);
	return r;
}

static int
add_followed(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) struct follow *list = NULL;
	json_t *followed = json_array();
	size_t count = 0;
	int r = state_follows(core->state, device->id, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		json_array_append_new(followed,
		    json_pack("{s:s,s:o,s:s,s:o}", "package", list[i].package, "ecu", text_json(list[i].ecu),
			"who", list[i].who, "since", time_json(list[i].created_at)));
	json_object_set_new(out, "followed", followed);
	return r;
}

static json_t *
installation_json(const struct installation *i)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "ecu", i->ecu, "file", i->target,
	    "sha256", i->sha256, "correlationId", i->correlation, "result", i->result, "code",
	    text_json(i->code), "text", text_json(i->text), "assignedAt", time_json(i->assigned_at),
	    "inFlightAt", time_json(i->in_flight_at), "finishedAt", time_json(i->finished_at));
}

static int
add_last_update(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) struct installation *last = NULL;
	json_t *list = json_array();
	size_t count;
	int r = state_installation_last(core->state, device->id, &last, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		json_array_append_new(list, installation_json(&last[i]));
	json_object_set_new(out, "lastUpdate", list);
	return r < 0 ? r : 0;
}

static int
add_tag(const char *tag, const char *value, void *tags)
{
	json_object_set_new(tags, tag, json_string(value));
	return 0;
}

/* When each expires is asked for after the list was read: a statement is used once at a time. */
static int
add_certificates(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(json_decref_p) json_t *serials = json_array();
	json_t *list = json_array(), *serial;
	int64_t expires_at;
	size_t i;
	int r = state_certificates(core->state, device->id, add_text, serials, err);

	json_array_foreach(serials, i, serial)
	{
		expires_at = 0;
		if (r == 0)
			r = state_certificate(
			    core->state, device->id, json_string_value(serial), &expires_at, err);
		json_array_append_new(
		    list, json_pack("{s:O,s:o}", "serial", serial, "expires", time_json(expires_at)));
	}
	json_object_set_new(out, "certificates", list);
	return r < 0 ? r : 0;
}

/* Under the name of the file that shows it. */
static int
add_told(const char *kind, const char *unused, int64_t received_at, void *told)
{
	(void)unused;
	json_object_set_new(told, report_file(kind), time_json(received_at));
	return 0;
}

/* Its network as it told it, small as that is, and when it told each kind. */
static int
add_reports(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) char *body = NULL;
	json_t *told = json_object(), *network = NULL;
	struct err ignored;
	int64_t received_at;
	size_t bytes;
	int r = state_report(core->state, device->id, "network", &body, &bytes, &received_at, err);

	if (r == 0 && json_read(body, bytes, "network", &network, &ignored) < 0)
		network = NULL;
	if (r >= 0)
		r = state_reports(core->state, device->id, add_told, told, err);
	json_object_set_new(out, "network", network ? network : json_null());
	json_object_set_new(out, "told", told);
	return r;
}

static int
add_labels(struct core *core, const struct device *device, json_t *out, struct err *err)
{
	AUTO(free_p) char *notes = NULL;
	json_t *tags = json_object(), *groups = json_array();
	int r = state_device_notes(core->state, device->id, &notes, err);

	json_object_set_new(out, "notes", text_json(notes));
	if (r == 0)
		r = state_tags(core->state, device->id, add_tag, tags, err);
	json_object_set_new(out, "tags", tags);
	if (r >= 0)
		r = group_each_of(core, device->id, add_text, groups, err);
	json_object_set_new(out, "groups", groups);
	return r < 0 ? r : 0;
}

static json_t *
device_json(const struct device *device, int64_t version)
{
	return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o,s:o}", "id", device->id, "name",
	    text_json(device->name), "status", device->status, "createdAt", time_json(device->created_at),
	    "activatedAt", time_json(device->activated_at), "lastSeen", time_json(device->seen_at), "changedAt",
	    time_json(device->changed_at), "directorVersion", (json_int_t)version, "polls",
	    (json_int_t)device->polls, "failure", text_json(device->failure), "why", text_json(device->why),
	    "whyAt", time_json(device->why[0] ? device->why_at : 0));
}

int
device_json_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	int64_t version;
	int r;

	if ((r = director_version(core, device, &version, err)) < 0)
		return r;
	json = device_json(device, version);
	if (!json)
		return err_set(err, ENOMEM, "%s: no memory for device.json", device->id);
	if ((r = add_labels(core, device, json, err)) < 0 || (r = add_ecus(core, device, json, err)) < 0 ||
	    (r = add_assignments(core, device, json, err)) < 0 ||
	    (r = add_scheduled(core, device, json, err)) < 0 ||
	    (r = add_followed(core, device, json, err)) < 0 ||
	    (r = add_last_update(core, device, json, err)) < 0 ||
	    (r = add_certificates(core, device, json, err)) < 0 ||
	    (r = add_reports(core, device, json, err)) < 0)
		return r;
	if (json_dumpf(json, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0)
		return err_set(err, ENOMEM, "%s: no memory for device.json", device->id);
	fputc('\n', out);
	return 0;
}
