/** The loop of ota-gate: takes connections, keeps time, ends. */
#ifndef GATEWAY_GATE_H
#define GATEWAY_GATE_H

#include <stdbool.h>

#include "gateway/pool.h"
#include "lib/config.h"

/** Connections that are served when the program ends may take so long. */
#define GATE_STOP_SECONDS 30

/** Not all of them came to an end: the pool still works for them, and only the end of the process ends that. */
#define GATE_LEFT 1

/**
 * Serves connections on @listener (non-blocking) until @signals is readable (see program_signals()), then lets
 * those that are open end. More connections than descriptors wait in the socket's queue. @is_inherited: the
 * socket outlives the process, and who waits there waits for the next one; otherwise those are served before
 * the end, too, and others are refused by the kernel.
 *
 * Returns 0, GATE_LEFT, or -errno.
 */
int gate_run(const struct config *config, struct pool *pool, int listener, bool is_inherited, int signals,
    struct err *err);

#endif
