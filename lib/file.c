#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

static int
read_all(int fd, char *data, size_t room, size_t *bytes)
{
	*bytes = 0;
	while (*bytes < room) {
		ssize_t n = read(fd, data + *bytes, room - *bytes);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			*bytes += (size_t)n;
	}
	return 0;
}

static int
read_with(int flags, int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err)
{
	/* Nobody may write into a FIFO of that name. */
	AUTO(close_p) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	AUTO(free_p) char *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a regular file", name);
	if ((size_t)st.st_size > max)
		return err_set(err, EFBIG, "%s: has %lld bytes, at most %zu are allowed", name,
		    (long long)st.st_size, max);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return err_set(err, ENOMEM, "%s: no memory", name);
	if (read_all(fd, data, (size_t)st.st_size, bytes) < 0)
		return err_sys(err, "%s", name);
	data[*bytes] = '\0';
	*out = MOVE(data);
	return 0;
}

int
file_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err)
{
	return read_with(0, dir, name, max, out, bytes, err);
}

int
file_read_plain(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err)
{
	return read_with(O_NOFOLLOW, dir, name, max, out, bytes, err);
}

int
file_write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

int
file_sync_folder(int dir, const char *path, struct err *err)
{
	AUTO(close_p) int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, "%s: fsync", path);
	return 0;
}

/* What is there under that name may be left from a crash, or be a stranger's: a device, a pipe, another name of
 * a file elsewhere. It is never written to. */
static int
write_temporary(int dir, const char *name, const void *data, size_t bytes, mode_t mode)
{
	AUTO(close_p) int fd = -1;
	int r;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, data, bytes);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

/* The folder that @name lies in, for fsync: "a/b" gives "a", "b" gives ".". */
static void
folder_of(const char *name, char *folder, size_t room)
{
	const char *slash = strrchr(name, '/');

	if (!slash)
		snprintf(folder, room, ".");
	else
		snprintf(folder, room, "%.*s", slash == name ? 1 : (int)(slash - name), name);
}

int
file_replace(int dir, const char *name, const void *data, size_t bytes, mode_t mode, struct err *err)
{
	char temporary[4096], folder[4096];
	int r;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.tmp", name) >= sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "%.64s...: name too long", name);
	r = write_temporary(dir, temporary, data, bytes, mode);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		return err_set(err, -r, "%s: %s", name, strerror(-r));
	}
	folder_of(name, folder, sizeof(folder));
	return file_sync_folder(dir, folder, err);
}
