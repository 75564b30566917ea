/* For LD_PRELOAD: a kernel before Linux 6.9, which sends no request of FUSE again (FUSE_NOTIFY_RESEND). */
#include <dlfcn.h>
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#define NOTIFY_RESEND 7

ssize_t
write(int fd, const void *data, size_t bytes)
{
	static ssize_t (*next)(int fd, const void *data, size_t bytes);
	struct fuse_out_header header;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "write");
	if (bytes == sizeof(header)) {
		memcpy(&header, data, sizeof(header));
		if (header.unique == 0 && header.error == NOTIFY_RESEND && header.len == bytes) {
			errno = EINVAL;
			return -1;
		}
	}
	return next(fd, data, bytes);
}
