/** What happened, when, and who did it. It is only ever added to. */
#ifndef STATE_HISTORY_H
#define STATE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** One thing that happened. What is NULL is not told. */
struct happening {
	const char *device; /**< "" when it is about no single device */
	int64_t at;
	const char *who;  /**< "uid 1000 (anna)", "device" (itself), or "otafs" */
	const char *what; /**< one word for programs: "assigned", "cancelled", "installed", "failed", ... */
	const char *text; /**< for people; control characters are escaped already */
	const char *ecu, *target, *correlation;
};

/** Adds one, within the transaction of what it tells. */
int state_happened(struct state *state, const struct happening *happening, struct err *err);

/** The same, by nobody in particular. */
int state_history_add(struct state *state, const char *device, const char *text, int64_t now, struct err *err);

/** Calls @each with the lines about one device, oldest first: "TIME TEXT". */
int state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

#endif
