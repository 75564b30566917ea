/** Orders in force: only for order*.c. */
#ifndef OTAFS_ORDER_RUN_H
#define OTAFS_ORDER_RUN_H

#include <pthread.h>
#include <stdbool.h>

#include "otafs/batch.h"
#include "otafs/ids.h"
#include "otafs/order.h"
#include "otafs/rule.h"
#include "otafs/term.h"

/** An order that is in force, or the removal of a stale one. */
struct run {
	struct batch_job job; /* of its next slice */
	struct core *core;
	struct group_order order;  /* taken and refused are in the database only */
	struct rule *rule;         /* NULL: its members were put in */
	struct bound bound;        /* what the rule means for this order */
	struct ids page;           /* members of the next slice */
	char end[NODE_CURSOR_MAX]; /* how far that goes */
	int64_t took_ms;           /* the last slice, of the core's lock */
	bool is_found;             /* the page is; the first slice has none */
	bool is_last;              /* behind the page there is nobody */
	bool is_queued;            /* a slice is on its way */
	bool is_done;              /* with the slice that is on its way */
	bool is_over;              /* it is not in orders.runs any more */
	bool is_touched;           /* somebody has had his part otherwise than in a slice */
	bool is_awaited;           /* somebody waits */
	bool is_told;              /* that the slices have ended: with @r and @err */
	int r;
	struct err err;
	struct err first; /* the first refusal; code 0: none */
	struct run *next; /* in orders.runs: older first */
};

struct orders {
	struct run *runs;    /* all in force, and removals */
	pthread_cond_t told; /* slices have ended; with the core's lock */
	int waiting;         /* writers */
	int64_t look_at;     /* when to look for what nobody works on */
};

/** Puts an order that is stored, or is to be removed, among the runs. */
int run_add(struct core *core, const struct group_order *order, struct run **out, struct err *err);
/** Takes it out, since it is over; it is freed when nobody needs it any more. */
void run_close(struct run *run);
/** Starts working it off, unless that has to wait for older ones. -ESHUTDOWN when otafs ends. */
int run_start(struct run *run, struct err *err);
/** Waits until it is worked off, ORDER_WAIT_MS at most, releasing the core's lock meanwhile. What order_write()
 * answers. */
int run_wait(struct run *run, struct err *err);

/** Does what is ordered to one device, or only looks at it; -ENOENT when it is not there. */
int order_one(
    struct core *core, const char *device, const struct group_order *order, bool is_check, struct err *err);

/** Refuses what is empty or too large; and to make another writer wait when too many do. */
int order_check_text(const char *text, struct err *err);
int order_check_waiting(const struct core *core, struct err *err);

/** Whether a refusal is none, but a failure that has to end everything. */
bool order_is_failure(int r);

#endif
