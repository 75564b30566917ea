/*
 * The calls that tests/disk/fault.h counts. Each asks first what is to become of it, tells shadow.h around what
 * it does, and dies after it if it has to.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/disk/fault.h"
#include "tests/disk/shadow.h"

/* libc's own, with the type of the one that stands for it here. */
#define REAL(name) ((__typeof__(name) *)(uintptr_t)fault_real(#name))

struct verdict {
	bool is_under; /* the call counts */
	int how;       /* 0: it is done */
};

static struct verdict
judge(bool is_under)
{
	struct fault_control *control = fault_control();
	struct verdict verdict = { .is_under = control && !control->is_memory && is_under };
	int left, how;

	if (!verdict.is_under)
		return verdict;
	how = control->how;
	left = __atomic_sub_fetch(&control->left, 1, __ATOMIC_SEQ_CST);
	if (left < 0 && how == FAULT_POWER)
		raise(SIGKILL);
	if (left == 0 || (left < 0 && how >= FAULT_FOR_GOOD))
		verdict.how = how;
	return verdict;
}

static struct verdict
judge_fd(int fd)
{
	return judge(fault_fd_is_under(fd));
}

static struct verdict
judge_path(int dir, const char *name)
{
	char path[8400];
	size_t bytes = 0;

	if (!fault_control())
		return (struct verdict){ 0 };
	if (name[0] != '/') {
		if (dir == AT_FDCWD ? !getcwd(path, sizeof(path) / 2)
				    : !fault_path(dir, path, sizeof(path) / 2))
			return (struct verdict){ 0 };
		bytes = strlen(path);
		path[bytes++] = '/';
	}
	snprintf(path + bytes, sizeof(path) - bytes, "%s", name);
	return judge(fault_is_under(path));
}

/* Whether it is to fail. */
static bool
is_refused(struct verdict verdict)
{
	if (verdict.how > 0)
		errno = verdict.how % FAULT_FOR_GOOD;
	return verdict.how > 0;
}

static void
end_of(const char *call, struct verdict verdict)
{
	if (verdict.how)
		dprintf(STDERR_FILENO, "fault pid=%d call=%s how=%d\n", (int)getpid(), call, verdict.how);
	if (verdict.how < 0)
		raise(SIGKILL);
}
#define end(verdict) end_of(__func__, verdict)

/* -- bytes -- */

static size_t
part_of(struct verdict verdict, size_t bytes)
{
	return verdict.how == FAULT_TEAR ? bytes / 2 : bytes;
}

static bool
may_change(struct verdict verdict, int fd)
{
	if (is_refused(verdict))
		return false;
	if (verdict.is_under)
		shadow_before_change(fd);
	return true;
}

ssize_t
write(int fd, const void *data, size_t bytes)
{
	struct verdict verdict = judge_fd(fd);
	ssize_t n = may_change(verdict, fd) ? REAL(write)(fd, data, part_of(verdict, bytes)) : -1;

	end(verdict);
	return n;
}

ssize_t
pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
	struct verdict verdict = judge_fd(fd);
	ssize_t n = may_change(verdict, fd) ? REAL(pwrite64)(fd, data, part_of(verdict, bytes), at) : -1;

	end(verdict);
	return n;
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	struct verdict verdict = judge_fd(fd);
	ssize_t n =
	    may_change(verdict, fd) ? REAL(writev)(fd, parts, (int)part_of(verdict, (size_t)count)) : -1;

	end(verdict);
	return n;
}

ssize_t
copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes, unsigned int flags)
{
	struct verdict verdict = judge_fd(to);
	ssize_t n = may_change(verdict, to)
			? REAL(copy_file_range)(from, from_at, to, to_at, part_of(verdict, bytes), flags)
			: -1;

	end(verdict);
	return n;
}

ssize_t
sendfile64(int to, int from, off64_t *at, size_t bytes)
{
	struct verdict verdict = judge_fd(to);
	ssize_t n = may_change(verdict, to) ? REAL(sendfile64)(to, from, at, part_of(verdict, bytes)) : -1;

	end(verdict);
	return n;
}

int
ftruncate64(int fd, off64_t bytes)
{
	struct verdict verdict = judge_fd(fd);
	int r = may_change(verdict, fd) ? REAL(ftruncate64)(fd, bytes) : -1;

	end(verdict);
	return r;
}

int
fallocate64(int fd, int mode, off64_t at, off64_t bytes)
{
	struct verdict verdict = judge_fd(fd);
	int r = may_change(verdict, fd) ? REAL(fallocate64)(fd, mode, at, bytes) : -1;

	end(verdict);
	return r;
}

/* -- syncs -- */

static bool
is_durable(struct verdict verdict, int r)
{
	return verdict.is_under && r == 0 && !fault_control()->lies;
}

static int
synced(struct verdict verdict, int fd, int r)
{
	if (is_durable(verdict, r))
		shadow_synced(fd);
	end(verdict);
	return r;
}

int
fsync(int fd)
{
	struct verdict verdict = judge_fd(fd);

	return synced(verdict, fd, is_refused(verdict) ? -1 : REAL(fsync)(fd));
}

