#include "otafs/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"
#include "lib/steady.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/director.h"
#include "otafs/enroll.h"
#include "otafs/expiry.h"
#include "otafs/manifest.h"
#include "otafs/package.h"
#include "otafs/report.h"
#include "otafs/retire.h"
#include "otafs/status.h"

/* The last part of a path. */
static const char *
name_of(const struct node *node)
{
	const char *slash = strrchr(node->path, '/');

	return slash ? slash + 1 : node->path;
}

/* Passes names on to a node_list_fn. */
struct names {
	node_list_fn each;
	void *context;
	mode_t mode;
};

static int
pass_name(const char *name, void *context)
{
	struct names *names = context;

	return names->each(name, names->mode, names->context);
}

/* ---- README, keys/, status/ */

static int
print_readme(const struct node *node, FILE *out, struct err *err)
{
	return status_print_readme(node->core, out, err);
}

static int
print_refusals(const struct node *node, FILE *out, struct err *err)
{
	return status_print_why(node->core, out, err);
}

static int
print_keys(const struct node *node, FILE *out, struct err *err)
{
	return status_print_keys(node->core, (enum repository)repository_of(name_of(node)), out, err);
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
	return status_print_report(node->core, name_of(node), out, err);
}

static int
print_version(const struct node *node, FILE *out, struct err *err)
{
	(void)node, (void)err;
	fprintf(out, "otafs %s\n", STATUS_VERSION);
	return 0;
}

/* ---- names of metadata */

/* The version in "7.root.json", 0 for "root.json", -1 for any other name. */
static int
root_version(const char *name)
{
	char *end;
	long version;

	if (!strcmp(name, "root.json"))
		return 0;
	if (*name < '1' || *name > '9')
		return -1;
	version = strtol(name, &end, 10);
	return !strcmp(end, ".root.json") && version < INT32_MAX ? (int)version : -1;
}

/* The role of "targets.json", "snapshot.json" or "timestamp.json", or -1. */
static int
document_role(const char *name)
{
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		size_t n = strlen(role_name(role));

		if (!strncmp(name, role_name(role), n) && !strcmp(name + n, ".json"))
			return (int)role;
	}
	return -1;
}

/* ---- treehub/: files on disk */

static bool
is_treehub_name(const char *path)
{
	static const char *const tops[] = { "config", "summary", "summary.sig", "refs", "objects", "deltas",
		"delta-indexes" };
	size_t n = strcspn(path, "/");

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		if (strlen(tops[i]) == n && !strncmp(tops[i], path, n))
			return true;
	return false;
}

static int
open_treehub(const struct node *node, struct err *err)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = -1;

	errno = ENOENT;
	if (is_treehub_name(node->args[0]))
		fd = (int)syscall(
		    SYS_openat2, image_ostree(node->core->image), node->args[0], &how, sizeof(how));
	return fd < 0 ? err_sys(err, "treehub/%s", node->args[0]) : fd;
}

static int
exists_treehub(const struct node *node, struct err *err)
{
	AUTO(close_p) int fd = open_treehub(node, err);

	return fd < 0 ? fd : 0;
}

static int64_t
tag_treehub(const struct node *node)
{
	struct err err;
	AUTO(close_p) int fd = open_treehub(node, &err);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	return (int64_t)(st.st_ino * 31 + (uint64_t)st.st_mtim.tv_sec * 1000003 + (uint64_t)st.st_mtim.tv_nsec);
}

static int
list_folder(DIR *dir, bool is_top, node_list_fn each, void *context)
{
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && (!is_top || is_treehub_name(entry->d_name)))
			r = each(entry->d_name, entry->d_type == DT_DIR ? S_IFDIR : S_IFREG, context);
	return r;
}

