#include "tests/disk/shadow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/disk/fault.h"

#define PATH_ROOM 4200

/* What is called here is what the library itself replaces, so each is asked for by name. */
#define REAL(type, name) ((type)(uintptr_t)fault_real(name))
typedef int open_fn(const char *, int, ...);
typedef ssize_t write_fn(int, const void *, size_t);
typedef int unlink_fn(const char *);
typedef int linkat_fn(int, const char *, int, const char *, int);

static const char *
folder(void)
{
	static const char *path;
	static int is_known;

	if (!is_known) {
		path = getenv("FAULT_SHADOW");
		is_known = 1;
	}
	return path;
}

static int
open_path(const char *path, int flags)
{
	return REAL(open_fn *, "open64")(path, flags | O_CLOEXEC, 0666);
}

static void
remove_path(const char *path)
{
	REAL(unlink_fn *, "unlink")(path);
}

static void
copy(int from, int to)
{
	char part[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, part, sizeof(part), at)) > 0) {
		REAL(write_fn *, "write")(to, part, (size_t)n);
		at += n;
	}
}

static void
data_path(char out[PATH_ROOM], ino_t inode)
{
	snprintf(out, PATH_ROOM, "%s/data/%llu", folder(), (unsigned long long)inode);
}

/* Keeps the bytes of the file, or none; what is kept already is older, and stays. */
static void
keep(const char *path, int fd)
{
	char own[64];
	int from = -1, to = open_path(path, O_WRONLY | O_CREAT | O_EXCL);

	if (to < 0)
		return;
	/* What is open for writing only cannot be read. */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	if (fd >= 0 && (from = open_path(own, O_RDONLY)) >= 0) {
		copy(from, to);
		close(from);
	}
	close(to);
}

static bool
is_file(int fd, struct stat *st)
{
	return folder() && fstat(fd, st) == 0 && S_ISREG(st->st_mode);
}

void
shadow_before_change(int fd)
{
	char path[PATH_ROOM];
	struct stat st;
	int was = errno;

	if (is_file(fd, &st)) {
		data_path(path, st.st_ino);
		keep(path, fd);
	}
	errno = was;
}

void
shadow_is_new(int fd)
{
	char path[PATH_ROOM];
	struct stat st;
	int was = errno;

	if (is_file(fd, &st)) {
		data_path(path, st.st_ino);
		remove_path(path); /* of an older file with that inode */
		keep(path, -1);
	}
	errno = was;
}

static void
each_name(const char *below, const char *end)
{
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", folder(), below);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		const char *dot = strchr(entry->d_name, '.');

		if (entry->d_name[0] == '.' || (end && (!dot || strcmp(dot + 1, end) != 0)))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder(), below, entry->d_name);
		remove_path(path);
	}
	if (dir)
		closedir(dir);
}

void
shadow_synced(int fd)
{
	char text[PATH_ROOM];
	struct stat st;
	int was = errno;

	if (folder() && fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode)) {
			snprintf(text, sizeof(text), "%llu", (unsigned long long)st.st_ino);
			each_name("names", text);
		} else {
			data_path(text, st.st_ino);
			remove_path(text);
		}
	}
	errno = was;
}

void
shadow_all_synced(void)
{
	int was = errno;

	if (folder()) {
		each_name("names", NULL);
		each_name("data", NULL);
	}
	errno = was;
}

/* -- names -- */

/* The inode of the folder that @name lies in, and the last part of it. */
static unsigned long long
folder_of(int dir, const char *name, const char **last)
{
	char path[PATH_ROOM];
	const char *slash = strrchr(name, '/');
	struct stat st = { 0 };

	if (slash)
		snprintf(path, sizeof(path), "%.*s", (int)(slash - name + 1), name);
	else
		snprintf(path, sizeof(path), ".");
	*last = slash ? slash + 1 : name;
	return fstatat(dir, path, &st, 0) == 0 ? st.st_ino : 0;
}

int
shadow_begin(int dir, const char *taken)
{
	struct fault_control *control = fault_control();
	char path[PATH_ROOM];
	int was = errno, number;

	if (!folder() || !control)
		return -1;
	number = __atomic_add_fetch(&control->sequence, 1, __ATOMIC_SEQ_CST);
	if (taken) {
		snprintf(path, sizeof(path), "%s/saved/%08d", folder(), number);
		REAL(linkat_fn *, "linkat")(dir, taken, AT_FDCWD, path, 0);
	}
	errno = was;
	return number;
}

static void
note(int number, unsigned long long durable_by, const char *text)
{
	char path[PATH_ROOM];
	int fd;

	snprintf(path, sizeof(path), "%s/names/%08d.%llu", folder(), number, durable_by);
	fd = open_path(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return;
	REAL(write_fn *, "write")(fd, text, strlen(text));
	close(fd);
}

static void
note_one(const char *what, int number, int dir, const char *name)
{
	char text[PATH_ROOM + 64];
	const char *last;
	unsigned long long in;
	int was = errno;

	if (number < 0)
		return;
	in = folder_of(dir, name, &last);
	snprintf(text, sizeof(text), "%s %llu %s\n", what, in, last);
	note(number, in, text);
	errno = was;
}

void
shadow_made(int number, int dir, const char *name)
{
	note_one("made", number, dir, name);
}

void
shadow_gone(int number, int dir, const char *name)
{
	note_one("gone", number, dir, name);
}

void
shadow_moved(int number, int from_dir, const char *from, int to_dir, const char *to)
{
	char text[2 * PATH_ROOM];
	const char *from_last, *to_last;
	unsigned long long in, out;
	int was = errno;

	if (number < 0)
		return;
	out = folder_of(from_dir, from, &from_last);
	in = folder_of(to_dir, to, &to_last);
	snprintf(text, sizeof(text), "moved %llu %s %llu %s\n", out, from_last, in, to_last);
	note(number, in, text);
	errno = was;
}

void
shadow_forget(int number)
{
	char path[PATH_ROOM];
	int was = errno;

	if (number < 0)
		return;
	snprintf(path, sizeof(path), "%s/saved/%08d", folder(), number);
	remove_path(path);
	errno = was;
}
