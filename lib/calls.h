/**
 * Which system calls a process may make from now on: an allow-list in the kernel, seccomp(2), for all its
 * threads and for what it starts.
 *
 * A call that is not on the list fails with EPERM, and one that is newer than the list with ENOSYS, for which
 * libraries have a way round. Nobody is killed, but by calls of another kind of processor: a library that tries
 * something new goes on as far as it can.
 */
#ifndef LIB_CALLS_H
#define LIB_CALLS_H

#include <stdbool.h>

#include "lib/err.h"

/** There is no filter for this processor, or in this kernel, or somebody above forbids it. */
#define CALLS_NO_FILTER 1

/**
 * From now on: files, memory, threads, time, Unix sockets that are connected or accepted; signals to its own
 * user. No sockets of other families, and none that listens anew; no other user, mount, namespace, module,
 * debugger or io_uring; a thread may get descriptors of its own (otafs/life.h). With @runs it may start
 * programs, which are held to the same; else there is no second process.
 *
 * no_new_privs has to be set. Returns 0, CALLS_NO_FILTER or -errno.
 */
int calls_filter(bool runs, struct err *err);

#endif
