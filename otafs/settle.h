/**
 * Takes over what a manifest says, after its signatures were checked: what the ECUs run, how the update went,
 * and what becomes of each open assignment (outcome.h).
 */
#ifndef OTAFS_SETTLE_H
#define OTAFS_SETTLE_H

#include "otafs/core.h"
#include "otafs/told.h"

struct settling {
	struct core *core;
	const struct device *device;
	const struct told *told;
	struct ecu *ecus; /**< registered ones; what is taken over is changed here too */
	size_t ecu_count;
	struct assignment *open; /**< those that end get an empty target */
	size_t open_count;
	int64_t now;

	/* Set by settle(). */
	bool is_changed; /**< something was stored */
	size_t ended;    /**< assignments that are not open any more */

	/* Inside. */
	char digest[DIGEST_HEX_SIZE];
	char failure[ERR_TEXT_MAX];
};

/** Within a transaction. Stores all but counter, polls, and that the device was seen. 0 or -errno. */
int settle(struct settling *settling, struct err *err);

/** The part of settle() that is about what each ECU runs (settle_ecus.c). 0 or -errno. */
int settle_ecus(struct settling *settling, struct err *err);

/** What is told of ECU @serial and is to be believed; NULL: nothing. */
const struct told_ecu *settle_believed(const struct settling *settling, const char *serial);

/** Adds a line to the history of the settling's device, about what @about says; control characters are escaped.
 */
int settle_tell(struct settling *settling, struct happening about, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
