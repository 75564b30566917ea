/** Devices: one row each. */
#ifndef STATE_DEVICE_H
#define STATE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"
#include "state/standing.h"
#include "state/state.h"

/** Bytes of UTF-8 of a device's name. */
#define STATE_DEVICE_NAME_MAX 200
/** Bytes of UTF-8 of the notes about a device. */
#define STATE_DEVICE_NOTES_MAX (16 * 1024)

struct device {
	char id[NAME_DEVICE_MAX + 1];
	int64_t number;  /**< given when it was added, and to no other; another one when it is added again */
	int64_t counter; /**< grows with each change of what the device should install */
	int64_t created_at;
	int64_t changed_at;                 /**< when anything about it last changed */
	int64_t seen_at;                    /**< when it last handed something in; 0: never */
	char primary_ecu[NAME_ECU_MAX + 1]; /**< empty: it has not registered its ECUs */
	char why[ERR_TEXT_MAX];             /**< the last refusal in words; empty: none */
	int64_t why_at;
	char failure[ERR_TEXT_MAX]; /**< how the last update failed; empty: it did not, or there was none */
	char status[STATE_STANDING_SIZE];     /**< a name of otafs/standing.h */
	char name[STATE_DEVICE_NAME_MAX + 1]; /**< what people call it; empty: nothing */
	int64_t activated_at;                 /**< when it first handed something in; 0: never */
	int64_t polls;                        /**< manifests since its open update was made or last moved on */
	char report_digest[DIGEST_HEX_SIZE]; /**< of the installation report that was taken last; empty: none */
	char manifest_digest[DIGEST_HEX_SIZE]; /**< of the manifest that was taken last; empty: none */
	int64_t ordered; /**< orders up to this number are none of its business any more (state/order.h) */
};

/** A device that was removed before goes on above its old counter: its versions never go back. */
int state_device_add(struct state *state, const char *id, int64_t now, struct err *err);
/** Removes all but the history and the counter, from which a device of the same id goes on. */
int state_device_remove(struct state *state, const char *id, struct err *err);
int state_device(struct state *state, const char *id, struct device *out, struct err *err);
int state_device_ordered(struct state *state, const char *id, int64_t number, struct err *err);
/** Which device has that number: 0, or STATE_NONE. */
int state_device_numbered(
    struct state *state, int64_t number, char id[static NAME_DEVICE_MAX + 1], struct err *err);
/** What the device should install has changed: its counter grows. */
int state_device_bump(struct state *state, const char *id, int64_t now, struct err *err);
int state_device_primary(struct state *state, const char *id, const char *ecu, struct err *err);
int state_device_why(struct state *state, const char *id, const char *why, int64_t now, struct err *err);
/** How the last update failed, "" when one did not. */
int state_device_failure(struct state *state, const char *id, const char *failure, struct err *err);
/** The installation report that was taken last, by its SHA-256. */
int state_device_report(struct state *state, const char *id, const char *digest, struct err *err);
int state_device_name(struct state *state, const char *id, const char *name, int64_t now, struct err *err);
/** The notes about it, "" when there are none; the caller frees @notes. */
int state_device_notes(struct state *state, const char *id, char **notes, struct err *err);
int
state_device_set_notes(struct state *state, const char *id, const char *notes, int64_t now, struct err *err);
/** It handed something in for the first time; later calls change nothing. */
int state_device_activated(struct state *state, const char *id, int64_t now, struct err *err);

/** Up to @most ids after @after that begin with @prefix, in order; "" is before all, and all begin with it. */
int state_device_page(struct state *state, const char *prefix, const char *after, int64_t most,
    state_name_fn each, void *context, struct err *err);

/** The same with what people wrote about them. */
typedef int (*state_labels_fn)(const char *id, const char *name, const char *notes, void *context);
int state_device_labels(
    struct state *state, const char *after, int64_t most, state_labels_fn each, void *context, struct err *err);

#endif
