/* devices/ of both views, and gate/, ota-gate's way to their transactions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/counter.h"
#include "otafs/device.h"
#include "otafs/device_json.h"
#include "otafs/director.h"
#include "otafs/enroll.h"
#include "otafs/label.h"
#include "otafs/flight.h"
#include "otafs/manifest.h"
#include "otafs/names.h"
#include "otafs/past.h"
#include "otafs/report.h"
#include "otafs/rows.h"
#include "otafs/tag.h"
#include "otafs/trial.h"

/* ---- devices/ */

static int
page_devices(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	struct names_page page = { { each, context, S_IFDIR }, cursor, 0 };
	char after[NODE_CURSOR_MAX];

	memcpy(after, cursor, sizeof(after));
	return names_page_end(
	    &page, state_device_page(node->core->state, "", after, NAMES_PAGE, names_page_pass, &page, err));
}

static int
make_device(const struct node *node, const char *name, struct err *err)
{
	return device_add(node->core, name, node->who, err);
}

static int
remove_device(const struct node *node, struct err *err)
{
	return device_remove(node->core, &node->device, node->who, err);
}

static int
list_certificates(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFDIR };

	return state_certificates(node->core->state, node->args[0], names_pass, &names, err);
}

static int
make_certificate(const struct node *node, const char *name, struct err *err)
{
	return device_certificate_add(node->core, &node->device, name, node->who, err);
}

static int
remove_certificate(const struct node *node, struct err *err)
{
	return device_certificate_remove(node->core, &node->device, node->args[1], node->who, err);
}

static int
print_expires(const struct node *node, FILE *out, struct err *err)
{
	return device_print_certificate_expires(node->core, &node->device, node->args[1], out, err);
}

static int
write_expires(const struct node *node, const char *text, struct err *err)
{
	return device_certificate_expires(node->core, &node->device, node->args[1], text, node->who, err);
}

static int
print_status(const struct node *node, FILE *out, struct err *err)
{
	return device_print_status(node->core, &node->device, out, err);
}

static int
print_history(const struct node *node, FILE *out, struct err *err)
{
	return device_print_history(node->core, &node->device, out, err);
}

static int
print_log(const struct node *node, FILE *out, struct err *err)
{
	return device_print_log(node->core, &node->device, out, err);
}

static int
print_why(const struct node *node, FILE *out, struct err *err)
{
	(void)err;
	return device_print_why(&node->device, out);
}

static int
print_assign(const struct node *node, FILE *out, struct err *err)
{
	return assign_print(node->core, &node->device, out, err);
}

static int
write_assign(const struct node *node, const char *text, struct err *err)
{
	const struct assign_how how = { .who = node->who };

	return assign_do(node->core, &node->device, text, &how, err);
}

static int
print_json(const struct node *node, FILE *out, struct err *err)
{
	return device_json_print(node->core, &node->device, out, err);
}

static int
print_installations(const struct node *node, FILE *out, struct err *err)
{
	return past_print(node->core, &node->device, out, err);
}

static int
print_name(const struct node *node, FILE *out, struct err *err)
{
	(void)err;
	return label_print_name(&node->device, out);
}

static int
write_name(const struct node *node, const char *text, struct err *err)
{
	return label_write_name(node->core, &node->device, text, node->who, err);
}

static int
print_notes(const struct node *node, FILE *out, struct err *err)
{
	return label_print_notes(node->core, &node->device, out, err);
}

static int
write_notes(const struct node *node, const char *text, struct err *err)
{
	return label_write_notes(node->core, &node->device, text, node->who, err);
}

static int
print_tags(const struct node *node, FILE *out, struct err *err)
{
	return tag_print(node->core, &node->device, out, err);
}

static int
write_tags(const struct node *node, const char *text, struct err *err)
{
	return tag_write(node->core, &node->device, text, node->who, err);
}

static int
print_counter(const struct node *node, FILE *out, struct err *err)
{
	return counter_print(node->core, &node->device, out, err);
}

static int
write_counter(const struct node *node, const char *text, struct err *err)
{
	return counter_write(node->core, &node->device, text, node->who, err);
}

static int
print_trial(const struct node *node, FILE *out, struct err *err)
{
	(void)err;
	return trial_print(node->core, node->path, out);
}

static int
write_trial(const struct node *node, const char *text, struct err *err)
{
	struct assign_how how = { .who = node->who, .is_check = true };
	struct trial trial;
	int r = trial_open(node->core, node->path, node->who, text, &trial, err);

	if (r < 0)
		return r;
	how.told = trial.told;
	return trial_close(&trial, assign_do(node->core, &node->device, text, &how, err), err);
}

