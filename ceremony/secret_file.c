#include "ceremony/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"

static int
check_owner(const struct stat *st, const char *name, struct err *err)
{
	if (st->st_uid == geteuid() && !(st->st_mode & 077))
		return 0;
	return err_set(err, EPERM, "%s: has to be ours and 0600, it is %03o of user %u", name,
	    st->st_mode & 0777, st->st_uid);
}

static int
read_into(int fd, const char *name, struct secret *secret, struct err *err)
{
	for (size_t done = 0; done < secret->bytes;) {
		ssize_t n = read(fd, secret->data + done, secret->bytes - done);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "%s", name);
		if (n == 0)
			return err_set(err, EIO, "%s: became shorter while it was read", name);
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int
secret_file_read(int dir, const char *name, size_t max, bool is_private, struct secret **out, struct err *err)
{
	AUTO(secret_freep) struct secret *secret = NULL;
	/* O_NONBLOCK: a pipe is refused below, not waited for. */
	AUTO(close_p)
	int fd =
	    openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (is_private ? O_NOFOLLOW : 0));
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a regular file", name);
	if (is_private && (r = check_owner(&st, name, err)) < 0)
		return r;
	if ((size_t)st.st_size > max)
		return err_set(err, EFBIG, "%s: has %lld bytes, at most %zu are allowed", name,
		    (long long)st.st_size, max);
	if ((r = secret_new((size_t)st.st_size, &secret, err)) < 0)
		return err_context(err, r, "%s", name);
	if ((r = read_into(fd, name, secret, err)) == 0)
		*out = MOVE(secret);
	return r;
}

int
secret_file_make(const char *path, const struct secret *secret, struct err *err)
{
	AUTO(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(err, "%s", path);
	r = file_write_all(fd, secret->data, secret->bytes);
	if (r == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	errno = -r;
	r = err_sys(err, "%s", path);
	unlink(path);
	return r;
}
