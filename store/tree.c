#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

static bool
is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static DIR *
open_dir(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static void
count(struct tree_look *look, const struct stat *st)
{
	int64_t ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;

	look->entries++;
	look->bytes += S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	look->disk_bytes += (uint64_t)st->st_blocks * 512;
	look->mark += (uint64_t)st->st_ino;
	if (ctime_ns > look->newest_ns)
		look->newest_ns = ctime_ns;
}

static void
scan_folder(int parent, const char *name, int depth, struct tree_look *look)
{
	AUTO(closedir_p) DIR *dir = depth < TREE_DEPTH_MAX ? open_dir(parent, name) : NULL;
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (is_dots(entry->d_name) || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count(look, &st);
		if (S_ISDIR(st.st_mode))
			scan_folder(dirfd(dir), entry->d_name, depth + 1, look);
	}
}

int
tree_scan(int dir, const char *name, struct tree_look *look, struct err *err)
{
	struct stat st;

	memset(look, 0, sizeof(*look));
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look at a drop");
	count(look, &st);
	if (S_ISDIR(st.st_mode))
		scan_folder(dir, name, 0, look);
	return 0;
}

void
tree_add(struct tree_look *look, const struct tree_look *more)
{
	look->entries += more->entries;
	look->bytes += more->bytes;
	look->disk_bytes += more->disk_bytes;
	look->mark += more->mark;
	if (more->newest_ns > look->newest_ns)
		look->newest_ns = more->newest_ns;
}

bool
tree_is_same(const struct tree_look *a, const struct tree_look *b)
{
	return a->entries == b->entries && a->bytes == b->bytes && a->newest_ns == b->newest_ns &&
	       a->mark == b->mark;
}

static int
remove_folder(int parent, const char *name, int depth, struct err *err)
{
	AUTO(closedir_p) DIR *dir = depth < TREE_DEPTH_MAX ? open_dir(parent, name) : NULL;
	struct dirent *entry;
	int r;

	while (dir && (entry = readdir(dir))) {
		if (is_dots(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			continue;
		r = errno == EISDIR ? remove_folder(dirfd(dir), entry->d_name, depth + 1, err)
				    : err_sys(err, "remove %s", entry->d_name);
		if (r < 0)
			return r;
	}
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? err_sys(err, "remove %s", name)
									   : 0;
}

int
tree_remove(int dir, const char *name, struct err *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR ? remove_folder(dir, name, 0, err) : err_sys(err, "remove %s", name);
}
