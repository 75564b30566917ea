/** What ECUs should run: the open assignments, and what of all this the store must keep. */
#ifndef STATE_ASSIGNMENT_H
#define STATE_ASSIGNMENT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"
#include "state/state.h"

/** "urn:here-ota:mtu:" and a UUID. */
#define STATE_CORRELATION_MAX 128

struct reader;

struct assignment {
	char ecu[NAME_ECU_MAX + 1];
	char hardware[NAME_HARDWARE_MAX + 1];
	char target[NAME_TARGET_MAX + 1];
	char sha256[DIGEST_HEX_SIZE];
	int64_t length; /**< bytes; 0 for an OSTree commit */
	char format[8]; /**< OSTREE or BINARY */
	char correlation[STATE_CORRELATION_MAX];
	int64_t created_at;
	int64_t in_flight_at; /**< when the device may first have read of it; 0: not yet */
	int64_t number;       /**< grows with each assignment of the fleet; not to be set */
};

/** Open assignments, ordered by ECU; the caller frees @out. */
int state_assignments(
    struct state *state, const char *device, struct assignment **out, size_t *count, struct err *err);
/** Each of these lets the polls be counted anew. */
int state_assignment_add(
    struct state *state, const char *device, const struct assignment *assignment, struct err *err);
int state_assignment_close(struct state *state, const char *device, const char *ecu, struct err *err);

/** Lines "DEVICE ECU installed" and "DEVICE ECU assigned" of all who run or should run @target. */
int state_users(struct state *state, const char *target, state_name_fn each, void *context, struct err *err);

/** The devices that have an open assignment of @target. */
int state_assigned_devices(
    struct state *state, const char *target, state_name_fn each, void *context, struct err *err);

/**
 * What the fleet needs: each target file and sha256 that is assigned, and each sha256 and hardware id that ECUs
 * run, with the number of assignments or devices. A result of @each that is not 0 ends it and is returned.
 */
typedef int (*state_need_fn)(const char *what, const char *more, int64_t devices, void *context);
int state_assigned(struct state *state, state_need_fn each, void *context, struct err *err);
int state_running(struct state *state, state_need_fn each, void *context, struct err *err);
/** The same by a connection that only reads, between reader_begin() and reader_end() (find.h): they go through
 * the whole fleet. */
int reader_assigned(struct reader *reader, state_need_fn each, void *context, struct err *err);
int reader_running(struct reader *reader, state_need_fn each, void *context, struct err *err);
/** Grows when what these give may have changed. */
int64_t state_needs(const struct state *state);

#endif
