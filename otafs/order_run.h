/** Orders in the making: only for order.c, order_run.c and order_check.c. */
#ifndef OTAFS_ORDER_RUN_H
#define OTAFS_ORDER_RUN_H

#include <pthread.h>
#include <stdbool.h>

#include "otafs/batch.h"
#include "otafs/order.h"

/** One order, or the removal of a stale one, while it is worked off. */
struct run {
	struct batch_job job; /* of its next slice */
	struct core *core;
	struct group_order order; /* as of the last slice */
	bool is_over;
	bool is_awaited; /* somebody waits, and frees it */
	bool is_told;    /* that it has ended: with @r and @err */
	int r;
	struct err err;
	struct err first; /* the first refusal; code 0: none */
	struct run *next; /* in orders.runs */
};

struct orders {
	struct run *runs;    /* all that are being worked off */
	pthread_cond_t told; /* a run has ended; with the core's lock */
	int waiting;         /* writers */
	int collecting;      /* of these, those whose members are not settled */
	int64_t look_at;     /* when to look for orders that were left */
};

/** Starts working off @order. -ESHUTDOWN when otafs ends, -ENOMEM. */
int run_start(
    struct core *core, const struct group_order *order, bool is_awaited, struct run **out, struct err *err);
/** Waits until it has ended, releasing the core's lock meanwhile, and frees it. */
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