/* The top of treehub/ is a row of its own without args. */
static int
list_treehub(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	bool is_top = node->args[0] == NULL;
	AUTO(closedir_p) DIR *dir = NULL;
	int fd = is_top ? openat(image_ostree(node->core->image), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			: open_treehub(node, err);

	if (fd < 0)
		return is_top ? err_sys(err, "treehub") : fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, "treehub");
	}
	return list_folder(dir, is_top, each, context);
}

/* ---- repo/ of the full tree: what was published last, and the binary targets */

static int
open_repo(const struct node *node, struct err *err)
{
	return image_file(node->core->image, image_number(node->core->image), node->args[0], err);
}

static int
exists_repo(const struct node *node, struct err *err)
{
	AUTO(close_p) int fd = open_repo(node, err);

	return fd < 0 ? fd : 0;
}

/* The top of repo/ is a row of its own without args. */
static int
list_repo(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	int fd = image_file(
	    node->core->image, image_number(node->core->image), node->args[0] ? node->args[0] : ".", err);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, "%s", node->path);
	}
	return list_folder(dir, false, each, context);
}

/* A target's file name may have slashes in it: then the parts before the last are folders. */
static int
settle_binary(struct node *node, struct err *err)
{
	const char *name = node->args[0];
	const struct target *target = image_target(node->core->image, name);
	int fd;

	if (!target)
		return image_has_folder(node->core->image, name) ? 0 : err_set(err, ENOENT, "no such target");
	if (strcmp(target->format, "BINARY") != 0 || target->uri)
		return err_set(err, ENOENT, "%.128s: is not kept here", name);
	fd = image_binary(node->core->image, target->sha256, "", err);
	if (fd < 0)
		return fd;
	close(fd);
	node->target = target;
	snprintf(node->shared, sizeof(node->shared), "binaries/%s", target->sha256);
	return 0;
}

/* A folder of names has no folder on disk: it looks like that of the publication. */
static int
open_binary(const struct node *node, struct err *err)
{
	if (node->target)
		return image_binary(node->core->image, node->target->sha256, "", err);
	return image_file(node->core->image, image_number(node->core->image), ".", err);
}

static int
pass_file(const char *name, bool is_folder, void *context)
{
	struct names *names = context;

	return names->each(name, is_folder ? S_IFDIR : S_IFREG, names->context);
}

static int
list_binaries(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, 0 };
	char folder[NODE_PATH_MAX + 1] = "";

	(void)err;
	if (node->args[0])
		snprintf(folder, sizeof(folder), "%s/", node->args[0]);
	return image_list(node->core->image, folder, pass_file, &names);
}

/* What the www view's inodes of binary targets are read from; no folder leads there. */
static int
open_stored(const struct node *node, struct err *err)
{
	return image_binary(node->core->image, node->args[0], "", err);
}

/* ---- devices/CN/SERIAL/repo/ of the www view: the publication that the device is reading */

/*
 * A visit begins when there is no next root: timestamp.json then has to be of the set in which that was so, or
 * the device would meet signatures of a root that it has not seen. Without that, timestamp.json begins it.
 * Roots are those of the newest set, whatever the last visit read.
 */
static int64_t
choose_set(const struct node *node, const char *name)
{
	const struct core *core = node->core;
	const char *device = node->args[0], *serial = node->args[1];
	int64_t now = steady_seconds();

	if (root_version(name) >= 0)
		return image_number(core->image);
	return image_set(core->image, strcmp(name, "timestamp.json")
					  ? pins_get(&core->pins, device, serial, now)
					  : pins_begun(&core->pins, device, serial, now));
}

static void
pin_set(const struct node *node, const char *name, bool is_there)
{
	struct pins *pins = &node->core->pins;
	const char *device = node->args[0], *serial = node->args[1];
	int64_t now = steady_seconds();

	if (root_version(name) > 0 && !is_there)
		pins_begin(pins, device, serial, node->set, now);
	if (!strcmp(name, "timestamp.json") && is_there && !pins_begun(pins, device, serial, now))
		pins_set(pins, device, serial, node->set, now);
}

