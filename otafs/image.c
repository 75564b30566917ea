#include "otafs/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/name.h"

/* The link may move on while a set is being read, and the set it named may be swept away: then the next one is
 * read. */
#define LOAD_TRIES 8

/* One publication's folder. */
struct set {
	int64_t number;
	int fd;
};

struct image {
	char *path;  /* of the repository, without links in it */
	char *shelf; /* where links lead; NULL: there */
	int repository, published, ostree;
	struct set sets[IMAGE_SETS_MAX]; /* a ring of what was loaded; loaded is the number of all */
	size_t loaded;
	struct targets targets; /* of the newest */
};

static int
open_folder(int dir, const char *name, int *out, struct err *err)
{
	*out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return err_sys(err, "%s (ota-watcher makes it when it starts)", name);
	return 0;
}

static void
image_freep(struct image **image)
{
	image_free(*image);
}

int
image_open(const char *repository, struct image **out, struct err *err)
{
	AUTO(image_freep) struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return err_set(err, ENOMEM, "no memory for the image repository");
	image->repository = image->published = image->ostree = -1;
	for (size_t i = 0; i < IMAGE_SETS_MAX; i++)
		image->sets[i].fd = -1;
	image->path = realpath(repository, NULL);
	if (!image->path)
		return err_sys(err, "%s (ota-watcher makes it when it starts)", repository);
	if ((r = open_folder(AT_FDCWD, repository, &image->repository, err)) < 0 ||
	    (r = open_folder(image->repository, "published", &image->published, err)) < 0 ||
	    (r = open_folder(image->repository, "ostree", &image->ostree, err)) < 0)
		return err_context(err, r, "%s", repository);
	*out = MOVE(image);
	return 0;
}

void
image_free(struct image *image)
{
	if (!image)
		return;
	targets_free(&image->targets);
	for (size_t i = 0; i < IMAGE_SETS_MAX; i++)
		close_p(&image->sets[i].fd);
	close_p(&image->published);
	close_p(&image->ostree);
	close_p(&image->repository);
	free(image->path);
	free(image->shelf);
	free(image);
}

/* ---- publications */

static const struct set *
newest(const struct image *image)
{
	return image->loaded ? &image->sets[(image->loaded - 1) % IMAGE_SETS_MAX] : NULL;
}

static const struct set *
find_set(const struct image *image, int64_t number)
{
	for (size_t i = 0; i < IMAGE_SETS_MAX; i++)
		if (image->sets[i].fd >= 0 && image->sets[i].number == number)
			return &image->sets[i];
	return NULL;
}

static int
load(struct image *image, const char *name, struct err *err)
{
	AUTO(close_p) int fd = openat(image->published, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct targets targets;
	struct set *set;
	int r;

	if (fd < 0)
		return err_sys(err, "published/%s", name);
	if ((r = targets_read(fd, &targets, err)) < 0) {
		targets_free(&targets);
		return err_context(err, r, "published/%s", name);
	}
	targets_free(&image->targets);
	image->targets = targets;
	set = &image->sets[image->loaded++ % IMAGE_SETS_MAX];
	close_p(&set->fd);
	*set = (struct set){ strtoll(name, NULL, 10), MOVE_FD(fd) };
	return IMAGE_CHANGED;
}

int
image_refresh(struct image *image, struct err *err)
{
	int r = -ENOENT;

	for (int i = 0; i < LOAD_TRIES && r == -ENOENT; i++) {
		char name[32];
		ssize_t n = readlinkat(image->published, "current", name, sizeof(name) - 1);

		if (n < 0)
			return errno == ENOENT ? 0 : err_sys(err, "published/current");
		name[n] = '\0';
		if (image->loaded && strtoll(name, NULL, 10) == newest(image)->number)
			return 0;
		r = load(image, name, err);
	}
	return r;
}

int64_t
image_number(const struct image *image)
{
	return image->loaded ? newest(image)->number : 0;
}

int64_t
image_oldest(const struct image *image)
{
	int64_t oldest = image_number(image);

	for (size_t i = 0; i < IMAGE_SETS_MAX; i++)
		if (image->sets[i].fd >= 0 && image->sets[i].number < oldest)
			oldest = image->sets[i].number;
	return oldest;
}

int64_t
image_set(const struct image *image, int64_t set)
{
	const struct set *found = set ? find_set(image, set) : NULL;

	/* The descriptor of a folder that was swept away is still good, but nothing is in it. */
	return found && faccessat(found->fd, "targets.json", F_OK, 0) == 0 ? set : image_number(image);
}

/* ---- targets */

const struct target *
image_targets(const struct image *image, size_t *count)
{
	*count = image->targets.count;
	return image->targets.list;
}

const struct target_role *
image_roles(const struct image *image, size_t *count)
{
	*count = image->targets.role_count;
	return image->targets.roles;
}

int
image_find(const struct image *image, const char *package, const char *version, const struct target **out)
{
	for (size_t i = 0; i < image->targets.count; i++) {
		const struct target *target = &image->targets.list[i];

		if (!target_is_shown(target) || strcmp(target->package, package) ||
		    strcmp(target->version, version))
			continue;
		*out = target;
		return 0;
	}
	return IMAGE_NO_TARGET;
}

int
image_each_document(const struct image *image, image_document_fn each, void *context)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->targets.role_count; i++)
		r = each(image->targets.roles[i].name, json_array_get(image->targets.documents, i), context);
	return r;
}

