/**
 * The status of a device: one word, that follows from what is stored about it.
 *
 * standing_of() is the whole rule; docs/STATES.md has it as a table, of whose every line there is a test.
 */
#ifndef OTAFS_STANDING_H
#define OTAFS_STANDING_H

#include <stdbool.h>

#include "otafs/core.h"

#define STANDING_NOT_SEEN "NotSeen"                 /**< it has never handed anything in */
#define STANDING_NOT_REGISTERED "NotRegistered"     /**< it has, but has not told its ECUs */
#define STANDING_UP_TO_DATE "UpToDate"              /**< nothing is open, scheduled, or has failed */
#define STANDING_UPDATE_SCHEDULED "UpdateScheduled" /**< an update begins later */
#define STANDING_UPDATE_PENDING "UpdatePending"     /**< one is open, and the device has not read of it yet */
#define STANDING_IN_FLIGHT "InFlight"               /**< one is open, and the device may have read of it */
#define STANDING_UNRESPONSIVE "Unresponsive"        /**< one is open, and it polls without a sign of it */
#define STANDING_ERROR "Error"                      /**< the last update failed, and nothing is open */

/** All of them, for who tells of each. */
extern const char *const standing_names[];
extern const size_t standing_name_count;

/** What the status follows from. */
struct facts {
	bool is_seen;         /**< it has handed something in */
	bool is_registered;   /**< it has told its ECUs */
	bool is_open;         /**< an assignment is open */
	bool is_in_flight;    /**< one that the device may have read */
	bool is_unresponsive; /**< it has polled unresponsive_polls times since the update moved on */
	bool is_failed;       /**< the last update that ended has failed */
	bool is_scheduled;    /**< an update begins later */
};

/** The rule: one of the words above. */
const char *standing_of(const struct facts *facts);

/** Reads the facts about @device. */
int standing_facts(struct core *core, const struct device *device, struct facts *out, struct err *err);

/**
 * Finds the status of @device anew and stores it if it is another. To be called within the transaction of every
 * change of facts, after it. A device that is not there (any more) is none to update: 0.
 */
int standing_update(struct core *core, const char *device, struct err *err);

/**
 * Notes that @device has handed something in just now; the first time makes it activated, and is stored at
 * once. Calls standing_update() then. Within a transaction.
 */
int standing_seen(struct core *core, const struct device *device, int64_t now, struct err *err);

/** How many devices have that status now. Cheap, however large the fleet is. */
int standing_count(struct core *core, const char *status, int64_t *devices, struct err *err);

#endif
