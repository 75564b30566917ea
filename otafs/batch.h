/**
 * Requests that share a transaction, so that many of them wait for the disk once.  (DESIGN 5.5)
 *
 * A thread takes what has come, does it in one transaction, commits, releases the core's lock, makes the kernel
 * forget what has changed, and only then lets each request be answered. Nobody waits for a batch to fill: while
 * one is on its way to the disk the next one comes together.
 */
#ifndef OTAFS_BATCH_H
#define OTAFS_BATCH_H

#include <stddef.h>

#include "otafs/core.h"

/** Requests of one transaction: the lock is held for so many of them, some 10 ms of work. */
#define BATCH_MAX 64

struct batch;

/** One request; it stands at the start of a larger struct, which done() frees. */
struct batch_job {
	/** Does it: within a transaction, with the core's lock, and without waiting for anything. What fails
	 * (-errno) is taken back alone. */
	int (*work)(struct batch_job *job, struct core *core, struct err *err);
	/** Answers it, without the lock; @r is what work() returned, or the -errno with which the transaction
	 * failed: then nothing of it is stored. */
	void (*done)(struct batch_job *job, int r, struct err *err);
	struct batch_job *next; /* the batch's */
	int r;
	struct err err;
};

/** Makes the kernel forget names; frees @changes->names. */
typedef void (*batch_forget_fn)(void *context, struct changes *changes);

/** Starts the thread. */
int batch_start(struct core *core, batch_forget_fn forget, void *context, struct batch **out, struct err *err);

/** Hands in a job, without waiting for it. Jobs are done and answered in the order in which they come.
 * -ESHUTDOWN after batch_end(): the job is the caller's. */
int batch_add(struct batch *batch, struct batch_job *job, struct err *err);

/** Ends the thread, after what was handed in is answered; nothing more is taken. */
void batch_end(struct batch *batch);

/** Frees it when it has ended, and nobody knows it any more. */
void batch_free(struct batch *batch);

#endif