const struct target *
image_target(const struct image *image, const char *file)
{
	return image->targets.count ? targets_file(&image->targets, file) : NULL;
}

void
image_hide(struct image *image, const char *file, bool is_hidden)
{
	struct target *target = image->targets.count ? targets_file(&image->targets, file) : NULL;

	if (target)
		target->is_hidden = is_hidden;
}

bool
image_has_folder(const struct image *image, const char *folder)
{
	char prefix[1024];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "%s/", folder), i;

	if (n >= sizeof(prefix))
		return false;
	i = targets_from(&image->targets, prefix);
	return i < image->targets.count && !strncmp(image->targets.by_file[i]->file, prefix, n);
}

static bool
is_binary(const struct target *target)
{
	return !strcmp(target->format, "BINARY") && !target->uri && digest_is_sha256_hex(target->sha256);
}

int
image_list(const struct image *image, const char *folder, image_name_fn each, void *context)
{
	const struct targets *targets = &image->targets;
	char last[NAME_TARGET_MAX + 1] = "", name[NAME_TARGET_MAX + 1];
	size_t n = strlen(folder);
	int r = 0;

	for (size_t i = targets_from(targets, folder); r == 0 && i < targets->count; i++) {
		const struct target *target = targets->by_file[i];
		size_t part;

		if (strncmp(target->file, folder, n) != 0)
			break;
		part = strcspn(target->file + n, "/");
		if (!is_binary(target) || part == 0 || part >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)part, target->file + n);
		/* All names below a folder follow one another. */
		if (strcmp(name, last) != 0)
			r = each(name, target->file[n + part] == '/', context);
		strcpy(last, name);
	}
	return r;
}

/* ---- files */

static int
open_below(int dir, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int
image_file(const struct image *image, int64_t set, const char *name, struct err *err)
{
	const struct set *found = find_set(image, set);
	int fd;

	if (!found)
		return err_set(err, ENOENT, "nothing was published yet");
	fd = open_below(found->fd, name);
	return fd < 0 ? err_sys(err, "%s", name) : fd;
}

#define BINARY_PATH_SIZE (DIGEST_HEX_SIZE + 64)

static int
name_binary(const char *sha256, char out[static BINARY_PATH_SIZE], struct err *err)
{
	if (!digest_is_sha256_hex(sha256))
		return err_set(err, ENOENT, "no sha256");
	snprintf(out, BINARY_PATH_SIZE, "binaries/%.2s/%s", sha256, sha256 + 2);
	return 0;
}

int
image_binary(const struct image *image, const char *sha256, struct err *err)
{
	char path[BINARY_PATH_SIZE];
	int fd = name_binary(sha256, path, err);

	if (fd < 0)
		return fd;
	fd = open_below(image->repository, path);
	return fd < 0 ? err_sys(err, "%s", path) : fd;
}

int
image_set_shelf(struct image *image, const char *path, struct err *err)
{
	free(image->shelf);
	image->shelf = strdup(path);
	return image->shelf ? 0 : err_set(err, ENOMEM, "no memory for a path");
}

int
image_path(const struct image *image, const char *name, char *out, size_t room, struct err *err)
{
	const char *above = image->shelf ? image->shelf : image->path;

	if ((size_t)snprintf(out, room, "%s/%s", above, name) >= room)
		return err_set(err, ENAMETOOLONG, "%s/%s: too long for a link", above, name);
	return 0;
}

int
image_binary_path(const struct image *image, const char *sha256, char *out, size_t room, struct err *err)
{
	char path[BINARY_PATH_SIZE];
	int r = name_binary(sha256, path, err);

	if (r == 0 && faccessat(image->repository, path, F_OK, 0) < 0)
		return err_sys(err, "%s", path);
	return r < 0 ? r : image_path(image, path, out, room, err);
}

bool
image_is_in_place(const struct image *image)
{
	char path[PATH_MAX];
	struct stat opened, found;

	return (size_t)snprintf(path, sizeof(path), "%s/ostree", image->path) < sizeof(path) &&
	       stat(path, &found) == 0 && fstat(image->ostree, &opened) == 0 && found.st_dev == opened.st_dev &&
	       found.st_ino == opened.st_ino;
}

bool
image_has_commit(const struct image *image, const char *sha256)
{
	char path[DIGEST_HEX_SIZE + 32];

	if (!digest_is_sha256_hex(sha256))
		return false;
	snprintf(path, sizeof(path), "objects/%.2s/%s.commit", sha256, sha256 + 2);
	return faccessat(image->ostree, path, F_OK, 0) == 0;
}

int
image_report(const struct image *image, const char *name, char **text, size_t *bytes, struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "report/%s", name);
	return file_read(image->repository, path, IMAGE_REPORT_MAX, text, bytes, err);
}

int
image_read_file(const struct image *image, const char *name, char **text, size_t *bytes, struct err *err)
{
	const struct set *set = newest(image);

	if (!set)
		return err_set(err, ENOENT, "%s: nothing was published yet", name);
	return file_read(set->fd, name, IMAGE_FILE_MAX, text, bytes, err);
}

int
image_ostree(const struct image *image)
{
	return image->ostree;
}
