/** Certificates that were revoked by name, so that no CA of the fleet brings them back. */
#ifndef STATE_REVOKED_H
#define STATE_REVOKED_H

#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** What is revoked already stays so. */
int state_revoked_add(
    struct state *state, const char *device, const char *serial, const char *who, int64_t now, struct err *err);
/** STATE_NONE: it was not. */
int state_revoked_remove(struct state *state, const char *device, const char *serial, struct err *err);
/** 0: it was revoked; STATE_NONE. */
int state_revoked(struct state *state, const char *device, const char *serial, struct err *err);

#endif
