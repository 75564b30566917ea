/* Transactions: handed in by a read or an exchange, prepared in its thread, committed with others, answered
 * when that is on disk. */
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
	bool is_exchange; /* and wants to be told how long the answer is */
	struct handle *handle;
	struct node node;
	bool is_found; /* the node, at the time of the commit */
	struct reply reply;
	struct reading *next; /* that waits for the same */
};

/* With the handle's lock. */
static void
reply_to(struct reading *reading, int r)
{
	const struct handle *handle = reading->handle;

	if (r < 0)
		fs_fail(reading->request, r);
	else if (reading->is_exchange)
		fuse_reply_ioctl(reading->request, (int)handle->bytes, handle->data,
		    handle->bytes < reading->size ? handle->bytes : reading->size);
	else
		fs_reply_from_memory(
		    reading->request, handle->data, handle->bytes, reading->size, reading->offset);
	free(reading);
}

/* Gives the handle its answer, and then to all who wait for it. */
static void
settle(struct reading *reading, int r, struct err *err)
{
	struct handle *handle = reading->handle;
	struct reading *next;
	char *text = NULL;
	size_t bytes = 0;

	node_finish(&reading->node);
	if (reading->is_found)
		r = node_answer(&reading->node, r, &reading->reply, &text, &bytes, err);
	reply_done(&reading->reply);
	pthread_mutex_lock(&handle->lock);
	handle_answer(handle, r < 0 ? NULL : text, bytes);
	reading->next = handle->waiting;
	handle->waiting = NULL;
	for (; reading; reading = next) {
		next = reading->next;
		reply_to(reading, r);
	}
	pthread_mutex_unlock(&handle->lock);
}

static int
work(struct batch_job *job, struct core *core, struct err *err)
{
	struct reading *reading = (struct reading *)job;
	struct node node;
	const char *body;
	size_t bytes;
	int r =
	    node_find(core, VIEW_FULL, reading->node.asked, fuse_req_ctx(reading->request)->uid, &node, err);

	reading->is_found = r == 0;
	if (r < 0)
		return r;
	node.work = reading->node.work;
	body = handle_body(reading->handle, &bytes);
	return node_commit(&node, body, bytes, &reading->reply, err);
}

static void
done(struct batch_job *job, int r, struct err *err)
{
	settle((struct reading *)job, r, err);
}

/* The transaction that it reads: the node itself, or what the first line of a series says. Takes the core's
 * lock. */
static int
find(struct reading *reading, fuse_ino_t id, struct err *err)
{
	char path[NODE_PATH_MAX] = "";
	int r;

	if (!reading->handle->is_series)
		return fs_find_id(reading->request, id, &reading->node, err);
	handle_path(reading->handle, path); /* or the top, which is none */
	r = fs_find(reading->request, path, &reading->node, err);
	if (r == 0 && (node_kind(&reading->node) != NODE_TRANSACTION || node_is_series(&reading->node)))
		r = -ENOENT;
	return r;
}

/* 0: it hands in. HANDLE_WAITS: it is answered, or will be when the transaction is. With the handle's lock. */
static int
enter(struct reading *reading, fuse_ino_t id, struct err *err)
{
	struct handle *handle = reading->handle;
	int r;

	if (handle_is_answered(handle)) {
		reply_to(reading, 0);
		return HANDLE_WAITS;
	}
	if (handle->stage == HANDLE_HANDED_IN) {
		reading->next = handle->waiting;
		handle->waiting = reading;
		return HANDLE_WAITS;
	}
	r = find(reading, id, err);
	if (r == 0)
		r = node_look(&reading->node, err);
	fs_done(reading->request);
	if (r == 0)
		r = handle_hand_in(handle, reading->offset);
	if (r < 0)
		node_finish(&reading->node);
	return r;
}

static void
hand_in(struct reading *reading)
{
	struct err err = { 0 };
	size_t bytes;
	const char *body = handle_body(reading->handle, &bytes);
	int r = bytes > node_room(&reading->node)
		    ? -EFBIG
		    : node_prepare(&reading->node, body, bytes, &reading->reply, &err);

	reading->is_found = r != -EFBIG;
	if (r == 0 &&
	    (r = batch_add(fs_mount_of(reading->request)->fs->transactions, &reading->job, &err)) == 0)
		return;
	settle(reading, r, &err);
}

static void
begin(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, bool is_exchange, struct handle *handle)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct err err = { 0 };
	int r;

	if (!reading) {
		fs_fail(request, -ENOMEM);
		return;
	}
	reading->job = (struct batch_job){ .work = work, .done = done };
	reading->request = request;
	reading->size = size;
	reading->offset = offset;
	reading->is_exchange = is_exchange;
	reading->handle = handle;
	pthread_mutex_lock(&handle->lock);
	r = enter(reading, id, &err);
	if (r < 0)
		reply_to(reading, r);
	pthread_mutex_unlock(&handle->lock);
	if (r == 0)
		hand_in(reading);
}

void
fs_read_transaction(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct handle *handle)
{
	begin(request, id, size, offset, false, handle);
}

void
fs_exchange(fuse_req_t request, fuse_ino_t id, size_t size, struct handle *handle)
{
	begin(request, id, size, 0, true, handle);
}