static int
list_ecus(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	size_t count;
	int r = state_ecus(node->core->state, node->args[0], &ecus, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = each(ecus[i].serial, S_IFREG, context);
	return r;
}

static int
print_ecu(const struct node *node, FILE *out, struct err *err)
{
	return device_print_ecu(node->core, &node->device, node->args[1], out, err);
}

static int
exists_ecu(const struct node *node, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *out = NULL;
	size_t bytes;

	out = open_memstream(&text, &bytes);
	return out ? print_ecu(node, out, err) : err_set(err, ENOMEM, "no memory");
}

/* The files that show what a device told, and the kinds they are stored under. */
static const char *
report_kind(const char *name)
{
	if (!strcmp(name, "hardware"))
		return "system_info";
	return strcmp(name, "packages") ? name : "installed";
}

static int
print_report(const struct node *node, FILE *out, struct err *err)
{
	return report_print(node->core, &node->device, report_kind(names_last(node)), out, err);
}

static int
stream_events(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return report_events_print(node->core, &node->device, cursor, out, err);
}

/* ---- devices/ID/in/ */

static int
prepare_manifest(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return manifest_prepare(node->core, &node->device, body, bytes, work, reply, err);
}

static int
commit_manifest(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return node->work ? manifest_take(node->core, &node->device, node->work, reply, err)
			  : manifest_commit(node->core, &node->device, body, bytes, reply, err);
}

static int
prepare_ecus(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	(void)node;
	return enroll_prepare(body, bytes, work, reply, err);
}

static int
commit_ecus(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return node->work ? enroll_take(node->core, &node->device, node->work, reply, err)
			  : enroll_commit(node->core, &node->device, body, bytes, reply, err);
}

static int
prepare_events(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	(void)node;
	return report_events_prepare(body, bytes, work, reply, err);
}

static int
commit_events(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return node->work ? report_events_take(node->core, &node->device, node->work, err)
			  : report_events_commit(node->core, &node->device, body, bytes, reply, err);
}

static int
prepare_report(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return report_prepare(names_last(node), body, bytes, work, reply, err);
}

static int
commit_report(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	const char *kind = names_last(node);

	return node->work ? report_take(node->core, &node->device, kind, body, bytes, node->work, err)
			  : report_commit(node->core, &node->device, kind, body, bytes, reply, err);
}

/* ---- director/ */

static int
exists_director(const struct node *node, struct err *err)
{
	int version = names_root_version(names_last(node));

	/* A device that is told that there is no next root reads targets with the keys of this one. */
	if (version > node->core->roots.count)
		core_look_for_root(node->core);
	if (names_role(names_last(node)) >= 0 || (version >= 0 && version <= node->core->roots.count))
		return 0;
	return err_set(err, ENOENT, "no such document");
}

static int
list_director(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	static const char *const names[] = { "root.json", "targets.json", "snapshot.json", "timestamp.json" };
	char root[32];
	int r = 0;

	(void)err;
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		r = each(names[i], S_IFREG, context);
	for (int i = 1; r == 0 && i <= node->core->roots.count; i++) {
		snprintf(root, sizeof(root), "%d.root.json", i);
		r = each(root, S_IFREG, context);
	}
	return r;
}

static int
print_director(const struct node *node, FILE *out, struct err *err)
{
	int role = names_role(names_last(node)), version = names_root_version(names_last(node)), r;
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	if (role < 0 && node->core->roots.count == 0)
		return err_set(err, EAGAIN, "the director's root is not known yet");
	if (role < 0)
		return fputs(node->core->roots.texts[(version ? version : node->core->roots.count) - 1], out) <
		       0;
	if ((r = director_document(node->core, &node->device, (enum role)role, &text, &bytes, err)) < 0)
		return r;
	fwrite(text, 1, bytes, out);
	return 0;
}

static int64_t
tag_director(const struct node *node)
{
	int version = names_root_version(names_last(node));
	struct err err;
	int64_t tag = 0;

	if (version >= 0)
		return version ? version : node->core->roots.count;
	return director_version(node->core, &node->device, &tag, &err) < 0 ? 0 : tag;
}

/* Devices read no other document of the director. */
static bool
is_noted_director(const struct node *node)
{
	return names_role(names_last(node)) == ROLE_TARGETS && flight_is_due(node->core, node->args[0]);
}

static int
note_director(const struct node *node, struct err *err)
{
	return flight_note(node->core, node->args[0], utc_now(), err);
}

/* ---- the table */

/* clang-format off */
/* ota-gate's own way in: it knows the paths, and nobody else gets past the first folder. */
#define GATE_FOLDER(path, need) ROW(path, VIEW_FULL, NODE_FOLDER, 0710, GROUP_GATE, need, .list = NULL)
#define CONTROL(path, printer, writer, size)                                                                            \
	ROW(path, VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, NEEDS_DEVICE, .print = printer,                \
	    .write = writer, .room = size)
#define TRANSACTION(name, committer, size, ...)                                                                            \
	ROW("devices/*/in/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_DEVICE,                          \
	    .commit = committer, .room = size, __VA_ARGS__),                                                                         \
	ROW("gate/*/*/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, SPEAKS,                 \
	    .commit = committer, .room = size, __VA_ARGS__)

#define REPORT(name, size)                                                                                              \
	TRANSACTION(name, commit_report, size, .prepare = prepare_report, .finish = report_finish)

static const struct row rows[] = {
	OPEN_FOLDER("devices", NEEDS_NOTHING, .page = page_devices, .make = make_device),
	FOLDER("devices/*", VIEW_FULL, NEEDS_DEVICE, .remove = remove_device),
	ROW("devices/*/assign", VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, NEEDS_DEVICE, .print = print_assign,
	    .write = write_assign, .room = ASSIGN_BYTES_MAX),
	ROW("devices/*/assign.check", VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, NEEDS_DEVICE, .print = print_trial,
	    .write = write_trial, .room = ASSIGN_BYTES_MAX),
	TEXT("devices/*/status", NEEDS_DEVICE, print_status),
	TEXT("devices/*/history", NEEDS_DEVICE, print_history, .flags = ROW_GROWS),
	TEXT("devices/*/log", NEEDS_DEVICE, print_log, .flags = ROW_GROWS),
	TEXT("devices/*/why", NEEDS_DEVICE, print_why),
	TEXT("devices/*/device.json", NEEDS_DEVICE, print_json),
	TEXT("devices/*/installations", NEEDS_DEVICE, print_installations),
	CONTROL("devices/*/counter", print_counter, write_counter, COUNTER_BYTES_MAX),
	CONTROL("devices/*/name", print_name, write_name, LABEL_NAME_BYTES_MAX),
	CONTROL("devices/*/notes", print_notes, write_notes, STATE_DEVICE_NOTES_MAX),
	CONTROL("devices/*/tags", print_tags, write_tags, TAG_BYTES_MAX),
	TEXT("devices/*/hardware", NEEDS_DEVICE, print_report),
	TEXT("devices/*/network", NEEDS_DEVICE, print_report),
	TEXT("devices/*/packages", NEEDS_DEVICE, print_report),
	TEXT("devices/*/config", NEEDS_DEVICE, print_report),
	ROW("devices/*/events", VIEW_FULL, NODE_STREAM, 0640, GROUP_ADMIN, NEEDS_DEVICE, .stream = stream_events),
	FOLDER("devices/*/ecus", VIEW_FULL, NEEDS_DEVICE, .list = list_ecus),
	TEXT("devices/*/ecus/*", NEEDS_DEVICE, print_ecu, .exists = exists_ecu),
	FOLDER("devices/*/director", VIEW_FULL, NEEDS_DEVICE, .list = list_director),
	TEXT("devices/*/director/*", NEEDS_DEVICE, print_director, .exists = exists_director),
	OPEN_FOLDER("devices/*/certificates", NEEDS_DEVICE, .list = list_certificates, .make = make_certificate),
	FOLDER("devices/*/certificates/*", VIEW_FULL, SPEAKS, .remove = remove_certificate),
	ROW("devices/*/certificates/*/expires", VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, SPEAKS, .flags = ROW_SHOWN,
	    .print = print_expires, .write = write_expires, .room = DEVICE_EXPIRES_MAX),
	FOLDER("devices/*/in", VIEW_FULL, NEEDS_DEVICE),
	GATE_FOLDER("gate", NEEDS_NOTHING),
	GATE_FOLDER("gate/*", NEEDS_DEVICE),
	GATE_FOLDER("gate/*/*", SPEAKS),
	TRANSACTION("manifest", commit_manifest, MANIFEST_BYTES_MAX, .prepare = prepare_manifest,
	    .finish = manifest_finish),
	TRANSACTION("ecus", commit_ecus, ENROLL_BYTES_MAX, .prepare = prepare_ecus, .finish = enroll_finish),
	TRANSACTION("events", commit_events, REPORT_EVENTS_BYTES_MAX, .prepare = prepare_events, .finish = report_finish),
	REPORT("system_info", REPORT_BYTES_MAX),
	REPORT("network", REPORT_NETWORK_BYTES_MAX),
	REPORT("installed", REPORT_BYTES_MAX),
	REPORT("config", REPORT_CONFIG_BYTES_MAX),

	/* The web server's view of a device is reached by its certificate only. */
	FOLDER("devices", VIEW_WWW, NEEDS_NOTHING),
	FOLDER("devices/*", VIEW_WWW, NEEDS_DEVICE),
	FOLDER("devices/*/*", VIEW_WWW, SPEAKS),
	FOLDER("devices/*/*/director", VIEW_WWW, SPEAKS, .list = list_director),
	ROW("devices/*/*/director/*", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, SPEAKS, .exists = exists_director,
	    .print = print_director, .tag = tag_director, .is_noted = is_noted_director, .note = note_director),
};
/* clang-format on */

const struct table tree_devices = TABLE(rows);
