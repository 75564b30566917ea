#include "otafs/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/expiry.h"
#include "otafs/package.h"
#include "otafs/relay.h"
#include "otafs/sources.h"
#include "otafs/standing.h"

/* clang-format off */
static const char readme[] =
    "otafs " STATUS_VERSION ": an OTA update server as a filesystem\n"
    "\n"
    "What is refused fails with an error; the last line of the file why has the reason in words.\n"
    "\n"
    "Devices\n"
    "  mkdir devices/ID               makes one; rmdir (not rm -r) deletes it and all below it\n"
    "  devices/ID/status              one line: what it should run, runs, and why they differ\n"
    "  devices/ID/assign              echo 'NAME VERSION [ECU]' > assign; also: at TIME ..., follow NAME, unfollow NAME,\n"
    "                                 cancel, cancel!; cat assign shows what is open, planned, and ended last\n"
    "  devices/ID/assign.check        the same, and does nothing: the error and cat assign.check say what would be\n"
    "  devices/ID/why                 why the last write to one of its files was refused, or why it does not update\n"
    "  devices/ID/installations       what became of each update, and how long it took\n"
    "  devices/ID/history             what happened to it; devices/ID/log is the same for programs\n"
    "  devices/ID/{name,notes,tags}   what people say about it: write to them; tags are lines NAME=VALUE\n"
    "  devices/ID/ecus/               its ECUs and what they run\n"
    "  devices/ID/device.json         all that is known about it, for programs\n"
    "  devices/ID/certificates/       mkdir SERIAL accepts a certificate, rmdir SERIAL revokes it\n"
    "  devices/ID/csr                 a transaction file: a certification request in, its certificate out\n"
    "  devices/ID/groups/             links to the groups that it is in\n"
    "  devices/ID/{hardware,network,packages,config,events}     what it told about itself\n"
    "  devices/ID/counter             echo reset > counter, when it was set back and its reports are refused\n"
    "  devices/ID/director/           the metadata that it gets, signed when it is read\n"
    "  devices/ID/in/                 transaction files: write a body, then read the answer\n"
    "\n"
    "Many devices\n"
    "  prefix/BEGINNING/              links to those whose ids begin so\n"
    "  query/text/RULE                those that a rule means: cat 'query/text/status is Error', see query/README\n"
    "  groups/NAME/                   mkdir; ln -s ../../devices/ID groups/NAME/; or a rule: echo RULE > rule\n"
    "  groups/NAME/assign             goes to all of them; receipts has a line for each\n"
    "  enroll/tokens/NAME/            mkdir; devices come in by it; rmdir revokes it\n"
    "  enroll/blocked/ID              rmdir lets a device that was deleted come in again\n"
    "  csv/{devices,tags}.csv         the fleet as tables; cp one there to make, name and tag devices\n"
    "  events/all                     what happened to all, one JSON object a line: tail -f events/all\n"
    "\n"
    "Packages\n"
    "  packages/NAME/VERSION/         what was published; rmdir takes a version out again\n"
    "  repo/  treehub/                the image repository and the OSTree repository that devices read\n"
    "  New ones come through the spool: copy an OSTree repository into %s/incoming/ and look at %s/status.\n"
    "\n"
    "The server\n"
    "  why                            the last 16 refusals: when, who, what, why\n"
    "  status/                        health.json, expiring (what is to be renewed, and how), metrics, version, gc, limits\n"
    "  keys/                          roles, key ids, thresholds, expiry dates\n"
    "  access/administrators/NAME     who comes through the admin listener, which is let in at as/: view, operate or keys\n"
    "  access/tokens/                 tokens that they made for programs; rm ends one\n";
/* clang-format on */

int
status_print_readme(struct core *core, FILE *out, struct err *err)
{
	(void)err;
	fprintf(out, readme, core->config->spool, core->config->spool);
	return 0;
}

int
status_print_why(struct core *core, const char *who, FILE *out, struct err *err)
{
	size_t first = core->refused > CORE_REFUSALS ? core->refused - CORE_REFUSALS : 0;

	(void)err;
	for (size_t i = first; i < core->refused; i++) {
		const struct refusal *refusal = &core->refusals[i % CORE_REFUSALS];
		char at[UTC_TEXT_SIZE];

		if (who && strcmp(who, refusal->who))
			continue;
		utc_format(refusal->at, at);
		fprintf(out, "%s %s %s: %s\n", at, refusal->who, refusal->path, refusal->text);
	}
	return 0;
}

