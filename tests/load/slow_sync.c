/*
 * For LD_PRELOAD: every fsync and fdatasync takes SLOW_SYNC_MS longer, and is noted in the file SLOW_SYNC_LOG
 * as "BEGIN END FILE", microseconds of the clock that nobody sets. So a program can be held against what was on
 * disk when it answered, and against a disk that is not as fast as this one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Before the program gives up what it does not need, and this is nothing that it needs. */
static int log_fd = -1;

static void __attribute__((constructor)) open_log(void)
{
	const char *path = getenv("SLOW_SYNC_LOG");

	if (path)
		log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

static void
note(long long begin, int synced)
{
	char link[64], file[512] = { 0 };

	if (log_fd < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", synced);
	if (readlink(link, file, sizeof(file) - 1) < 0)
		file[0] = '?';
	dprintf(log_fd, "%lld %lld %s\n", begin, now_us(), file);
}

static int
slowly(const char *name, int fd)
{
	const char *ms = getenv("SLOW_SYNC_MS");
	int (*sync_now)(int) = NULL;
	long long begin = now_us();
	int r;

	*(void **)&sync_now = dlsym(RTLD_NEXT, name);
	if (ms)
		usleep((useconds_t)atoi(ms) * 1000);
	r = sync_now(fd);
	note(begin, fd);
	return r;
}

int
fsync(int fd)
{
	return slowly("fsync", fd);
}

int
fdatasync(int fd)
{
	return slowly("fdatasync", fd);
}