int
fdatasync(int fd)
{
	struct verdict verdict = judge_fd(fd);

	return synced(verdict, fd, is_refused(verdict) ? -1 : REAL(fdatasync)(fd));
}

int
syncfs(int fd)
{
	struct verdict verdict = judge_fd(fd);
	int r = is_refused(verdict) ? -1 : REAL(syncfs)(fd);

	if (is_durable(verdict, r))
		shadow_all_synced();
	end(verdict);
	return r;
}

/* -- names -- */

/* Opens what is there already, or makes a file; the first truncates it, perhaps. */
static int
open_changing(int dir, const char *name, int flags, mode_t mode)
{
	bool is_named = (flags & O_TMPFILE) != O_TMPFILE;
	struct stat st;
	bool is_new = !is_named || fstatat(dir, name, &st, 0) < 0;
	int number, fd;

	if (!is_new && flags & O_TRUNC && (fd = REAL(openat64)(dir, name, O_RDONLY | O_CLOEXEC)) >= 0) {
		shadow_before_change(fd);
		close(fd);
	}
	fd = REAL(openat64)(dir, name, flags, mode);
	if (fd < 0 || !is_new)
		return fd;
	shadow_is_new(fd);
	if (is_named) {
		number = shadow_begin(dir, NULL);
		shadow_made(number, dir, name);
	}
	return fd;
}

int
openat64(int dir, const char *name, int flags, ...)
{
	struct verdict verdict = { 0 };
	struct stat st;
	va_list rest;
	mode_t mode;
	int fd;

	va_start(rest, flags);
	mode = va_arg(rest, mode_t);
	va_end(rest);
	if (flags & O_TRUNC || (flags & O_TMPFILE) == O_TMPFILE ||
	    (flags & O_CREAT && fstatat(dir, name, &st, 0) < 0))
		verdict = judge_path(dir, name);
	if (is_refused(verdict))
		return -1;
	fd = verdict.is_under ? open_changing(dir, name, flags, mode) : REAL(openat64)(dir, name, flags, mode);
	end(verdict);
	return fd;
}

int
open64(const char *name, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = va_arg(rest, mode_t);
	va_end(rest);
	return openat64(AT_FDCWD, name, flags, mode);
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	struct verdict verdict = judge_path(to_dir, to);
	int number, r;

	if (is_refused(verdict))
		return -1;
	number = verdict.is_under ? shadow_begin(to_dir, flags & RENAME_NOREPLACE ? NULL : to) : -1;
	r = REAL(renameat2)(from_dir, from, to_dir, to, flags);
	if (r == 0)
		shadow_moved(number, from_dir, from, to_dir, to);
	else
		shadow_forget(number);
	end(verdict);
	return r;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int
rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int
made(struct verdict verdict, int dir, const char *name, int r)
{
	if (verdict.is_under && r == 0)
		shadow_made(shadow_begin(dir, NULL), dir, name);
	end(verdict);
	return r;
}

int
linkat(int from_dir, const char *from, int dir, const char *name, int flags)
{
	struct verdict verdict = judge_path(dir, name);

	return made(
	    verdict, dir, name, is_refused(verdict) ? -1 : REAL(linkat)(from_dir, from, dir, name, flags));
}

int
link(const char *from, const char *name)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, name, 0);
}

int
symlinkat(const char *target, int dir, const char *name)
{
	struct verdict verdict = judge_path(dir, name);

	return made(verdict, dir, name, is_refused(verdict) ? -1 : REAL(symlinkat)(target, dir, name));
}

int
symlink(const char *target, const char *name)
{
	return symlinkat(target, AT_FDCWD, name);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	struct verdict verdict = judge_path(dir, name);

	return made(verdict, dir, name, is_refused(verdict) ? -1 : REAL(mkdirat)(dir, name, mode));
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

int
unlinkat(int dir, const char *name, int flags)
{
	struct verdict verdict = judge_path(dir, name);
	int number, r;

	if (is_refused(verdict))
		return -1;
	number = verdict.is_under ? shadow_begin(dir, flags & AT_REMOVEDIR ? NULL : name) : -1;
	r = REAL(unlinkat)(dir, name, flags);
	if (r == 0)
		shadow_gone(number, dir, name);
	else
		shadow_forget(number);
	end(verdict);
	return r;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

/* The same under their other names, where off_t has 64 bits. */
#define ALSO(type, name, params, of) type name params __attribute__((alias(#of)));
ALSO(int, ftruncate, (int fd, off_t bytes), ftruncate64)
ALSO(int, fallocate, (int fd, int mode, off_t at, off_t bytes), fallocate64)
ALSO(ssize_t, pwrite, (int fd, const void *data, size_t bytes, off_t at), pwrite64)
ALSO(ssize_t, sendfile, (int to, int from, off_t *at, size_t bytes), sendfile64)
ALSO(int, openat, (int dir, const char *name, int flags, ...), openat64)
ALSO(int, open, (const char *name, int flags, ...), open64)