int
status_print_report(struct core *core, const char *name, FILE *out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = image_report(core->image, name, &text, &bytes, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return fwrite(text, 1, bytes, out) == bytes ? 0 : err_set(err, ENOMEM, "no memory for %s", name);
}

static int
read_published(struct core *core, const char *name, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = image_read_file(core->image, name, &text, &bytes, err);

	if (r < 0)
		return r;
	return json_read(text, bytes, name, out, err);
}

/* " here", " elsewhere", " LOST" of key @id of a role, or "". */
static const char *
where_is(const json_t *role, const char *id)
{
	const json_t *key;
	size_t i;

	json_array_foreach(json_object_get(role, "keys"), i, key)
	{
		const char *where = json_text(key, "where");

		if (strcmp(json_text(key, "keyid") ?: "", id) != 0)
			continue;
		return !strcmp(where, "here") ? " here" : !strcmp(where, "lost") ? " LOST" : " elsewhere";
	}
	return "";
}

/* "targets    1 of 1 keys" and the key ids, and where they are if the signer says so in @where. */
static void
print_roles(const json_t *root, const json_t *where, FILE *out)
{
	const json_t *roles = json_object_get(root, "roles"), *id;

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const json_t *entry = json_object_get(roles, role_name(role)),
			     *ids = json_object_get(entry, "keyids");
		size_t i;

		fprintf(out, "%-10s %lld of %zu keys\n", role_name(role),
		    (long long)json_integer_value(json_object_get(entry, "threshold")), json_array_size(ids));
		json_array_foreach(ids, i, id) fprintf(out, "           %s%s\n", json_string_value(id),
		    where_is(json_object_get(where, role_name(role)), json_string_value(id)));
	}
}

static void
print_expiry(const char *name, const json_t *file, FILE *out)
{
	const json_t *body = json_object_get(file, "signed");

	if (body)
		fprintf(out, "%-10s version %lld expires %s\n", name,
		    (long long)json_integer_value(json_object_get(body, "version")),
		    json_text(body, "expires"));
}

static int
print_image_keys(struct core *core, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *keys = sources_keys(core->signer, REPOSITORY_IMAGE);

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		AUTO(json_decref_p) json_t *file = NULL;
		char name[32];
		int r;

		snprintf(name, sizeof(name), "%s.json", role_name(role));
		r = read_published(core, name, &file, err);
		if (r < 0)
			return r == -ENOENT ? fprintf(out, "nothing was published yet\n") < 0 : r;
		if (role == ROLE_ROOT)
			print_roles(json_object_get(file, "signed"), json_object_get(keys, "roles"), out);
		print_expiry(role_name(role), file, out);
	}
	return 0;
}

static int
print_director_keys(struct core *core, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *keys = NULL;
	const char *text;
	int r;

	if (core->roots.count == 0)
		return fprintf(out, "the root is not known yet: is ota-signd running?\n") < 0;
	text = core->roots.texts[core->roots.count - 1];
	if ((r = json_read(text, strlen(text), "root", &root, err)) < 0)
		return r;
	keys = sources_keys(core->signer, REPOSITORY_DIRECTOR);
	print_roles(json_object_get(root, "signed"), json_object_get(keys, "roles"), out);
	print_expiry("root", root, out);
	return 0;
}

int
status_print_keys(struct core *core, enum repository repository, FILE *out, struct err *err)
{
	return repository == REPOSITORY_IMAGE ? print_image_keys(core, out, err)
					      : print_director_keys(core, out, err);
}

/* The lines of report/limits that warn; of what expires expiry.h tells. */
static json_t *
read_warnings(struct core *core)
{
	AUTO(free_p) char *text = NULL;
	json_t *list = json_array();
	char *rest, *line, shown[ERR_TEXT_MAX];
	struct err err;
	size_t bytes;

	if (image_report(core->image, "limits", &text, &bytes, &err) < 0)
		return list;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		name_printable(line, shown, sizeof(shown));
		if (strstr(shown, "warning: ") && !strstr(shown, ": expires "))
			json_array_append_new(list, json_string(shown));
	}
	return list;
}

/* What is wrong now, as sentences. */
static json_t *
find_problems(struct core *core, const char *signer)
{
	json_t *list = json_array();
	const char *trouble = state_trouble(core->state);
	char text[ERR_TEXT_MAX + 64];
	struct err err;

	if (*signer || client_trouble(core->signer, &err) || client_trouble(core->issuer, &err)) {
		snprintf(text, sizeof(text), "nothing can be signed: %s", *signer ? signer : err.text);
		json_array_append_new(list, json_string(text));
	}
	if (trouble) {
		snprintf(
		    text, sizeof(text), "what devices and administrators change cannot be kept: %s", trouble);
		json_array_append_new(list, json_string(text));
	}
	if (core->roots.count == 0)
		json_array_append_new(
		    list, json_string("the director has no root yet: ota-sign init makes it"));
	return list;
}

