#include "store/publish.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "store/tree.h"

int
publish_open(const char *repository, int *out, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/published", repository);
	/* The group and its s-bit come from the repository folder: otafs reads as that group. */
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? err_sys(err, "%s", path) : 0;
}

int
publish_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err)
{
	char path[64];
	struct stat st;

	if (fstatat(dir, "current", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? PUBLISH_NONE : err_sys(err, "published/current");
	snprintf(path, sizeof(path), "current/%s", name);
	return file_read(dir, path, max, out, bytes, err);
}

static int
write_file(int dir, const struct publish_file *file, struct err *err)
{
	AUTO(close_p) int fd = openat(dir, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r;

	if (fd < 0)
		return err_sys(err, "%s", file->name);
	r = file_write_all(fd, file->data, file->bytes);
	if (r < 0)
		return err_set(err, -r, "%s: %s", file->name, strerror(-r));
	return fchmod(fd, 0640) < 0 || fsync(fd) < 0 ? err_sys(err, "%s", file->name) : 0;
}

static int
write_files(int dir, const char *name, const struct publish_file *files, size_t count, struct err *err)
{
	AUTO(close_p) int set = -1;
	int r = 0;

	if (mkdirat(dir, name, 0750) < 0)
		return err_sys(err, "published/%s", name);
	set = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (set < 0)
		return err_sys(err, "published/%s", name);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = write_file(set, &files[i], err);
	if (r == 0 && fsync(set) < 0)
		return err_sys(err, "published/%s", name);
	return r;
}

static int
switch_to(int dir, const char *name, struct err *err)
{
	int r;

	if ((r = tree_remove(dir, "current.tmp", err)) < 0)
		return r;
	/* The set's own name has to be durable before the symlink may point to it. */
	if (fsync(dir) < 0 || symlinkat(name, dir, "current.tmp") < 0 ||
	    renameat(dir, "current.tmp", dir, "current") < 0)
		return err_sys(err, "published/current");
	return file_sync_folder(dir, ".", err);
}

/* The number of a set's folder; 0 for anything else. */
static int
number_of(const char *name)
{
	char *end;
	long n = isdigit((unsigned char)*name) ? strtol(name, &end, 10) : 0;

	return n > 0 && n <= 0x7fffffff && *end == '\0' ? (int)n : 0;
}

/* The number below which sets are too old: that of the PUBLISH_KEEP'th newest. */
static int
oldest_kept(DIR *dir, int number)
{
	int newest[PUBLISH_KEEP] = { 0 };
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		int n = number_of(entry->d_name);

		for (size_t i = 0; i < PUBLISH_KEEP && n <= number; i++)
			if (n > newest[i]) {
				int was = newest[i];

				newest[i] = n;
				n = was;
			}
	}
	return newest[PUBLISH_KEEP - 1];
}

static void
clean(int parent, int number)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct err err;
	int oldest;

	if (!dir)
		return;
	oldest = oldest_kept(dir, number);
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		int n = number_of(entry->d_name);

		if ((n > 0 ? n < oldest || n > number : strstr(entry->d_name, ".tmp") != NULL) &&
		    tree_remove(parent, entry->d_name, &err) < 0)
			log_line(LOG_WARNING, "publish leftover=%s reason=\"%s\"", entry->d_name, err.text);
	}
}

int
publish_write(int dir, int number, const struct publish_file *files, size_t count, struct err *err)
{
	char name[16], temporary[32];
	struct err ignored;
	int r;

	snprintf(name, sizeof(name), "%d", number);
	snprintf(temporary, sizeof(temporary), "%d.tmp", number);
	/* A set of that number that a crash left was never current: numbers only grow. */
	if ((r = tree_remove(dir, temporary, err)) < 0 || (r = tree_remove(dir, name, err)) < 0)
		return r;
	r = write_files(dir, temporary, files, count, err);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = err_sys(err, "published/%s", name);
	if (r < 0) {
		tree_remove(dir, temporary, &ignored);
		return r;
	}
	r = switch_to(dir, name, err);
	if (r == 0)
		clean(dir, number);
	return r;
}
