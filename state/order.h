/**
 * Orders to groups, and a receipt for each member that has had its part in one.
 *
 * An order is one row, however many members there are. Each device knows up to which number orders are none of
 * its business any more (struct device, ordered): it has had its part in them, was no member, or came later.
 */
#ifndef STATE_ORDER_H
#define STATE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "state/assignment.h"
#include "state/group.h"
#include "state/state.h"

/** Bytes of what is ordered: some lines, of which one has at most PACKAGE VERSION ECU and a time. */
#define STATE_ORDER_TEXT_MAX 4096

enum order_phase {
	ORDER_WORKING = 1,  /**< some members may have yet to have their part */
	ORDER_FINISHED = 2, /**< all have had it */
	ORDER_STALE = 3,    /**< a newer one has taken its place: to be removed */
	ORDER_STOPPED = 4,  /**< who had not had it was passed over */
};

struct group_order {
	int64_t number; /**< grows from order to order of all groups, and is never used again */
	char name[NAME_GROUP_MAX + 1];
	char rule[STATE_GROUP_RULE_MAX + 1]; /**< the group's, when it was given; empty: who was put in */
	char text[STATE_ORDER_TEXT_MAX + 1];
	char who[STATE_WHO_MAX];
	char correlation[STATE_CORRELATION_MAX];
	enum order_phase phase;
	int64_t started_at, finished_at;  /**< finished_at is 0 until it is */
	int64_t taken, refused;           /**< members that have had their part */
	char cursor[NAME_DEVICE_MAX + 1]; /**< members up to this id are among them */
};

enum receipt_result { RECEIPT_TAKEN = 1, RECEIPT_REFUSED = 2 };

/** Stores a new order, whose number is set; nobody has had a part in it. */
int state_order_add(struct state *state, struct group_order *order, struct err *err);
/** It is @phase since @now. */
int state_order_end(struct state *state, int64_t number, enum order_phase phase, int64_t now, struct err *err);
int state_order_cursor(struct state *state, int64_t number, const char *cursor, struct err *err);
/** The receipts have to be gone. */
int state_order_remove(struct state *state, int64_t number, struct err *err);
/** 0 or STATE_NONE: order @number; the one of the group @name that is being worked off; the last one that is
 * not stale; the first in @phase behind number @after. */
int state_order(struct state *state, int64_t number, struct group_order *out, struct err *err);
int state_order_open(struct state *state, const char *name, struct group_order *out, struct err *err);
int state_order_last(struct state *state, const char *name, struct group_order *out, struct err *err);
int state_order_next(
    struct state *state, enum order_phase phase, int64_t after, struct group_order *out, struct err *err);
/** Makes all of the group but @number (0: none) stale. */
int state_orders_stale(struct state *state, const char *name, int64_t number, struct err *err);
int state_orders_rename(struct state *state, const char *name, const char *as, struct err *err);

/** @device has had its part, and is counted. */
int state_receipt_add(struct state *state, int64_t number, const char *device, enum receipt_result result,
    const char *text, struct err *err);
/** The first @most receipts behind device @after, in order. Returns 0, -errno, or what @each did. */
typedef int (*state_receipt_fn)(
    const char *device, enum receipt_result result, const char *text, void *context);
int state_receipts(struct state *state, int64_t number, const char *after, int64_t most, state_receipt_fn each,
    void *context, struct err *err);
/** Removes some; returns how many, or -errno. */
int state_receipts_remove(struct state *state, int64_t number, int64_t most, struct err *err);

#endif
