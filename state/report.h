/** What devices tell about themselves: the last body of each kind, and events. */
#ifndef STATE_REPORT_H
#define STATE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** The last body of a kind (system_info, network, ...) that a device handed in; the caller frees @body. */
int state_report_put(struct state *state, const char *device, const char *kind, const char *body, size_t bytes,
    int64_t now, struct err *err);
int state_report(struct state *state, const char *device, const char *kind, char **body, size_t *bytes,
    int64_t *received_at, struct err *err);

/** Calls @each with each kind that was handed in, "", and when; until it returns other than 0, which is passed
 * on. */
int state_reports(struct state *state, const char *device,
    int (*each)(const char *kind, const char *unused, int64_t received_at, void *context), void *context,
    struct err *err);

/** STATE_EXISTS when an event of that id is there already. */
int state_event_add(
    struct state *state, const char *device, const char *id, const char *body, int64_t now, struct err *err);

/** So many of a device are kept, the newest; a device may hand in as many as it likes. */
#define STATE_EVENTS_MAX 10000
/** Lets go of older ones. */
int state_events_trim(struct state *state, const char *device, struct err *err);

/** Calls @each with up to @most events behind number @after, oldest first, until it returns other than 0, which
 * is passed on. */
typedef int (*state_event_fn)(const char *body, const char *unused, int64_t number, void *context);
int state_events(struct state *state, const char *device, int64_t after, int64_t most, state_event_fn each,
    void *context, struct err *err);

/** Calls @each with the newest event only. */
int
state_event_last(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

#endif
