/** What happened, and who did it. */
#ifndef STATE_HISTORY_H
#define STATE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** History is only ever added to. A line is shown as "TIME TEXT". */
int state_history_add(struct state *state, const char *device, const char *text, int64_t now, struct err *err);
int state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

#endif
