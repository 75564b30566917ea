/**
 * Counts what the kernel asks of one of the two mounts, by operation. What it answers by itself is not seen:
 * that a read costs no request shows in what is not counted. The counters are those of this process, from 0 on.
 *
 * What no callback is for (statfs, access, getxattr, an interrupt) is answered by libfuse and not counted.
 */
#ifndef OTAFS_REQUESTS_H
#define OTAFS_REQUESTS_H

#include <stdatomic.h>
#include <stdio.h>

enum operation {
	OPERATION_LOOKUP,
	OPERATION_FORGET, /**< nothing is answered to it; one for many inodes counts as one */
	OPERATION_GETATTR,
	OPERATION_SETATTR,
	OPERATION_READLINK,
	OPERATION_OPEN,
	OPERATION_READ,
	OPERATION_WRITE,
	OPERATION_IOCTL,
	OPERATION_FLUSH,
	OPERATION_RELEASE,
	OPERATION_FSYNC,
	OPERATION_OPENDIR,
	OPERATION_READDIR,
	OPERATION_RELEASEDIR,
	OPERATION_MKDIR,
	OPERATION_RMDIR,
	OPERATION_UNLINK,
	OPERATION_SYMLINK,
	OPERATION_RENAME,
	OPERATION_REFUSED, /**< mknod, create, link: of no use here */
	OPERATION_COUNT
};

/** All 0 at the start. */
struct requests {
	atomic_ullong count[OPERATION_COUNT];
};

/** For any thread. */
void requests_count(struct requests *requests, enum operation operation);

/** Prints a line for each operation, in the text format of Prometheus. */
void requests_print(struct requests *requests, const char *view, FILE *out);

#endif
