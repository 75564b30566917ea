/** Orders to groups, each worked off member by member, and a receipt for each member. */
#ifndef STATE_ORDER_H
#define STATE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "state/assignment.h"
#include "state/state.h"

/** Bytes of what is ordered: some lines, of which one has at most PACKAGE VERSION ECU and a time. */
#define STATE_ORDER_TEXT_MAX 4096

enum order_phase {
	ORDER_COLLECTING = 0, /**< its receipts are being made; nothing was done yet */
	ORDER_WORKING = 1,    /**< all receipts are there, some are waiting */
	ORDER_FINISHED = 2,   /**< no receipt is waiting */
	ORDER_STALE = 3,      /**< a newer one has taken its place, or it was given up: to be removed */
};

struct group_order {
	int64_t number; /**< grows from order to order of all groups */
	char name[NAME_GROUP_MAX + 1];
	char text[STATE_ORDER_TEXT_MAX + 1];
	char who[STATE_WHO_MAX];
	char correlation[STATE_CORRELATION_MAX];
	enum order_phase phase;
	int64_t started_at, finished_at; /**< finished_at is 0 until it is */
	int64_t members, taken, refused; /**< the rest of the members is waiting */
};

enum receipt_result { RECEIPT_WAITING = 0, RECEIPT_TAKEN = 1, RECEIPT_REFUSED = 2 };

/** Stores a new order, of all but its number, which is set. */
int state_order_add(struct state *state, struct group_order *order, struct err *err);
/** Stores phase, finished_at and the counts. */
int state_order_update(struct state *state, const struct group_order *order, struct err *err);
/** The receipts have to be gone. */
int state_order_remove(struct state *state, int64_t number, struct err *err);
/** 0 or STATE_NONE: the order that is being collected or worked off for the group @name; the last one that was
 * collected; the first in @phase behind number @after. */
int state_order_open(struct state *state, const char *name, struct group_order *out, struct err *err);
int state_order_last(struct state *state, const char *name, struct group_order *out, struct err *err);
int state_order_next(
    struct state *state, enum order_phase phase, int64_t after, struct group_order *out, struct err *err);
/** Makes all of the group but @number (0: none) stale. */
int state_orders_stale(struct state *state, const char *name, int64_t number, struct err *err);
int state_orders_rename(struct state *state, const char *name, const char *as, struct err *err);

/** Adds a waiting one; one that is there stays as it is. */
int state_receipt_add(struct state *state, int64_t number, const char *device, struct err *err);
int state_receipt_set(struct state *state, int64_t number, const char *device, enum receipt_result result,
    const char *text, struct err *err);
/** All that are waiting are refused with @text; returns how many, or -errno. */
int state_receipts_stop(struct state *state, int64_t number, const char *text, struct err *err);
/** The first @most devices that are waiting, in order. */
int state_receipts_waiting(
    struct state *state, int64_t number, int64_t most, state_name_fn each, void *context, struct err *err);
/** The first @most receipts behind device @after, in order. Returns 0, -errno, or what @each did. */
typedef int (*state_receipt_fn)(
    const char *device, enum receipt_result result, const char *text, void *context);
int state_receipts(struct state *state, int64_t number, const char *after, int64_t most, state_receipt_fn each,
    void *context, struct err *err);
/** Removes some; returns how many, or -errno. */
int state_receipts_remove(struct state *state, int64_t number, int64_t most, struct err *err);

#endif
