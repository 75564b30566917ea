#include "store/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "store/fleet.h"
#include "store/image.h"
#include "store/tree.h"

/** Refs and delegations are a few folders deep. */
#define DEPTH_MAX 16
/** More sets than a store keeps. */
#define SETS_MAX 4096

struct reading {
	struct roots *roots;
	bool is_current; /* of targets: they stand in published/current */
	struct err *err;
};

static int
add(struct roots *roots, const struct root *root, const char *kind, const char *name, struct err *err)
{
	if (roots->count == roots->room) {
		size_t room = roots->room ? 2 * roots->room : 256;
		struct root *list = realloc(roots->list, room * sizeof(*list));

		if (!list)
			return err_set(err, ENOMEM, "roots: no memory");
		roots->list = list;
		roots->room = room;
	}
	roots->list[roots->count] = *root;
	if (asprintf(&roots->list[roots->count].name, "%s %s", kind, name) < 0)
		return err_set(err, ENOMEM, "roots: no memory");
	roots->count++;
	return 0;
}

/* -- refs -- */

static int
add_ref(struct roots *roots, int dir, const char *file, const char *name, struct err *err)
{
	struct root root = { .formats = ROOT_OSTREE, .is_promised = true };
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	r = file_read(dir, file, DIGEST_HEX_SIZE, &text, &bytes, err);
	if (r == -ENOENT)
		return 0; /* removed just now */
	if (r < 0)
		return err_context(err, r, "ref %s", name);
	text[strcspn(text, "\n")] = '\0';
	if (!digest_is_sha256_hex(text))
		return err_set(err, EBADMSG, "ref %s: does not hold a commit id", name);
	memcpy(root.sha256, text, DIGEST_HEX_SIZE);
	if (roots->count == ROOTS_REFS_MAX)
		return err_set(err, E2BIG, "more than %d refs", ROOTS_REFS_MAX);
	return add(roots, &root, "ref", name, err);
}

static int
add_refs(struct roots *roots, int parent, const char *folder, const char *above, int depth, struct err *err);

static int
add_ref_entry(struct roots *roots, int dir, const char *file, const char *above, int depth, struct err *err)
{
	char name[1024];
	struct stat st;

	if (*file == '.')
		return 0; /* libostree's temporary files */
	if ((size_t)snprintf(name, sizeof(name), "%s%s%s", above, *above ? "/" : "", file) >= sizeof(name))
		return err_set(err, ENAMETOOLONG, "ref %.200s...", name);
	if (fstatat(dir, file, &st, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "ref %s", name);
	return S_ISDIR(st.st_mode) ? add_refs(roots, dir, file, name, depth + 1, err)
				   : add_ref(roots, dir, file, name, err);
}

/* Heads, mirrors and remotes alike. */
static int
add_refs(struct roots *roots, int parent, const char *folder, const char *above, int depth, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (depth > DEPTH_MAX) {
		close(fd);
		return err_set(err, ELOOP, "refs: more than %d folders deep", DEPTH_MAX);
	}
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "refs/%s", above);
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		r = add_ref_entry(roots, fd, entry->d_name, above, depth, err);
	return r == 0 && !entry && errno ? err_sys(err, "refs/%s", above) : r;
}

/* -- what is published -- */

static int
add_target(struct reading *reading, const char *file, const json_t *target)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *sha256 = json_text(json_object_get(target, "hashes"), "sha256");
	const char *format = json_text(custom, "targetFormat"), *uri = json_text(custom, "uri");
	struct root root = { .is_current = reading->is_current };
	char lower[DIGEST_HEX_SIZE];
	unsigned char bytes[DIGEST_SHA256_BYTES];

	if (!sha256)
		return 0; /* with another hash alone: not of this store */
	if (digest_unhex(sha256, bytes, sizeof(bytes)) < 0)
		return err_set(reading->err, EBADMSG, "target %.100s: its sha256 is none", file);
	digest_hex(bytes, sizeof(bytes), lower);
	memcpy(root.sha256, lower, sizeof(lower));
	root.formats = !format                     ? ROOT_OSTREE | ROOT_BINARY
		       : !strcmp(format, "OSTREE") ? ROOT_OSTREE
		       : !strcmp(format, "BINARY") ? ROOT_BINARY
						   : ROOT_OSTREE | ROOT_BINARY;
	root.length = (uint64_t)json_integer_value(json_object_get(target, "length"));
	/* A target that is somewhere else is served from there. */
	root.is_promised = reading->is_current && format && !(uri && *uri);
	return add(reading->roots, &root, "target", file, reading->err);
}

static int
add_document(struct reading *reading, int dir, const char *name)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	const char *file;
	json_t *target;
	size_t bytes;
	int r;

	r = file_read(dir, name, IMAGE_TARGETS_MAX, &text, &bytes, reading->err);
	if (r == 0)
		r = json_read_loosely(text, bytes, name, &json, reading->err);
	if (r < 0)
		return r;
	json_object_foreach(json_object_get(json_object_get(json, "signed"), "targets"), file,
	    target) if ((r = add_target(reading, file, target)) < 0) return err_context(reading->err, r, "%s",
	    name);
	return 0;
}

static int
add_delegations(struct reading *reading, int set)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(set, "delegations", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(reading->err, "delegations");
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (*entry->d_name != '.')
			r = add_document(reading, fd, entry->d_name);
	return r == 0 && !entry && errno ? err_sys(reading->err, "delegations") : r;
}

