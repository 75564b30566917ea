#include "otafs/requests.h"

static const char *const names[OPERATION_COUNT] = {
	[OPERATION_LOOKUP] = "lookup",
	[OPERATION_FORGET] = "forget",
	[OPERATION_GETATTR] = "getattr",
	[OPERATION_SETATTR] = "setattr",
	[OPERATION_READLINK] = "readlink",
	[OPERATION_OPEN] = "open",
	[OPERATION_READ] = "read",
	[OPERATION_WRITE] = "write",
	[OPERATION_IOCTL] = "ioctl",
	[OPERATION_FLUSH] = "flush",
	[OPERATION_RELEASE] = "release",
	[OPERATION_FSYNC] = "fsync",
	[OPERATION_OPENDIR] = "opendir",
	[OPERATION_READDIR] = "readdir",
	[OPERATION_RELEASEDIR] = "releasedir",
	[OPERATION_MKDIR] = "mkdir",
	[OPERATION_RMDIR] = "rmdir",
	[OPERATION_UNLINK] = "unlink",
	[OPERATION_SYMLINK] = "symlink",
	[OPERATION_RENAME] = "rename",
	[OPERATION_REFUSED] = "refused",
};

void
requests_count(struct requests *requests, enum operation operation)
{
	atomic_fetch_add_explicit(&requests->count[operation], 1, memory_order_relaxed);
}

void
requests_print(struct requests *requests, const char *view, FILE *out)
{
	for (enum operation i = 0; i < OPERATION_COUNT; i++)
		fprintf(out, "otafs_requests_total{view=\"%s\",operation=\"%s\"} %llu\n", view, names[i],
		    atomic_load_explicit(&requests->count[i], memory_order_relaxed));
}
