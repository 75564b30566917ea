/**
 * What an administrator writes into devices/ID/assign, and what reading it shows.
 *
 *     PACKAGE VERSION [ECU]     one line or several in one write: one update with one correlation id
 *     cancel                    takes back all that is open
 *
 * Everything that would make the device refuse in silence is checked here (aktualizr-wire 2.7, 2.8, 2.10).
 * The ECU's serial is the rest of the line, for it may have spaces in it. Without an ECU the package goes to
 * every ECU of a fitting hardware id. A device has one open update at a time.
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
 * runs it already; -EBUSY another update is open; -ENXIO the device has not registered its ECUs; -EFBIG the
 * document would be too large; -ENODATA nothing to cancel; or another -errno.
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

/** Prints what is open, one line for each ECU; nothing when nothing is. */
int assign_print(struct core *core, const struct device *device, FILE *out, struct err *err);

#endif
