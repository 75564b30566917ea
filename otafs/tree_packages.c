/* packages/: what can be assigned. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/package.h"
#include "otafs/retire.h"
#include "otafs/rows.h"

/* Targets are ordered by package, so a name is new when it differs from the one before. */
static int
list_packages(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	const struct target *targets;
	const char *last = NULL;
	size_t count;
	int r = 0;

	(void)err;
	targets = image_targets(node->core->image, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!target_is_shown(&targets[i]) || (last && !strcmp(last, targets[i].package)))
			continue;
		last = targets[i].package;
		r = each(last, S_IFDIR, context);
	}
	return r;
}

static int
list_versions(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	const struct target *targets;
	size_t count;
	int r = 0;

	(void)err;
	targets = image_targets(node->core->image, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!strcmp(targets[i].package, node->args[0]) && target_is_shown(&targets[i]))
			r = each(targets[i].version, S_IFDIR, context);
	return r;
}

static int
list_package_files(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	int r = 0;

	(void)node, (void)err;
	for (size_t i = 0; r == 0 && package_files[i]; i++)
		r = each(package_files[i], S_IFREG, context);
	return r;
}

static int
exists_package_file(const struct node *node, struct err *err)
{
	for (size_t i = 0; package_files[i]; i++)
		if (!strcmp(package_files[i], node->args[2]))
			return 0;
	return err_set(err, ENOENT, "no such file");
}

static int
print_package(const struct node *node, FILE *out, struct err *err)
{
	return package_print(node->core, node->target, node->args[2], out, err);
}

/* Apart, since a large file takes its seconds. */
static int
stream_sha512(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	(void)cursor;
	return package_print_sha512(node->core, node->args[0], node->args[1], out, err);
}

static int
print_retire(const struct node *node, FILE *out, struct err *err)
{
	return retire_print(node->core, node->target, out, err);
}

static int
write_retire(const struct node *node, const char *text, struct err *err)
{
	return retire_write(node->core, node->target, text, node->who, err);
}

static int
remove_target(const struct node *node, struct err *err)
{
	return retire_target(node->core, node->target, false, node->who, err);
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	FOLDER("packages", VIEW_FULL, NEEDS_NOTHING, .list = list_packages),
	OPEN_FOLDER("packages/*", NEEDS_PACKAGE, .list = list_versions),
	OPEN_FOLDER("packages/*/*", NEEDS_TARGET, .list = list_package_files, .remove = remove_target),
	CONTROL("packages/*/*/retire", NEEDS_TARGET, print_retire, write_retire, RETIRE_BYTES_MAX, .flags = ROW_SHOWN),
	STREAM("packages/*/*/sha512", NEEDS_TARGET, stream_sha512, .flags = ROW_SHOWN | ROW_APART),
	TEXT("packages/*/*/*", NEEDS_TARGET, print_package, .flags = ROW_SHOWN, .exists = exists_package_file),
};
/* clang-format on */

const struct table tree_packages = TABLE(rows);
