/* Transactions: handed in by a read, prepared in its thread, committed with others, answered when that is on
 * disk. */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>

#include "otafs/reply.h"

/* A read that waits; the first of those of one handle hands the transaction in for all of them. The handle
 * lives as long: the kernel sends no release while a read is open. */
struct reading {
	struct batch_job job;
	fuse_req_t request;
	size_t size;
	off_t offset;
	struct handle *handle;
	struct node node;
	bool is_found; /* the node, at the time of the commit */
	struct reply reply;
	struct reading *next; /* that waits for the same */
};

static const char *
body_of(const struct handle *handle)
{
	return handle->data ? handle->data : "";
}

static void
reply_to(struct reading *reading, int r)
{
	const struct handle *handle = reading->handle;

	if (r < 0)
		fs_fail(reading->request, r);
	else
		fs_reply_from_memory(
		    reading->request, handle->data, handle->bytes, reading->size, reading->offset);
	free(reading);
}

/* Gives the handle its answer, and then to all who wait for it. */
static void
settle(struct reading *reading, int r, struct err *err)
{
	struct core *core = fs_mount_of(reading->request)->fs->core;
	struct reading *waiting, *next;
	char *text = NULL;
	size_t bytes = 0;

	node_finish(&reading->node);
	if (reading->is_found)
		r = node_answer(&reading->node, r, &reading->reply, &text, &bytes, err);
	reply_done(&reading->reply);
	core_lock(core);
	handle_answer(reading->handle, r < 0 ? NULL : text, bytes);
	waiting = reading->handle->waiting;
	reading->handle->waiting = NULL;
	core_unlock(core);
	reading->next = waiting;
	for (; reading; reading = next) {
		next = reading->next;
		reply_to(reading, r);
	}
}

static int
work(struct batch_job *job, struct core *core, struct err *err)
{
	struct reading *reading = (struct reading *)job;
	struct node node;
	int r =
	    node_find(core, VIEW_FULL, reading->node.asked, fuse_req_ctx(reading->request)->uid, &node, err);

	reading->is_found = r == 0;
	if (r < 0)
		return r;
	node.work = reading->node.work;
	return node_commit(&node, body_of(reading->handle), reading->handle->bytes, &reading->reply, err);
}

static void
done(struct batch_job *job, int r, struct err *err)
{
	settle((struct reading *)job, r, err);
}

/* Takes its place among those who wait; called with the lock. */
static void
wait_too(struct reading *reading)
{
	reading->next = reading->handle->waiting;
	reading->handle->waiting = reading;
}

/* 0: it hands in. HANDLE_WAITS: it has been put to those who wait, or, when is_answered, nobody has to. */
static int
enter(struct reading *reading, fuse_ino_t id, bool *is_answered, struct err *err)
{
	fuse_req_t request = reading->request;
	int r;

	r = fs_find_id(request, id, &reading->node, err);
	*is_answered = handle_is_answered(reading->handle);
	if (r == 0 || reading->handle->stage != HANDLE_WRITTEN)
		r = handle_hand_in(reading->handle, reading->offset);
	if (r == HANDLE_WAITS && !*is_answered)
		wait_too(reading);
	fs_done(request);
	return r;
}

static void
hand_in(struct reading *reading)
{
	struct err err = { 0 };
	int r = node_prepare(
	    &reading->node, body_of(reading->handle), reading->handle->bytes, &reading->reply, &err);

	reading->is_found = true;
	if (r == 0 &&
	    (r = batch_add(fs_mount_of(reading->request)->fs->transactions, &reading->job, &err)) == 0)
		return;
	settle(reading, r, &err);
}

void
fs_read_transaction(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct handle *handle)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct err err = { 0 };
	bool is_answered;
	int r;

	if (!reading) {
		fs_fail(request, -ENOMEM);
		return;
	}
	reading->job = (struct batch_job){ .work = work, .done = done };
	reading->request = request;
	reading->size = size;
	reading->offset = offset;
	reading->handle = handle;
	r = enter(reading, id, &is_answered, &err);
	if (r == 0)
		hand_in(reading);
	else if (r < 0 || is_answered)
		reply_to(reading, r);
}
