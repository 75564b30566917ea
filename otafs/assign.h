/**
 * What an administrator writes into devices/ID/assign, and what reading it shows.
 *
 *     PACKAGE VERSION [ECU]     one line or several in one write: one update with one correlation id (update.h)
 *     cancel [CORRELATION]      takes back all that is open and scheduled, or that update alone, unless the
 * device has read of it cancel! [CORRELATION]     even then at TIME ...               the lines of an update,
 * which begins then (schedule.h) follow PACKAGE [ECU]      each newer version comes by itself (follow.h)
 *     unfollow PACKAGE [ECU]
 *
 * A device has one open update at a time. These words are commands, whatever packages are called.
 */
#ifndef OTAFS_ASSIGN_H
#define OTAFS_ASSIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "otafs/core.h"
#include "state/installation.h"

/** Bytes of one write: a line for each of 100 ECUs. */
#define ASSIGN_BYTES_MAX (64 * 1024)

/** By whom, and how far, a command is carried out. */
struct assign_how {
	const char *who;         /**< is named in the history */
	const char *correlation; /**< of the update that it makes; NULL: a new one */
	bool is_check;           /**< all is looked at, and nothing is stored */
	FILE *told;              /**< gets in words what was done or would be, a line for each thing; NULL */
};

/**
 * Does what @text says, whole or not at all, durably before it returns, unless it is called within a
 * transaction: then it is durable with that.
 *
 * Returns 0; -ENOENT no such package, version or ECU; -EINVAL does not parse or does not fit; -EEXIST the ECU
 * runs it already; -EBUSY another update is open, or the one to be cancelled
 * is in flight; -ENXIO the device has not registered its ECUs; -EFBIG the
 * document would be too large; -ENODATA nothing to cancel or unfollow; or another
 * -errno.
 */
int assign_do(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err);

/**
 * Ends one open assignment and notes in the installations what became of it: @result is one of
 * state/installation.h, @code and @text are the device's or empty, and are cut and escaped here. Within a
 * transaction; history, counter and standing_update() are the caller's. 0 or -errno.
 */
int assign_finish(struct core *core, const char *device, const struct assignment *assignment,
    const char *result, const char *code, const char *text, int64_t now, struct err *err);

/** Prints what is open, scheduled, followed, and what was finished last, one line for each. */
int assign_print(struct core *core, const struct device *device, FILE *out, struct err *err);

#endif
