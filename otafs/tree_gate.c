/* devices/ID/in/ and gate/: what devices hand in, and ota-gate's way to it. */
#include "otafs/enroll.h"
#include "otafs/manifest.h"
#include "otafs/names.h"
#include "otafs/report.h"
#include "otafs/rows.h"

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
commit_ecus(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return enroll_commit(node->core, &node->device, body, bytes, reply, err);
}

static int
commit_events(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return report_events_commit(node->core, &node->device, body, bytes, reply, err);
}

static int
commit_report(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return report_commit(node->core, &node->device, names_last(node), body, bytes, reply, err);
}

/* ---- the table */

/* clang-format off */
/* ota-gate's own way in: it knows the paths, and nobody else gets past the first folder. */
#define GATE_FOLDER(path, need) ROW(path, VIEW_FULL, NODE_FOLDER, 0710, GROUP_GATE, need, .list = NULL)
#define TRANSACTION(name, committer, size, ...)                                                                            \
	ROW("devices/*/in/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_DEVICE,                          \
	    .commit = committer, .room = size, __VA_ARGS__),                                                                         \
	ROW("gate/*/*/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, SPEAKS,                 \
	    .commit = committer, .room = size, __VA_ARGS__)

static const struct row rows[] = {
	FOLDER("devices/*/in", VIEW_FULL, NEEDS_DEVICE),
	GATE_FOLDER("gate", NEEDS_NOTHING),
	GATE_FOLDER("gate/*", NEEDS_DEVICE),
	GATE_FOLDER("gate/*/*", SPEAKS),
	TRANSACTION("manifest", commit_manifest, MANIFEST_BYTES_MAX, .prepare = prepare_manifest,
	    .finish = manifest_finish),
	TRANSACTION("ecus", commit_ecus, ENROLL_BYTES_MAX),
	TRANSACTION("system_info", commit_report, REPORT_BYTES_MAX),
	TRANSACTION("network", commit_report, REPORT_NETWORK_BYTES_MAX),
	TRANSACTION("installed", commit_report, REPORT_BYTES_MAX),
	TRANSACTION("config", commit_report, REPORT_CONFIG_BYTES_MAX),
	TRANSACTION("events", commit_events, REPORT_EVENTS_BYTES_MAX),
};
/* clang-format on */

const struct table tree_gate = TABLE(rows);
