#include "tests/unit/fault.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

static int left = -1; /* calls until the fault; -1: none is planned */
static int reached;
static int is_for_good;
static int trouble = EIO;

void
fault_after(int calls)
{
	left = calls;
	reached = is_for_good = 0;
}

void
fault_from(int calls)
{
	fault_after(calls);
	is_for_good = 1;
}

void
fault_code(int code)
{
	trouble = code;
}

int
fault_stop(void)
{
	left = -1;
	return reached;
}

int
fault_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int
fails(int code)
{
	if (left < 0 || left-- > 0)
		return 0;
	if (is_for_good)
		left = 0;
	reached = 1;
	errno = code;
	return 1;
}

#define WRAP(type, code, failure, name, parameters, arguments)                                                 \
	type __real_##name parameters;                                                                         \
	type __wrap_##name parameters;                                                                         \
	type __wrap_##name parameters                                                                          \
	{                                                                                                      \
		return fails(code) ? (failure) : __real_##name arguments;                                      \
	}

WRAP(void *, ENOMEM, NULL, malloc, (size_t n), (n))
WRAP(void *, ENOMEM, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, ENOMEM, NULL, realloc, (void *p, size_t n), (p, n))
WRAP(char *, ENOMEM, NULL, strdup, (const char *text), (text))
WRAP(ssize_t, trouble, -1, write, (int fd, const void *data, size_t n), (fd, data, n))
WRAP(int, trouble, -1, fsync, (int fd), (fd))
WRAP(int, trouble, -1, fdatasync, (int fd), (fd))
WRAP(int, trouble, -1, ftruncate64, (int fd, off_t bytes), (fd, bytes))
WRAP(int, trouble, -1, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))

WRAP(int, trouble, -1, renameat2, (int from, const char *old, int to, const char *new, unsigned flags),
    (from, old, to, new, flags))

/* With 64-bit file offsets openat() is openat64(). */
int __real_openat64(int dir, const char *name, int flags, ...);
int __wrap_openat64(int dir, const char *name, int flags, ...);

int
__wrap_openat64(int dir, const char *name, int flags, ...)
{
	va_list args;
	unsigned mode;

	va_start(args, flags);
	mode = va_arg(args, unsigned);
	va_end(args);
	return fails(trouble) ? -1 : __real_openat64(dir, name, flags, mode);
}
