/** Device ids that come in by nobody but an administrator: those of devices that were deleted. */
#ifndef STATE_BLOCKED_H
#define STATE_BLOCKED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

struct blocked {
	int64_t created_at;
	char who[STATE_WHO_MAX];
};

/** STATE_EXISTS: it is blocked already. */
int state_blocked_add(struct state *state, const char *device, const char *who, int64_t now, struct err *err);
/** STATE_NONE: it is not. */
int state_blocked_remove(struct state *state, const char *device, struct err *err);
/** STATE_NONE, or 0 and @out. */
int state_blocked(struct state *state, const char *device, struct blocked *out, struct err *err);
/** The first @most ids behind @after ("" for the start), in order. */
int state_blocked_page(
    struct state *state, const char *after, int64_t most, state_name_fn each, void *context, struct err *err);

#endif