/* How many devices have which status, by its name. */
static int
count_statuses(struct core *core, json_t *out, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < standing_name_count; i++) {
		int64_t devices;

		r = standing_count(core, standing_names[i], &devices, err);
		json_object_set_new(out, standing_names[i], json_integer(devices));
	}
	return r;
}

int
status_print_health(struct core *core, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(json_decref_p) json_t *warnings = NULL;
	AUTO(json_decref_p) json_t *problems = NULL;
	AUTO(json_decref_p) json_t *statuses = json_object();
	AUTO(free_p) char *root = NULL;
	struct state_counts counts = { 0 };
	struct err signer = { 0 };
	char started[UTC_TEXT_SIZE];
	size_t targets;
	int r;

	if ((r = state_count(core->state, utc_now(), &counts, err)) < 0 ||
	    (r = count_statuses(core, statuses, err)) < 0)
		return r;
	if (client_root(core->signer, REPOSITORY_DIRECTOR, 0, &root, NULL, &signer) == 0)
		signer.text[0] = '\0';
	image_targets(core->image, &targets);
	warnings = read_warnings(core);
	problems = find_problems(core, signer.text);
	if ((r = expiry_tell(core, utc_now(), problems, warnings, err)) < 0)
		return r;
	utc_format(core->started_at, started);
	json = json_pack("{s:b,s:O,s:s,s:s,s:I,s:I,s:I,s:O,s:I,s:I,s:I,s:I,s:O}", "healthy",
	    json_array_size(problems) == 0, "problems", problems, "signer",
	    signer.text[0] ? signer.text : "reachable", "started", started, "publication",
	    (json_int_t)image_number(core->image), "targets", (json_int_t)targets, "devices",
	    (json_int_t)counts.devices, "deviceStatuses", statuses, "ecus", (json_int_t)counts.ecus,
	    "openAssignments", (json_int_t)counts.assignments, "seenLastDay", (json_int_t)counts.seen_last_day,
	    "refused", (json_int_t)core->refused, "warnings", warnings);
	if (!json)
		return err_set(err, ENOMEM, "no memory for health");
	json_dumpf(json, out, JSON_INDENT(2));
	fputc('\n', out);
	return 0;
}

static void
print_gauge(FILE *out, const char *name, const char *help, int64_t value)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %lld\n", name, help, name, name, (long long)value);
}

static void
print_counters(struct core *core, FILE *out)
{
	static const char requests[] = "otafs_requests_total", changes[] = "otafs_database_changes_total";

	fprintf(out, "# HELP %s Requests of the kernel, by mount.\n# TYPE %s counter\n", requests, requests);
	requests_print(&core->full_requests, "full", out);
	requests_print(&core->www_requests, "www", out);
	fprintf(out, "# HELP %s Rows written.\n# TYPE %s counter\n%s %lld\n", changes, changes, changes,
	    (long long)state_changes(core->state));
}

static int
print_statuses(struct core *core, FILE *out, struct err *err)
{
	static const char name[] = "otafs_devices_by_status";
	int r = 0;

	fprintf(out, "# HELP %s Devices by their status, docs/STATES.md.\n# TYPE %s gauge\n", name, name);
	for (size_t i = 0; r == 0 && i < standing_name_count; i++) {
		int64_t devices;

		r = standing_count(core, standing_names[i], &devices, err);
		fprintf(out, "%s{status=\"%s\"} %lld\n", name, standing_names[i], (long long)devices);
	}
	return r;
}

int
status_print_metrics(struct core *core, FILE *out, struct err *err)
{
	struct state_counts counts = { 0 };
	int64_t deltas, bytes;
	size_t targets;
	int r = state_count(core->state, utc_now(), &counts, err);

	if (r < 0)
		return r;
	image_targets(core->image, &targets);
	print_gauge(out, "otafs_runs", "Processes that have served these mounts, one after the other.",
	    core->relay ? relay_run(core->relay) : 1);
	print_gauge(out, "otafs_devices", "Devices known.", counts.devices);
	if ((r = print_statuses(core, out, err)) < 0)
		return r;
	print_gauge(out, "otafs_ecus", "ECUs registered.", counts.ecus);
	print_gauge(
	    out, "otafs_assignments_open", "Assignments not yet reported as installed.", counts.assignments);
	print_gauge(
	    out, "otafs_devices_seen_last_day", "Devices heard of within 24 hours.", counts.seen_last_day);
	package_count_deltas(core, &deltas, &bytes);
	print_gauge(out, "otafs_deltas", "Static deltas.", deltas);
	print_gauge(out, "otafs_deltas_bytes", "Bytes of all static deltas.", bytes);
	print_gauge(out, "otafs_targets", "Targets in the image repository.", (int64_t)targets);
	print_gauge(out, "otafs_publication", "Number of the loaded publication.", image_number(core->image));
	print_counters(core, out);
	return expiry_print_metrics(core, utc_now(), out, err);
}
