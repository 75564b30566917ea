/** Another program that does one piece of work in the background, at idle priority, within limits. */
#ifndef STORE_CHILD_H
#define STORE_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct child_limits {
	int64_t seconds;     /**< killed after so long */
	int64_t cpu_seconds; /**< of processor time */
	uint64_t file_bytes; /**< of any one file that it writes */
};

/** Whether the caller is to end; asked every CHILD_LOOK_MS. */
typedef bool child_stop(void *data);
#define CHILD_LOOK_MS 50

/**
 * Runs @argv, found in PATH, with nothing to read, its output thrown away, and waits for it. It dies with the
 * thread that called. Returns 0 when it exits with 0; -ECANCELED when @is_stopped said so; -ETIME when it took
 * too long; else another -errno, with the last line that it wrote to standard error.
 */
int child_run(const char *const *argv, const struct child_limits *limits, child_stop *is_stopped, void *data,
    struct err *err);

#endif
