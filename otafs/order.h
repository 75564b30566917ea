/**
 * Orders to groups: what is written into groups/NAME/assign is done to each member, as if it were written into
 * devices/ID/assign of each.
 *
 * An order is one row, however many members there are, and is in force from the commit of that row on. Who is a
 * member at that moment decides, and each member has its part in it before anything else of that device is read
 * or changed: order_catch_up(), which everything that comes to a device passes. So nobody can see that it is
 * not done to all at once:
 *
 * - A device that nobody has come to is as it was, so whether it is a member now says whether it was one then.
 *   The rule is kept as of that moment, with the packages, groups and ages that it names.
 * - What changes a device that is no member notes that this order is none of its business (struct device,
 *   ordered), since it may become one. What only reads such a device writes nothing. A device that is made
 *   later begins with the newest order, and a deleted one has had its part before.
 * - Orders are had in the order in which they were given: whether a device is a member for one is decided after
 *   it has had its part in those before.
 * - What looks at many devices by what the database has of them (query/, members of a group with a rule,
 *   status/metrics) finds those that have not had their part as they were before.
 *
 * Meanwhile the members to whom nobody comes are worked off, ORDER_SLICE in a transaction, in turn with the
 * reports of devices, which are held up no longer than that; and no more than half of the time, once the writer
 * has been answered, since there is no hurry. The cursor is in the row, so that is carried on
 * after a crash. A receipt is written when a member has its part. All updates of an order have one correlation
 * id, but those of what is followed.
 *
 * A group has one order at a time; its receipts stay until the next one, or until the group is deleted.
 *
 * What the kernel knows of the www view: the writer is answered after ORDER_WAIT_MS at the latest, and if not
 * all is done then all generated names are forgotten before, at once. After that the kernel knows documents
 * only of devices that have had their part, since it has to look them up. So what a device gets by being come
 * to needs no forgetting of its own, and what was come to before the answer has all forgotten too.
 */
#ifndef OTAFS_ORDER_H
#define OTAFS_ORDER_H

#include <stdio.h>

#include "otafs/core.h"
#include "otafs/node.h"
#include "state/order.h"

#define ORDER_BYTES_MAX STATE_ORDER_TEXT_MAX
/** Members in a transaction: some 5 ms of work. */
#define ORDER_SLICE 16
/** Who orders hears so soon that it is in force, or what became of it if that is known by then. */
#define ORDER_WAIT_MS 300
/** Orders, and checks, that are waited for: each keeps a thread of the mount, of which there are 8. */
#define ORDER_WAITING_MAX 4
/** Orders in force at once: each that a device has not had yet costs its next request a look at the group. */
#define ORDER_RUNS_MAX 64
/** Lines that a check has of refusals. */
#define ORDER_CHECK_LINES_MAX 100

int orders_open(struct core *core, struct err *err);
/** With the lock, after core->batch has ended. */
void orders_close(struct core *core);

/** Why one comes to a device. */
enum order_touch {
	ORDER_READ,   /**< to read */
	ORDER_CHANGE, /**< to change something of it; before that, in the same transaction if there is one */
	ORDER_WORKED, /**< only for order_run.c: because of an order */
};

/** Whether @device has yet to have its part in an order: 1, 0 or -errno. */
int order_is_due(struct core *core, const struct device *device, struct err *err);
/** Lets device @id, if there is one, have its part in all orders. 0 or -errno. On disk when it returns, or with
 * the transaction. */
int order_catch_up(struct core *core, const char *id, enum order_touch touch, struct err *err);

/**
 * Orders it to all members; in between the core's lock, with which it is called, is released.
 *
 * 0: it is in force; if all is done already, at least one has taken it. Else what the first has refused it
 * with; -ENODATA there are no members; -EBUSY an order to the group is being worked off, or ORDER_WAITING_MAX
 * are waited for; or -EIO, -ENOSPC of the database, and -ESHUTDOWN when otafs ends: then what is left is
 * carried on later.
 */
int order_write(struct core *core, const char *group, const char *text, const char *who, struct err *err);

/** Who has not had his part is passed over, and the order is over; -ENODATA there is none. */
int order_stop(struct core *core, const char *group, const char *who, struct err *err);

/** -EBUSY: the members of an order that is being worked off depend on the rule of @group. */
int order_check_rule(struct core *core, const char *group, struct err *err);

/** The same as order_write(), but nothing is stored, and @told gets who would refuse it, and how many would
 * not. */
int order_check(
    struct core *core, const char *group, const char *text, const char *who, FILE *told, struct err *err);

/** Prints how far the last order is. */
int order_print(struct core *core, const char *group, FILE *out, struct err *err);

/** Prints some receipts behind @cursor, a line each: "ID taken" or "ID refused: REASON". 1: there may be more,
 * 0: that was all. */
int order_print_receipts(
    struct core *core, const char *group, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err);

/** Goes on with orders that nobody works on, and removes old receipts; to be called each second, with the lock.
 */
void orders_follow(struct core *core, int64_t now);

#endif