static int
settle_set(struct node *node, const char *name, struct err *err)
{
	int fd;

	node->set = choose_set(node, name);
	snprintf(node->shared, sizeof(node->shared), NODE_SETS "%lld/%s", (long long)node->set, name);
	fd = image_file(node->core->image, node->set, name, err);
	if (fd >= 0 || fd == -ENOENT)
		pin_set(node, name, fd >= 0);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int
settle_repo(struct node *node, struct err *err)
{
	const char *name = node->args[2];
	int version = root_version(name), r;

	if (version < 0 && document_role(name) < 0)
		return err_set(err, ENOENT, "no such document");
	r = settle_set(node, name, err);
	if (r < 0 || version <= 0)
		return r;
	/* A root of a number is the same in every set. */
	snprintf(node->shared, sizeof(node->shared), "roots/%s", name);
	node->is_fixed = true;
	return 0;
}

static int
settle_delegation(struct node *node, struct err *err)
{
	char name[NAME_TARGET_MAX + 16];

	if ((size_t)snprintf(name, sizeof(name), "delegations/%s", node->args[2]) >= sizeof(name))
		return err_set(err, ENAMETOOLONG, "name too long");
	return settle_set(node, name, err);
}

static int
open_set(const struct node *node, struct err *err)
{
	size_t above =
	    strlen("devices/") + strlen(node->args[0]) + 1 + strlen(node->args[1]) + strlen("/repo/");

	return image_file(node->core->image, node->set, node->path + above, err);
}

static int64_t
tag_set(const struct node *node)
{
	return node->is_fixed ? root_version(node->args[2]) : node->set;
}

/* ---- packages/ */

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

/* ---- devices/ */

static int
list_devices(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, S_IFDIR };

	return state_devices(node->core->state, pass_name, &names, err);
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

	return state_certificates(node->core->state, node->args[0], pass_name, &names, err);
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
	return device_certificate_expires(node->core, &node->device, node->args[1], text, err);
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
	return assign_write(node->core, &node->device, text, node->who, err);
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
	return report_print(node->core, &node->device, report_kind(name_of(node)), out, err);
}

static int
print_events(const struct node *node, FILE *out, struct err *err)
{
	return report_events_print(node->core, &node->device, out, err);
}

/* ---- devices/ID/in/ */

static int
commit_manifest(const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return manifest_commit(node->core, &node->device, body, bytes, reply, err);
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
	return report_commit(node->core, &node->device, name_of(node), body, bytes, reply, err);
}

/* ---- director/ */

static int
exists_director(const struct node *node, struct err *err)
{
	int version = root_version(name_of(node));

	/* A device that is told that there is no next root reads targets with the keys of this one. */
	if (version > node->core->roots.count)
		core_look_for_root(node->core);
	if (document_role(name_of(node)) >= 0 || (version >= 0 && version <= node->core->roots.count))
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
	int role = document_role(name_of(node)), version = root_version(name_of(node)), r;
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
	int version = root_version(name_of(node));
	struct err err;
	int64_t tag = 0;

	if (version >= 0)
		return version ? version : node->core->roots.count;
	return director_version(node->core, &node->device, &tag, &err) < 0 ? 0 : tag;
}

/* ---- the table */

#define BOTH (VIEW_FULL | VIEW_WWW)
#define SPEAKS (NEEDS_DEVICE | NEEDS_CERTIFICATE)

/* clang-format off */
#define ROW(path, view, what, permissions, who, need, ...)                                                              \
	{ .pattern = path, .views = view, .kind = what, .mode = permissions, .group = who, .needs = need, __VA_ARGS__ }
