#include "store/publish.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

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
	char path[PUBLISH_NAME_SIZE + 16];
	struct stat st;

	if (fstatat(dir, "current", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? PUBLISH_NONE : err_sys(err, "published/current");
	snprintf(path, sizeof(path), "current/%s", name);
	return file_read(dir, path, max, out, bytes, err);
}

/* The folder of "delegations/NAME.json". */
static int
make_folder(int set, const char *name, struct err *err)
{
	char folder[PUBLISH_NAME_SIZE];
	const char *slash = strchr(name, '/');

	if (!slash)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
	return mkdirat(set, folder, 0750) < 0 && errno != EEXIST ? err_sys(err, "%s", folder) : 0;
}

static int
write_file(int set, const struct publish_file *file, struct err *err)
{
	AUTO(close_p) int fd = openat(set, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r;

	if (fd < 0)
		return err_sys(err, "%s", file->name);
	r = file_write_all(fd, file->data, file->bytes);
	if (r < 0)
		return err_set(err, -r, "%s: %s", file->name, strerror(-r));
	return fchmod(fd, 0640) < 0 || fsync(fd) < 0 ? err_sys(err, "%s", file->name) : 0;
}

/* A file that stays as it is is the same inode in both sets. */
static int
link_file(int parent, int set, const struct publish_file *file, struct err *err)
{
	char path[PUBLISH_NAME_SIZE + 16];

	snprintf(path, sizeof(path), "current/%s", file->name);
	return linkat(parent, path, set, file->name, 0) < 0 ? err_sys(err, "published/%s", path) : 0;
}

static int
write_files(int parent, const char *name, const struct publish_file *files, size_t count, struct err *err)
{
	AUTO(close_p) int set = -1;
	int r = 0;

	if (mkdirat(parent, name, 0750) < 0)
		return err_sys(err, "published/%s", name);
	set = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (set < 0)
		return err_sys(err, "published/%s", name);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = make_folder(set, files[i].name, err);
		if (r == 0)
			r = files[i].data ? write_file(set, &files[i], err)
					  : link_file(parent, set, &files[i], err);
	}
	if (r == 0 && faccessat(set, "delegations", F_OK, 0) == 0)
		r = file_sync_folder(set, "delegations", err);
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

/* The sets of a folder, by number. */
struct sets {
	int number[1024];
	size_t count;
};

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void
list_sets(DIR *dir, int newest, struct sets *sets)
{
	struct dirent *entry;

	sets->count = 0;
	while ((entry = readdir(dir)) && sets->count < sizeof(sets->number) / sizeof(sets->number[0])) {
		int n = number_of(entry->d_name);

		if (n > 0 && n <= newest)
			sets->number[sets->count++] = n;
	}
	qsort(sets->number, sets->count, sizeof(sets->number[0]), by_number);
}

/* A set was current until the next one was made, and that is when a device may have begun with it. */
static bool
was_current_lately(int parent, int next)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%d", next);
	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtim.tv_sec < PUBLISH_KEEP_SECONDS;
}

/* The oldest set that stays. */
static int
oldest_kept(int parent, DIR *dir, int newest)
{
	struct sets sets;
	size_t kept;

	list_sets(dir, newest, &sets);
	kept = sets.count < PUBLISH_KEEP ? sets.count : PUBLISH_KEEP;
	while (kept < sets.count && kept < PUBLISH_KEEP_MAX &&
	       was_current_lately(parent, sets.number[sets.count - kept]))
		kept++;
	return kept ? sets.number[sets.count - kept] : newest;
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
	oldest = oldest_kept(parent, dir, number);
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
