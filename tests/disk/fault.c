#include "tests/disk/fault.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fault_control *control;

void *
fault_real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

struct fault_control *
fault_control(void)
{
	return control;
}

/* While the program is root still; its children share the page. */
__attribute__((constructor)) static void
find_control(void)
{
	int (*open_file)(const char *, int, ...) = NULL;
	const char *path = getenv("FAULT_CONTROL");
	void *page;
	int fd;

	if (!path)
		return;
	*(void **)&open_file = fault_real("open64");
	fd = open_file(path, O_RDWR | O_CLOEXEC);
	page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		perror(path);
		abort();
	}
	close(fd);
	control = page;
}

bool
fault_is_under(const char *path)
{
	const char *under = getenv("FAULT_UNDER"), *end;
	size_t bytes = strlen(path);

	if (bytes > 4 && !strcmp(path + bytes - 4, "-shm"))
		return false;
	for (; under && *under; under = *end ? end + 1 : end) {
		end = strchrnul(under, ':');
		bytes = (size_t)(end - under);
		if (!strncmp(path, under, bytes) && (path[bytes] == '/' || path[bytes] == '\0'))
			return true;
	}
	return false;
}

bool
fault_path(int fd, char *out, size_t room)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, room - 1);
	out[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

bool
fault_fd_is_under(int fd)
{
	char path[4200];

	return control && fault_path(fd, path, sizeof(path)) && fault_is_under(path);
}
