/* devices/ of both views. Below devices/ID/, in/ is in tree_gate.c, director/ in tree_director.c, and groups/
 * in tree_groups.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/assign.h"
#include "otafs/blocked.h"
#include "otafs/counter.h"
#include "otafs/credential.h"
#include "otafs/device.h"
#include "otafs/device_json.h"
#include "otafs/label.h"
#include "otafs/moment.h"
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
	char path[NODE_PATH_MAX];
	struct err ignored;
	int r = 0;

	/* It unblocks the id, and a fleet's CA then lets the device in. */
	snprintf(path, sizeof(path), "enroll/blocked/%.*s", NAME_DEVICE_MAX, name);
	if (blocked_find(node->core, name, &ignored) == 0)
		r = access_may(&node->access, path, ACCESS_KEYS, err);
	if (r < 0)
		return r;
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
print_certificate(const struct node *node, FILE *out, struct err *err)
{
	return credential_print(node->core, node->args[0], node->args[1], out, err);
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
	return device_has_ecu(node->core, &node->device, node->args[1], err);
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

/* ---- devices of the www view: a link, so that all of it changes at once */

static int
link_generation(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)err;
	inode_id_link(&(struct inode_id){ .generation = node->core->generation }, out, room);
	return 0;
}

/* An older one is there for who has read the link a moment ago, and finds in it what there is now. */
static int
exists_generation(const struct node *node, struct err *err)
{
	char *end;
	unsigned long generation = strtoul(node->args[0], &end, 10);

	if (*end || generation == 0 || generation > node->core->generation)
		return err_set(err, ENOENT, "%s: no such generation", node->path);
	return 0;
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	OPEN_FOLDER("devices", NEEDS_NOTHING, .page = page_devices, .make = make_device),
	FOLDER("devices/*", VIEW_FULL, NEEDS_DEVICE, .remove = remove_device),
	CONTROL("devices/*/assign", NEEDS_DEVICE, print_assign, write_assign, ASSIGN_BYTES_MAX),
	CONTROL("devices/*/assign.check", NEEDS_DEVICE, print_trial, write_trial, ASSIGN_BYTES_MAX),
	TEXT("devices/*/status", NEEDS_DEVICE, print_status),
	TEXT("devices/*/history", NEEDS_DEVICE, print_history, .flags = ROW_GROWS),
	TEXT("devices/*/log", NEEDS_DEVICE, print_log, .flags = ROW_GROWS),
	TEXT("devices/*/why", NEEDS_DEVICE, print_why),
	TEXT("devices/*/device.json", NEEDS_DEVICE, print_json),
	TEXT("devices/*/installations", NEEDS_DEVICE, print_installations),
	CONTROL("devices/*/counter", NEEDS_DEVICE, print_counter, write_counter, COUNTER_BYTES_MAX),
	CONTROL("devices/*/name", NEEDS_DEVICE, print_name, write_name, LABEL_NAME_BYTES_MAX),
	CONTROL("devices/*/notes", NEEDS_DEVICE, print_notes, write_notes, STATE_DEVICE_NOTES_MAX),
	CONTROL("devices/*/tags", NEEDS_DEVICE, print_tags, write_tags, TAG_BYTES_MAX),
	TEXT("devices/*/hardware", NEEDS_DEVICE, print_report),
	TEXT("devices/*/network", NEEDS_DEVICE, print_report),
	TEXT("devices/*/packages", NEEDS_DEVICE, print_report),
	TEXT("devices/*/config", NEEDS_DEVICE, print_report),
	ROW("devices/*/events", VIEW_FULL, NODE_STREAM, 0640, GROUP_ADMIN, NEEDS_DEVICE, .stream = stream_events),
	FOLDER("devices/*/ecus", VIEW_FULL, NEEDS_DEVICE, .list = list_ecus),
	TEXT("devices/*/ecus/*", NEEDS_DEVICE, print_ecu, .exists = exists_ecu),
	OPEN_FOLDER("devices/*/certificates", NEEDS_DEVICE, .flags = ROW_KEYS, .list = list_certificates,
	    .make = make_certificate),
	FOLDER("devices/*/certificates/*", VIEW_FULL, SPEAKS, .flags = ROW_KEYS, .remove = remove_certificate),
	TEXT("devices/*/certificates/*/status", SPEAKS, print_certificate),
	CONTROL("devices/*/certificates/*/expires", SPEAKS, print_expires, write_expires, MOMENT_BYTES_MAX,
	    .flags = ROW_KEYS),

	/* The web server's view of a device is reached by its certificate only. */
	ROW("devices", VIEW_WWW, NODE_LINK, 0777, GROUP_ADMIN, NEEDS_NOTHING, .inode = INODE_LINK, .link = link_generation),
	FOLDER("generations", VIEW_WWW, NEEDS_NOTHING),
	FOLDER("generations/*", VIEW_WWW, NEEDS_NOTHING, .inode = INODE_DEVICES, .exists = exists_generation),
	FOLDER("devices/*", VIEW_WWW, NEEDS_DEVICE, .inode = INODE_DEVICE),
	FOLDER("devices/*/*", VIEW_WWW, SPEAKS, .inode = INODE_CERTIFICATE),
};
/* clang-format on */

const struct table tree_devices = TABLE(rows);
