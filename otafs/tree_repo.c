/* What was published: treehub/, repo/, and the repo/ of each device in the www view. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/steady.h"
#include "otafs/names.h"
#include "otafs/rows.h"

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

/* Objects and deltas are large, many and never changed: whoever reads the www view is led to the files
 * themselves, past otafs. */
static int
link_disk(const struct node *node, char *out, size_t room, struct err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "ostree/%s", names_last(node));
	return image_path(node->core->image, name, out, room, err);
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

/* The links are rows, and so listed already. */
static int
pass_unlinked(const char *name, mode_t mode, void *context)
{
	struct names *names = context;

	return strcmp(name, "objects") && strcmp(name, "deltas") ? names->each(name, mode, names->context) : 0;
}

static int
list_treehub_www(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, 0 };

	return list_treehub(node, pass_unlinked, &names, err);
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

	if (!target)
		return image_has_folder(node->core->image, name) ? 0 : err_set(err, ENOENT, "no such target");
	if (strcmp(target->format, "BINARY") != 0 || target->uri)
		return err_set(err, ENOENT, "%.128s: is not kept here", name);
	node->target = target;
	return 0;
}

/* In the www view it leads to the bytes; names of the same bytes share the link. */
static int
settle_link(struct node *node, struct err *err)
{
	char path[NODE_PATH_MAX];
	int r = settle_binary(node, err);

	if (r < 0 || !node->target)
		return r;
	r = image_binary_path(node->core->image, node->target->sha256, path, sizeof(path), err);
	if (r < 0)
		return r;
	node->is_link = true;
	snprintf(node->shared, sizeof(node->shared), "links/%s", node->target->sha256);
	return 0;
}

static int
link_binary(const struct node *node, char *out, size_t room, struct err *err)
{
	return image_binary_path(node->core->image, node->target->sha256, out, room, err);
}

/* A folder of names has no folder on disk: it looks like that of the publication. */
static int
open_binary(const struct node *node, struct err *err)
{
	if (node->target)
		return image_binary(node->core->image, node->target->sha256, err);
	return image_file(node->core->image, image_number(node->core->image), ".", err);
}

static int
pass_file(const char *name, bool is_folder, void *context)
{
	struct names *names = context;

	return names->each(name, is_folder ? S_IFDIR : names->mode, names->context);
}

static int
list_binaries(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	struct names names = { each, context, node->row->views == VIEW_WWW ? S_IFLNK : S_IFREG };
	char folder[NODE_PATH_MAX + 1] = "";

	(void)err;
	if (node->args[0])
		snprintf(folder, sizeof(folder), "%s/", node->args[0]);
	return image_list(node->core->image, folder, pass_file, &names);
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

	if (names_root_version(name) >= 0)
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

	if (names_root_version(name) > 0 && !is_there)
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
	int version = names_root_version(name), r;

	if (version < 0 && names_role(name) < 0)
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
	return node->is_fixed ? names_root_version(node->args[2]) : node->set;
}

/* ---- the ways from a device to what all share; below the device, so that they end with its certificate */

static int
settle_shared(struct node *node, struct err *err)
{
	(void)err;
	snprintf(node->shared, sizeof(node->shared), "links/%s", names_last(node));
	return 0;
}

static int
link_treehub(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)node, (void)err;
	snprintf(out, room, "../../../../treehub");
	return 0;
}

static int
link_targets(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)node, (void)err;
	snprintf(out, room, "../../../../../repo/targets");
	return 0;
}

/* ---- the table */

/* clang-format off */
/* What every user of the machine may read: nothing in it is about a device. */
#define PUBLIC(path, view, ...) ROW(path, view, NODE_FOLDER, 0755, GROUP_ADMIN, NEEDS_NOTHING, __VA_ARGS__)
#define ON_DISK(path, view, ...) ROW(path, view, NODE_FILE, 0644, GROUP_ADMIN, NEEDS_NOTHING, __VA_ARGS__)
#define SHARED(path, ...) ROW(path, VIEW_WWW, NODE_LINK, 0777, GROUP_ADMIN, SPEAKS, .settle = settle_shared, __VA_ARGS__)

static const struct row rows[] = {
	PUBLIC("treehub", VIEW_FULL, .list = list_treehub),
	PUBLIC("treehub", VIEW_WWW, .list = list_treehub_www),
	ROW("treehub/objects", VIEW_WWW, NODE_LINK, 0777, GROUP_ADMIN, NEEDS_NOTHING, .link = link_disk),
	ROW("treehub/deltas", VIEW_WWW, NODE_LINK, 0777, GROUP_ADMIN, NEEDS_NOTHING, .link = link_disk),
	/* Refs, summary and config change without anybody telling the kernel. */
	ON_DISK("treehub/**", BOTH, .flags = ROW_ASKED, .exists = exists_treehub, .list = list_treehub, .open = open_treehub,
	    .tag = tag_treehub),
	PUBLIC("repo", VIEW_FULL, .list = list_repo),
	PUBLIC("repo", VIEW_WWW, .list = NULL),
	PUBLIC("repo/targets", BOTH, .list = list_binaries),
	ON_DISK("repo/targets/**", VIEW_FULL, .settle = settle_binary, .list = list_binaries, .open = open_binary),
	PUBLIC("repo/targets/**", VIEW_WWW, .flags = ROW_ASKED, .settle = settle_link, .list = list_binaries,
	    .link = link_binary),
	ROW("repo/**", VIEW_FULL, NODE_FILE, 0644, GROUP_ADMIN, NEEDS_NOTHING, .exists = exists_repo, .list = list_repo,
	    .open = open_repo),

	SHARED("devices/*/*/treehub", .link = link_treehub),
	SHARED("devices/*/*/repo/targets", .link = link_targets),
	FOLDER("devices/*/*/repo", VIEW_WWW, SPEAKS, .inode = INODE_REPO),
	FOLDER("devices/*/*/repo/delegations", VIEW_WWW, SPEAKS, .inode = INODE_DELEGATIONS),
	ROW("devices/*/*/repo/delegations/*", VIEW_WWW, NODE_FILE, 0444, GROUP_ADMIN, SPEAKS, .flags = ROW_ASKED,
	    .settle = settle_delegation, .open = open_set, .tag = tag_set),
	ROW("devices/*/*/repo/*", VIEW_WWW, NODE_FILE, 0444, GROUP_ADMIN, SPEAKS, .flags = ROW_ASKED, .settle = settle_repo,
	    .open = open_set, .tag = tag_set),
};
/* clang-format on */

const struct table tree_repo = TABLE(rows);
