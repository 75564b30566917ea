/** Updates that begin at a time: commands as they were written, until then. */
#ifndef STATE_SCHEDULE_H
#define STATE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"
#include "state/assignment.h"

struct schedule {
	char device[NAME_DEVICE_MAX + 1];
	char correlation[STATE_CORRELATION_MAX]; /**< that the update will have */
	char who[STATE_WHO_MAX];
	int64_t at; /**< it begins no earlier */
	int64_t created_at;
	char *text; /**< lines as written into "assign" */
};

/** STATE_EXISTS when the device has one with that correlation id. */
int state_schedule_add(struct state *state, const struct schedule *schedule, struct err *err);
int state_schedule_remove(struct state *state, const char *device, const char *correlation, struct err *err);

/** Those of a device in the order of their times; the caller frees them by state_schedules_free(). */
int
state_schedules(struct state *state, const char *device, struct schedule **out, size_t *count, struct err *err);
/** The first @most that are due at @now and whose devices have nothing open. */
int state_schedules_due(
    struct state *state, int64_t now, size_t most, struct schedule **out, size_t *count, struct err *err);
void state_schedules_free(struct schedule *list, size_t count);

/** The first time after @now at which one begins; 0: none. */
int state_schedule_next(struct state *state, int64_t now, int64_t *at, struct err *err);

#endif