#define FOLDER(path, view, need, ...) ROW(path, view, NODE_FOLDER, 0750, GROUP_ADMIN, need, __VA_ARGS__)
/* A folder in which administrators make and delete. */
#define OPEN_FOLDER(path, need, ...) ROW(path, VIEW_FULL, NODE_FOLDER, 0770, GROUP_ADMIN, need, __VA_ARGS__)
/* What every user of the machine may read: nothing in it is about a device. */
#define PUBLIC_FOLDER(path, ...) ROW(path, BOTH, NODE_FOLDER, 0755, GROUP_ADMIN, NEEDS_NOTHING, __VA_ARGS__)
/* ota-gate's own way in: it knows the paths, and nobody else gets past the first folder. */
#define GATE_FOLDER(path, need) ROW(path, VIEW_FULL, NODE_FOLDER, 0710, GROUP_GATE, need, .list = NULL)
#define DISK(path, ...) ROW(path, BOTH, NODE_FILE, 0644, GROUP_ADMIN, NEEDS_NOTHING, __VA_ARGS__)
#define TEXT(path, need, printer, ...)                                                                                  \
	ROW(path, VIEW_FULL, NODE_TEXT, 0640, GROUP_ADMIN, need, .print = printer, __VA_ARGS__)
#define TRANSACTION(name, committer, size)                                                                              \
	ROW("devices/*/in/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_ADMIN, NEEDS_DEVICE,                          \
	    .commit = committer, .room = size),                                                                         \
	ROW("gate/*/*/" name, VIEW_FULL, NODE_TRANSACTION, 0660, GROUP_GATE, SPEAKS,                 \
	    .commit = committer, .room = size)

const struct row tree_rows[] = {
	ROW("", BOTH, NODE_FOLDER, 0751, GROUP_ADMIN, NEEDS_NOTHING, .list = NULL),
	TEXT("README", NEEDS_NOTHING, print_readme),
	TEXT("why", NEEDS_NOTHING, print_refusals),

	PUBLIC_FOLDER("treehub", .list = list_treehub),
	DISK("treehub/**", .exists = exists_treehub, .list = list_treehub, .open = open_treehub, .tag = tag_treehub),
	ROW("repo", VIEW_FULL, NODE_FOLDER, 0755, GROUP_ADMIN, NEEDS_NOTHING, .list = list_repo),
	ROW("repo", VIEW_WWW, NODE_FOLDER, 0755, GROUP_ADMIN, NEEDS_NOTHING, .list = NULL),
	PUBLIC_FOLDER("repo/targets", .list = list_binaries),
	DISK("repo/targets/**", .flags = ROW_ASKED | ROW_LARGE, .settle = settle_binary, .list = list_binaries,
	    .open = open_binary),
	ROW("binaries/*", VIEW_WWW, NODE_FILE, 0444, GROUP_ADMIN, NEEDS_NOTHING, .flags = ROW_LARGE, .open = open_stored),
	ROW("repo/**", VIEW_FULL, NODE_FILE, 0644, GROUP_ADMIN, NEEDS_NOTHING, .exists = exists_repo, .list = list_repo,
	    .open = open_repo),

	FOLDER("packages", VIEW_FULL, NEEDS_NOTHING, .list = list_packages),
	OPEN_FOLDER("packages/*", NEEDS_PACKAGE, .list = list_versions),
	OPEN_FOLDER("packages/*/*", NEEDS_TARGET, .list = list_package_files, .remove = remove_target),
	ROW("packages/*/*/retire", VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, NEEDS_TARGET, .flags = ROW_SHOWN,
	    .print = print_retire, .write = write_retire, .room = RETIRE_BYTES_MAX),
	TEXT("packages/*/*/*", NEEDS_TARGET, print_package, .flags = ROW_SHOWN, .exists = exists_package_file),

	OPEN_FOLDER("devices", NEEDS_NOTHING, .list = list_devices, .make = make_device),
	FOLDER("devices/*", VIEW_FULL, NEEDS_DEVICE, .remove = remove_device),
	ROW("devices/*/assign", VIEW_FULL, NODE_CONTROL, 0660, GROUP_ADMIN, NEEDS_DEVICE, .print = print_assign,
	    .write = write_assign, .room = ASSIGN_BYTES_MAX),
	TEXT("devices/*/status", NEEDS_DEVICE, print_status),
	TEXT("devices/*/history", NEEDS_DEVICE, print_history),
	TEXT("devices/*/why", NEEDS_DEVICE, print_why),
	TEXT("devices/*/hardware", NEEDS_DEVICE, print_report),
	TEXT("devices/*/network", NEEDS_DEVICE, print_report),
	TEXT("devices/*/packages", NEEDS_DEVICE, print_report),
	TEXT("devices/*/config", NEEDS_DEVICE, print_report),
	TEXT("devices/*/events", NEEDS_DEVICE, print_events),
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
	TRANSACTION("manifest", commit_manifest, MANIFEST_BYTES_MAX),
	TRANSACTION("ecus", commit_ecus, ENROLL_BYTES_MAX),
	TRANSACTION("system_info", commit_report, REPORT_BYTES_MAX),
	TRANSACTION("network", commit_report, REPORT_NETWORK_BYTES_MAX),
	TRANSACTION("installed", commit_report, REPORT_BYTES_MAX),
	TRANSACTION("config", commit_report, REPORT_CONFIG_BYTES_MAX),
	TRANSACTION("events", commit_events, REPORT_EVENTS_BYTES_MAX),

	/* For the web server to tell a missing file from a missing filesystem: never cached. */
	ROW("alive", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, NEEDS_NOTHING, .flags = ROW_ASKED, .print = print_version),
	/* The web server's view of a device is reached by its certificate only. */
	FOLDER("devices", VIEW_WWW, NEEDS_NOTHING),
	FOLDER("devices/*", VIEW_WWW, NEEDS_DEVICE),
	FOLDER("devices/*/*", VIEW_WWW, SPEAKS),
	FOLDER("devices/*/*/director", VIEW_WWW, SPEAKS, .list = list_director),
	ROW("devices/*/*/director/*", VIEW_WWW, NODE_TEXT, 0444, GROUP_ADMIN, SPEAKS, .exists = exists_director,
	    .print = print_director, .tag = tag_director),

	FOLDER("devices/*/*/repo", VIEW_WWW, SPEAKS),
	FOLDER("devices/*/*/repo/delegations", VIEW_WWW, SPEAKS),
	ROW("devices/*/*/repo/delegations/*", VIEW_WWW, NODE_FILE, 0444, GROUP_ADMIN, SPEAKS, .flags = ROW_ASKED,
	    .settle = settle_delegation, .open = open_set, .tag = tag_set),
	ROW("devices/*/*/repo/*", VIEW_WWW, NODE_FILE, 0444, GROUP_ADMIN, SPEAKS, .flags = ROW_ASKED, .settle = settle_repo,
	    .open = open_set, .tag = tag_set),

	FOLDER("keys", VIEW_FULL, NEEDS_NOTHING),
	TEXT("keys/image", NEEDS_NOTHING, print_keys),
	TEXT("keys/director", NEEDS_NOTHING, print_keys),
	FOLDER("status", VIEW_FULL, NEEDS_NOTHING),
	TEXT("status/health.json", NEEDS_NOTHING, print_health),
	TEXT("status/expiring", NEEDS_NOTHING, print_expiring),
	TEXT("status/expiring.json", NEEDS_NOTHING, print_expiring_json),
	TEXT("status/metrics", NEEDS_NOTHING, print_metrics),
	TEXT("status/version", NEEDS_NOTHING, print_version),
	TEXT("status/gc", NEEDS_NOTHING, print_reported),
	TEXT("status/limits", NEEDS_NOTHING, print_reported),
};
/* clang-format on */

const size_t tree_row_count = sizeof(tree_rows) / sizeof(tree_rows[0]);
