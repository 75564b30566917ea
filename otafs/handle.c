#include "otafs/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* Bytes of all bodies that are not answered. */
static _Atomic size_t bodies;

static void
let_go(struct handle *handle)
{
	bodies -= handle->held;
	handle->held = 0;
}

static void
handle_freep(struct handle **handle)
{
	handle_free(*handle);
}

static struct handle *
handle_new(const struct node *node)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->kind = node_kind(node);
	handle->is_apart = node_is_apart(node);
	handle->is_series = node_is_series(node);
	handle->room = node_room(node);
	handle->fd = -1;
	pthread_mutex_init(&handle->lock, NULL);
	return handle;
}

static int
open_file(const struct node *node, bool is_writing, struct handle *handle, struct err *err)
{
	int fd = is_writing ? -EACCES : node_open(node, err);

	handle->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int
open_text(const struct node *node, struct handle *handle, struct err *err)
{
	struct stat st;
	int r = node_stat(node, &st, &handle->data, err);

	handle->bytes = r < 0 ? 0 : (size_t)st.st_size;
	return r;
}

static int
open_kind(const struct node *node, int flags, struct handle *handle, struct err *err)
{
	bool is_writing = (flags & O_ACCMODE) != O_RDONLY;

	switch (node_kind(node)) {
	case NODE_FOLDER:
		return -EISDIR;
	case NODE_FILE:
		return open_file(node, is_writing, handle, err);
	case NODE_TRANSACTION:
		/* Who only reads, as grep -r does, hands nothing in: the file is empty. */
		handle->is_transaction = is_writing;
		return 0;
	case NODE_TEXT:
		handle->is_growing = node_is_growing(node);
		return is_writing ? -EACCES : open_text(node, handle, err);
	case NODE_CONTROL:
		return open_text(node, handle, err);
	case NODE_LINES:
		memcpy(handle->lines.who, node->who, sizeof(handle->lines.who));
		return 0;
	case NODE_STREAM:
	case NODE_LOG:
		return is_writing ? -EACCES : 0;
	case NODE_LINK:
		return -ELOOP;
	}
	return -EINVAL;
}

int
handle_open(const struct node *node, int flags, struct handle **out, struct err *err)
{
	bool is_writing = (flags & O_ACCMODE) != O_RDONLY;
	AUTO(handle_freep) struct handle *handle = handle_new(node);
	int r = is_writing ? node_may_write(node, err) : node_may_read(node, err);

	if (r == 0)
		r = handle ? open_kind(node, flags, handle, err) : -ENOMEM;
	if (r == 0)
		*out = MOVE(handle);
	return r;
}

int
handle_open_folder(const struct node *node, struct handle **out, struct err *err)
{
	int r = node_may_read(node, err);

	if (r < 0)
		return r;
	*out = handle_new(node);
	return *out ? 0 : err_set(err, ENOMEM, "%s: no memory", node->path);
}

static void
drop_data(struct handle *handle)
{
	let_go(handle);
	/* An answer may have had a private key in it. */
	if (handle_is_answered(handle))
		explicit_bzero(handle->data, handle->bytes);
	free(handle->data);
	handle->data = NULL;
	handle->bytes = 0;
}

void
handle_free(struct handle *handle)
{
	if (!handle)
		return;
	/* Who was answered may be here before who has sent the answer lets go of it. */
	pthread_mutex_lock(&handle->lock);
	pthread_mutex_unlock(&handle->lock);
	if (handle->fd >= 0)
		close(handle->fd);
	drop_data(handle);
	pieces_done(&handle->pieces);
	lines_done(&handle->lines);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

static int
append(struct handle *handle, const char *data, size_t bytes, off_t offset, size_t room)
{
	char *bigger;

	if (handle->stage != HANDLE_WRITTEN || (size_t)offset != handle->bytes)
		return -EINVAL;
	if (bytes > room - handle->bytes)
		return -EFBIG;
	if (bodies + bytes > HANDLE_BODIES_MAX)
		return -ENOBUFS;
	bigger = realloc(handle->data, handle->bytes + bytes + 1);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger + handle->bytes, data, bytes);
	handle->data = bigger;
	handle->bytes += bytes;
	handle->held += bytes;
	bodies += bytes;
	bigger[handle->bytes] = '\0';
	return 0;
}

static int
command(struct node *node, const char *data, size_t bytes, struct err *err)
{
	AUTO(free_p) char *text = bytes > node_room(node) ? NULL : strndup(data, bytes);

	if (bytes > node_room(node))
		return -EFBIG;
	return text ? node_write(node, text, bytes, err) : -ENOMEM;
}

int
handle_write(
    struct handle *handle, struct node *node, const char *data, size_t bytes, off_t offset, struct err *err)
{
	int r = node_may_write(node, err);

	/* The file may be open since he could. */
	if (r == 0 && !handle->is_transaction)
		return command(node, data, bytes, err);
	if (r == 0)
		r = append(handle, data, bytes, offset, node_room(node));
	/* What came through is not the whole body: it must not be committed. */
	if (r < 0 && handle->stage == HANDLE_WRITTEN)
		handle->refused = r;
	return r;
}

int
handle_continue(struct handle *handle, const char *data, size_t bytes, off_t offset)
{
	int r;

	if (handle->stage == HANDLE_HANDED_IN)
		return -EBUSY;
	if (offset == 0) {
		drop_data(handle);
		handle->refused = 0;
		handle->stage = HANDLE_WRITTEN;
	}
	r = append(handle, data, bytes, offset, handle->room);
	if (r < 0 && handle->stage == HANDLE_WRITTEN)
		handle->refused = r;
	return r;
}

/* The end of the first line; NULL: there is none where a path could end. */
static const char *
line_end(const struct handle *handle)
{
	size_t most = NODE_PATH_MAX - sizeof(NODE_GATE);

	return handle->data ? memchr(handle->data, '\n', handle->bytes < most ? handle->bytes : most) : NULL;
}

int
handle_path(const struct handle *handle, char path[static NODE_PATH_MAX])
{
	const char *end = line_end(handle);

	if (!end || strlen(handle->data) < (size_t)(end - handle->data))
		return -ENOENT;
	snprintf(path, NODE_PATH_MAX, NODE_GATE "%.*s", (int)(end - handle->data), handle->data);
	return 0;
}

const char *
handle_body(const struct handle *handle, size_t *bytes)
{
	const char *end = handle->is_series ? line_end(handle) : NULL, *body = handle->data;

	if (end)
		body = end + 1;
	*bytes = body ? handle->bytes - (size_t)(body - handle->data) : 0;
	return body ? body : "";
}

int
handle_look_again(struct handle *handle, const struct node *node, off_t offset, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	struct stat st;
	int r;

	if ((size_t)offset < handle->bytes)
		return 0;
	if ((r = node_stat(node, &st, &text, err)) < 0 || (size_t)st.st_size <= handle->bytes)
		return r;
	free(handle->data);
	handle->data = MOVE(text);
	handle->bytes = (size_t)st.st_size;
	return 0;
}

bool
handle_is_answered(const struct handle *handle)
{
	return handle->stage == HANDLE_ANSWERED;
}

int
handle_hand_in(struct handle *handle, off_t offset)
{
	if (handle->stage != HANDLE_WRITTEN)
		return HANDLE_WAITS;
	if (offset != 0)
		return -EINVAL;
	if (handle->refused)
		return handle->refused;
	handle->stage = HANDLE_HANDED_IN;
	return 0;
}

void
handle_answer(struct handle *handle, char *reply, size_t bytes)
{
	if (!reply) {
		handle->stage = HANDLE_WRITTEN;
		return;
	}
	let_go(handle);
	free(handle->data);
	handle->data = reply;
	handle->bytes = bytes;
	handle->stage = HANDLE_ANSWERED;
}
