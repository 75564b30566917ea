/* The top: README, why, keys/, status/, and what tells the web server that there is a mount. */
#include <errno.h>
#include <stdio.h>

#include "lib/utc.h"
#include "otafs/expiry.h"
#include "otafs/names.h"
#include "otafs/rows.h"
#include "otafs/status.h"

static int
print_readme(const struct node *node, FILE *out, struct err *err)
{
	return status_print_readme(node->core, out, err);
}

static int
print_refusals(const struct node *node, FILE *out, struct err *err)
{
	return status_print_why(node->core, node->access.is_there ? node->who : NULL, out, err);
}

static int
print_keys(const struct node *node, FILE *out, struct err *err)
{
	return status_print_keys(node->core, (enum repository)repository_of(names_last(node)), out, err);
}

static int
print_health(const struct node *node, FILE *out, struct err *err)
{
	return status_print_health(node->core, out, err);
}

static int
print_metrics(const struct node *node, FILE *out, struct err *err)
{
	return status_print_metrics(node->core, out, err);
}

static int
print_expiring(const struct node *node, FILE *out, struct err *err)
{
	return expiry_print(node->core, utc_now(), out, err);
}

static int
print_expiring_json(const struct node *node, FILE *out, struct err *err)
{
	return expiry_print_json(node->core, utc_now(), out, err);
}

static int
print_reported(const struct node *node, FILE *out, struct err *err)
{
	return status_print_report(node->core, names_last(node), out, err);
}

static int
print_version(const struct node *node, FILE *out, struct err *err)
{
	(void)node, (void)err;
	fprintf(out, "otafs %s\n", STATUS_VERSION);
	return 0;
}

/* While the disk with the repository is away, objects are no more missing than while the mount is. */
static int
exists_alive(const struct node *node, struct err *err)
{
	if (!node->core->is_alive)
		return err_set(err, ENOENT, "%s: not yet", node->path);
	if (!image_is_in_place(node->core->image))
		return err_set(err, ENOENT, "%s: the repository is away", node->path);
	return 0;
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	ROW("", BOTH, NODE_FOLDER, 0751, GROUP_ADMIN, NEEDS_NOTHING, .list = NULL),
	TEXT("README", NEEDS_NOTHING, print_readme),
	TEXT("why", NEEDS_NOTHING, print_refusals, .flags = ROW_OWN),

	FOLDER("keys", VIEW_FULL, NEEDS_NOTHING),
	TEXT("keys/image", NEEDS_NOTHING, print_keys),
	TEXT("keys/director", NEEDS_NOTHING, print_keys),
	FOLDER("status", VIEW_FULL, NEEDS_NOTHING),
	TEXT("status/health.json", NEEDS_NOTHING, print_health, .flags = ROW_ALL),
	TEXT("status/expiring", NEEDS_NOTHING, print_expiring),
	TEXT("status/expiring.json", NEEDS_NOTHING, print_expiring_json),
	TEXT("status/metrics", NEEDS_NOTHING, print_metrics, .flags = ROW_ALL),
	TEXT("status/version", NEEDS_NOTHING, print_version),
	TEXT("status/gc", NEEDS_NOTHING, print_reported),
	TEXT("status/limits", NEEDS_NOTHING, print_reported),

	/* For the web server to tell a missing file from a missing filesystem: never cached. */
	ROW("alive", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, NEEDS_NOTHING, .flags = ROW_ASKED, .exists = exists_alive,
	    .print = print_version),
};
/* clang-format on */

const struct table tree_top = TABLE(rows);
