/** What the status of a device follows from, the status that is stored, and how many devices have each. */
#ifndef STATE_STANDING_H
#define STATE_STANDING_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** Different statuses there may be; otafs/standing.h has their names. */
#define STATE_STANDINGS_MAX 16
/** Longest name of a status with its 0. */
#define STATE_STANDING_SIZE 16

/** How much of a device is under way. */
struct state_underway {
	int64_t open;      /**< open assignments */
	int64_t in_flight; /**< of these, what the device may have read */
	int64_t scheduled; /**< updates that begin later */
};
int state_underway(struct state *state, const char *device, struct state_underway *out, struct err *err);

/** Stores the status of @device, which was @was. STATE_NONE: there is no such device. */
int
state_standing(struct state *state, const char *device, const char *was, const char *status, struct err *err);

struct state_standing_count {
	char status[STATE_STANDING_SIZE];
	int64_t devices;
};

/**
 * How many devices have each status; statuses that none ever had since the start are missing. Counted once and
 * kept up to date from then on, so the cost does not grow with the fleet; counted anew after a transaction was
 * taken back. *@out is borrowed until the next call.
 */
int
state_standings(struct state *state, const struct state_standing_count **out, size_t *count, struct err *err);

#endif
