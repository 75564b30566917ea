/* devices/ID/in/ and gate/: what devices hand in, and ota-gate's way to it. */
#include "otafs/enroll.h"
#include "otafs/introduce.h"
#include "otafs/manifest.h"
#include "otafs/names.h"
#include "otafs/report.h"
#include "otafs/rows.h"
#include "otafs/token.h"

static int
look_for_manifest(const struct node *node, void **work, struct err *err)
{
	return manifest_look(node->core, &node->device, work, err);
}

static int
prepare_manifest(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return manifest_prepare(node->core, &node->device, body, bytes, *work, reply, err);
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

/* ---- who may come: a device, or who has an enrolment token */

static int
exists_name(const struct node *node, struct err *err)
{
	struct device device;
	struct token token;
	int r = state_device(node->core->state, node->args[0], &device, err);

	return r == STATE_NONE ? token_find(node->core, node->args[0], &token, err) : r;
}

static int
exists_pair(const struct node *node, struct err *err)
{
	int64_t expires_at;
	int r = state_certificate(node->core->state, node->args[0], node->args[1], &expires_at, err);

	return r == STATE_NONE ? token_check_serial(node->core, node->args[0], node->args[1], err) : r;
}

static int
prepare_introduction(
    const struct node *node, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	return introduce_prepare(node->core, body, bytes, work, reply, err);
}

static int
commit_introduction(
    const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	(void)body;
	(void)bytes;
	return introduce_take(node->core, node->work, reply, err);
}

/* ---- the table */

/* clang-format off */
/* ota-gate's own way in: it knows the paths, and nobody else gets past the first folder. */
#define GATE_FOLDER(path, check) ROW(path, VIEW_FULL, NODE_FOLDER, 0710, GROUP_GATE, NEEDS_NOTHING, .exists = check)
#define TRANSACTION(name, committer, size, ...)                                                                            \
	/* What comes in here is the device's word, and its ECUs' keys: no change of the fleet that has an author. */             \
	ROW("devices/*/in/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_DEVICE,                          \
	    .flags = ROW_KEYS, .commit = committer, .room = size, __VA_ARGS__),                                                      \
	ROW("gate/*/*/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, SPEAKS,                 \
	    .commit = committer, .room = size, __VA_ARGS__)

#define REPORT(name, size)                                                                                              \
	TRANSACTION(name, commit_report, size, .prepare = prepare_report, .finish = report_finish)

static const struct row rows[] = {
	FOLDER("devices/*/in", VIEW_FULL, NEEDS_DEVICE),
	/* No device and no token can have that name. */
	ROW("gate/.introduce", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, NEEDS_NOTHING, .commit = commit_introduction,
	    .room = INTRODUCE_BYTES_MAX, .prepare = prepare_introduction, .finish = introduce_finish),
	GATE_FOLDER("gate", NULL),
	/* One for each of ota-gate's threads, with whatever name: writes to one inode wait for one another. */
	GATE_FOLDER("gate/.series", NULL),
	ROW("gate/.series/*", VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, NEEDS_NOTHING, .flags = ROW_SERIES,
	    .room = NODE_PATH_MAX + REPORT_BYTES_MAX),
	GATE_FOLDER("gate/*", exists_name),
	GATE_FOLDER("gate/*/*", exists_pair),
	TRANSACTION("manifest", commit_manifest, MANIFEST_BYTES_MAX, .look = look_for_manifest,
	    .prepare = prepare_manifest,
	    .finish = manifest_finish),
	TRANSACTION("ecus", commit_ecus, ENROLL_BYTES_MAX, .prepare = prepare_ecus, .finish = enroll_finish),
	TRANSACTION("events", commit_events, REPORT_EVENTS_BYTES_MAX, .prepare = prepare_events, .finish = report_finish),
	REPORT("system_info", REPORT_BYTES_MAX),
	REPORT("network", REPORT_NETWORK_BYTES_MAX),
	REPORT("installed", REPORT_BYTES_MAX),
	REPORT("config", REPORT_CONFIG_BYTES_MAX),
};
/* clang-format on */

const struct table tree_gate = TABLE(rows);