static int
add_set(struct reading *reading, int published, int number)
{
	AUTO(close_p) int set = -1;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%d", number);
	set = openat(published, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = set < 0 ? err_sys(reading->err, "open it") : add_document(reading, set, "targets.json");
	if (r == 0)
		r = add_delegations(reading, set);
	/* An old set may be cleaned away meanwhile; the current one may not. */
	if (r == -ENOENT && !reading->is_current)
		return 0;
	return r < 0 ? err_context(reading->err, r, "published/%d", number) : 0;
}

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int
list_sets(int published, int *numbers, size_t *count, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(published, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "published");
	*count = 0;
	while ((entry = readdir(dir))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (number <= 0 || number > INT32_MAX || *end)
			continue;
		if (*count == SETS_MAX)
			return err_set(err, E2BIG, "published: more than %d sets", SETS_MAX);
		numbers[(*count)++] = (int)number;
	}
	qsort(numbers, *count, sizeof(*numbers), by_number);
	return 0;
}

/* Whether set @number was made so short ago that a device may still be reading the one before it. */
static bool
is_fresh(int published, int number)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%d", number);
	return fstatat(published, name, &st, 0) < 0 || time(NULL) - st.st_mtime < ROOTS_SET_SECONDS;
}

static int
current_number(int published, int *number, struct err *err)
{
	char text[32], *end;
	ssize_t n = readlinkat(published, "current", text, sizeof(text) - 1);
	long value;

	*number = 0;
	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(err, "published/current");
	text[n] = '\0';
	value = strtol(text, &end, 10);
	if (value <= 0 || value > INT32_MAX || *end)
		return err_set(err, EBADMSG, "published/current: does not name a set");
	*number = (int)value;
	return 0;
}

static int
add_published(struct roots *roots, int repository, struct err *err)
{
	struct reading reading = { .roots = roots, .err = err };
	AUTO(close_p) int published = openat(repository, "published", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(free_p) int *numbers = malloc(SETS_MAX * sizeof(*numbers));
	size_t count;
	int current, r;

	if (published < 0)
		return errno == ENOENT ? 0 : err_sys(err, "published");
	if (!numbers)
		return err_set(err, ENOMEM, "published: no memory");
	if ((r = current_number(published, &current, err)) < 0 ||
	    (r = list_sets(published, numbers, &count, err)) < 0 || current == 0)
		return r;
	roots->is_published = true;
	/* The current one first; of those before it, each whose successor is fresh. One that was published
	 * after we read the symlink is the fresh work of somebody who is not done. */
	reading.is_current = true;
	r = add_set(&reading, published, current);
	reading.is_current = false;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (numbers[i] != current && (i + 1 == count || is_fresh(published, numbers[i + 1])))
			r = add_set(&reading, published, numbers[i]);
	return r;
}

/* -- the fleet -- */

static int
add_fleet(struct roots *roots, const char *folder, struct err *err)
{
	struct fleet fleet;
	int r = fleet_read(folder, &fleet, err);

	for (size_t i = 0; r == 0 && i < fleet.running_count; i++) {
		struct root root = { .formats = fleet.running[i].is_binary ? ROOT_BINARY : ROOT_OSTREE };

		memcpy(root.sha256, fleet.running[i].sha256, DIGEST_HEX_SIZE);
		r = add(roots, &root, "devices with hardware id", fleet.running[i].hardware, err);
	}
	for (size_t i = 0; r == 0 && i < fleet.assigned_count; i++) {
		struct root root = { .formats = ROOT_OSTREE | ROOT_BINARY };

		memcpy(root.sha256, fleet.assigned[i].sha256, DIGEST_HEX_SIZE);
		r = add(roots, &root, "assigned target", fleet.assigned[i].target, err);
	}
	fleet_done(&fleet);
	return r;
}

static int
by_sha256(const void *a, const void *b)
{
	const struct root *x = a, *y = b;
	int r = strcmp(x->sha256, y->sha256);

	/* Of several that name the same, the one that promises most is told. */
	return r ? r : (int)y->is_promised - (int)x->is_promised;
}

int
roots_read(int repository, const char *fleet, struct roots *roots, struct err *err)
{
	AUTO(close_p) int refs = openat(repository, "ostree/refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	*roots = (struct roots){ 0 };
	r = refs < 0 ? err_sys(err, "ostree/refs") : add_refs(roots, refs, ".", "", 0, err);
	if (r == 0)
		r = add_published(roots, repository, err);
	if (r == 0)
		r = add_fleet(roots, fleet, err);
	if (r < 0)
		roots_done(roots);
	else if (roots->count)
		qsort(roots->list, roots->count, sizeof(*roots->list), by_sha256);
	return r;
}

void
roots_done(struct roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		free(roots->list[i].name);
	free(roots->list);
	*roots = (struct roots){ 0 };
}

static uint64_t
mix(uint64_t mark, const struct stat *st)
{
	mark = mark * 1099511628211u + (uint64_t)st->st_ino;
	return mark * 1099511628211u + (uint64_t)st->st_ctim.tv_sec * 1000000000u +
	       (uint64_t)st->st_ctim.tv_nsec;
}

uint64_t
roots_mark(int repository, const char *fleet)
{
	struct tree_look look = { 0 };
	struct err ignored;
	struct stat st;
	uint64_t mark = 0;
	char path[4096];

	snprintf(path, sizeof(path), "%s/fleet.json", fleet);
	if (tree_scan(repository, "ostree/refs", &look, &ignored) == 0)
		mark = look.mark ^ (uint64_t)look.newest_ns;
	if (fstatat(repository, "published/current", &st, AT_SYMLINK_NOFOLLOW) == 0)
		mark = mix(mark, &st);
	return stat(path, &st) == 0 ? mix(mark, &st) : mark;
}
