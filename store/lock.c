#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

int
store_lock(int repository, enum store_lock how, int *out, struct err *err)
{
	/* A lock belongs to the open file, so each holder opens the folder for himself. */
	AUTO(close_p) int fd = openat(repository, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(err, "lock the repository");
	while ((r = flock(fd, how == STORE_LOCK_ALONE ? LOCK_EX : LOCK_SH)) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_sys(err, "lock the repository");
	*out = MOVE_FD(fd);
	return 0;
}

int
store_touch(int repository, int dir, const char *name, struct err *err)
{
	static const struct timespec now[] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	AUTO(close_p) int lock = -1;
	int r;

	/* Most of what is asked for in a push is not there, which needs no lock to say. */
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return -ENOENT;
	r = store_lock(repository, STORE_LOCK_SHARED, &lock, err);
	if (r < 0)
		return r;
	if (utimensat(dir, name, now, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? -ENOENT : err_sys(err, "%s", name);
}
