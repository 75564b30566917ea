/**
 * Orders to groups: what is written into groups/NAME/assign is done to each member, as if it were written into
 * devices/ID/assign of each.
 *
 * Who is a member is settled first: each gets a receipt that waits. Then they are worked off, ORDER_SLICE in a
 * transaction, in turn with the reports of devices, which are held up no longer than that. All updates of an
 * order have one correlation id, but those of what is followed. An order that was begun is carried on after a
 * crash; one whose members were still being settled has done nothing, and is forgotten.
 *
 * A group has one order at a time; its receipts stay until the next one has settled its members, or the group
 * is deleted.
 *
 * The kernel lets one write to a file pass at a time, so another order to the group waits in it; only one that
 * is carried on after a crash is in the way of others.
 */
#ifndef OTAFS_ORDER_H
#define OTAFS_ORDER_H

#include <stdio.h>

#include "otafs/core.h"
#include "otafs/node.h"
#include "state/order.h"

#define ORDER_BYTES_MAX STATE_ORDER_TEXT_MAX
/** Members in a transaction: some 50 ms of work. */
#define ORDER_SLICE 64
/** Orders, and checks, that are waited for: each keeps a thread of the mount, of which there are 8. */
#define ORDER_WAITING_MAX 4
/** Lines that a check has of refusals. */
#define ORDER_CHECK_LINES_MAX 100

int orders_open(struct core *core, struct err *err);
/** With the lock, after core->batch has ended. */
void orders_close(struct core *core);

/**
 * Does what is written to all members, and returns when that is done; in between the core's lock, with which it
 * is called, is released.
 *
 * 0: at least one has taken it. Else what the first has refused it with; -ENODATA there are no members; -EBUSY
 * an order to the group is being worked off, or ORDER_WAITING_MAX are waited for; or -EIO, -ENOSPC of the
 * database, and -ESHUTDOWN when otafs ends: then what is left is carried on later.
 */
int order_write(struct core *core, const char *group, const char *text, const char *who, struct err *err);

/** Members that wait are passed over, and the order is over; -ENODATA there is none. */
int order_stop(struct core *core, const char *group, const char *who, struct err *err);

/** The same as order_write(), but nothing is stored, and @told gets who would refuse it, and how many would
 * not. */
int order_check(
    struct core *core, const char *group, const char *text, const char *who, FILE *told, struct err *err);

/** Prints how far the last order is. */
int order_print(struct core *core, const char *group, FILE *out, struct err *err);

/** Prints some receipts behind @cursor, a line each: "ID taken", "ID waiting" or "ID refused: REASON". 1: there
 * may be more, 0: that was all. */
int order_print_receipts(
    struct core *core, const char *group, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err);

/** Begins again with orders that were left, and removes old receipts; to be called each second, with the lock.
 */
void orders_follow(struct core *core, int64_t now);

#endif
