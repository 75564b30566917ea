/*
 * What is read and written piece by piece: folders of both views; streams, logs, texts that grow, and lines of
 * the full tree. Between two pieces others have the core's lock: a folder of a million names holds up nobody.
 */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* ---- pieces; the handle's lock is held */

static int
fetch_once(fuse_req_t request, fuse_ino_t id, struct handle *handle, off_t offset)
{
	struct mount *mount = fs_mount_of(request);
	struct err err = { 0 };
	struct node node;
	bool is_apart;
	int r;

	r = fs_find_id(request, id, &node, &err);
	is_apart = r == 0 && node_is_apart(&node);
	if (is_apart)
		fs_done(request);
	if (r == 0)
		r = pieces_fetch(&handle->pieces, &node, mount->view, offset, &err);
	if (!is_apart)
		fs_done(request);
	if (!is_apart && r == PIECES_AGAIN)
		core_breathe();
	return r;
}

/* Makes pieces until the one of @offset is there; the caller may have died meanwhile. */
static int
fetch(fuse_req_t request, fuse_ino_t id, struct handle *handle, off_t offset)
{
	int r = pieces_have(&handle->pieces, offset) ? 0 : PIECES_AGAIN;

	while (r == PIECES_AGAIN)
		r = fuse_req_interrupted(request) ? -EINTR : fetch_once(request, id, handle, offset);
	return r;
}

/* ---- folders */

void
fs_on_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct handle *handle;
	struct err err = { 0 };
	struct node node;
	int r;

	fs_count(request, OPERATION_OPENDIR);
	r = fs_find_id(request, id, &node, &err);
	if (r == 0)
		r = handle_open_folder(&node, &handle, &err);
	fs_done(request);
	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	info->fh = fs_open_as(request, handle);
	fuse_reply_open(request, info);
}

static mode_t
type_of(char letter)
{
	return letter == 'd' ? S_IFDIR : letter == 'l' ? S_IFLNK : S_IFREG;
}

/* Names from @offset on, as many as there is room for; never beyond the piece, since the kernel comes back to
 * what the caller had no room for. Returns how many bytes they take. */
static size_t
put_names(fuse_req_t request, const struct pieces *pieces, off_t offset, char *out, size_t room)
{
	size_t bytes, used = 0;
	const char *at = pieces_at(pieces, offset, &bytes), *end = at + bytes;

	while (at < end) {
		const char *name = at + 1;
		size_t step = strlen(name) + 2, n;
		struct stat st = { .st_mode = type_of(*at), .st_ino = (ino_t)offset + 2 };

		offset += (off_t)step;
		n = fuse_add_direntry(request, out + used, room - used, name, &st, offset);
		if (n > room - used)
			break;
		used += n;
		at += step;
	}
	return used;
}

static void
answer_names(const struct piece *piece)
{
	AUTO(free_p) char *out = malloc(piece->size);
	struct handle *handle = piece->handle;
	size_t used = 0;
	int r;

	pthread_mutex_lock(&handle->lock);
	r = out ? fetch(piece->request, piece->id, handle, piece->offset) : -ENOMEM;
	if (r == 0)
		used = put_names(piece->request, &handle->pieces, piece->offset, out, piece->size);
	pthread_mutex_unlock(&handle->lock);
	if (r < 0)
		fs_fail(piece->request, r);
	else
		fuse_reply_buf(piece->request, out, used);
}

static void
answer_piece(const struct piece *piece, void (*answer)(const struct piece *piece))
{
	if (!piece->handle)
		fs_fail(piece->request, -ESTALE);
	else if (piece->handle->is_apart)
		fs_apart(piece, answer);
	else
		answer(piece);
}

void
fs_on_readdir(fuse_req_t request, fuse_ino_t id, size_t room, off_t offset, struct fuse_file_info *info)
{
	fs_count(request, OPERATION_READDIR);
	answer_piece(&(struct piece){ request, id, room, offset, fs_handle_of(request, info) }, answer_names);
}

void
fs_on_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id;
	fs_count(request, OPERATION_RELEASEDIR);
	fs_close(request, info);
}

/* ---- files */

/* Copies what there is from @offset on; the caller reads again if that is less than it asked for. */
static ssize_t
copy(const char *data, size_t bytes, char *out, size_t room)
{
	size_t n = bytes < room ? bytes : room;

	if (n)
		memcpy(out, data, n);
	return (ssize_t)n;
}

static ssize_t
read_log(fuse_req_t request, fuse_ino_t id, char *out, size_t room, off_t offset)
{
	struct err err = { 0 };
	struct node node;
	ssize_t n;

	n = fs_find_id(request, id, &node, &err);
	if (n == 0)
		n = node_read_at(&node, offset, out, room, &err);
	fs_done(request);
	return n;
}

static ssize_t
read_stream(fuse_req_t request, fuse_ino_t id, struct handle *handle, char *out, size_t room, off_t offset)
{
	const char *at;
	size_t bytes;
	int r = fetch(request, id, handle, offset);

	if (r < 0)
		return r;
	at = pieces_at(&handle->pieces, offset, &bytes);
	return copy(at, bytes, out, room);
}

static ssize_t
read_growing(fuse_req_t request, fuse_ino_t id, struct handle *handle, char *out, size_t room, off_t offset)
{
	struct err err = { 0 };
	struct node node;
	int r = 0;

	if ((size_t)offset >= handle->bytes) {
		r = fs_find_id(request, id, &node, &err);
		if (r == 0)
			r = handle_look_again(handle, &node, offset, &err);
		fs_done(request);
	}
	if (r < 0 || (size_t)offset >= handle->bytes)
		return r;
	return copy(handle->data + offset, handle->bytes - (size_t)offset, out, room);
}

static void
answer_bytes(const struct piece *piece)
{
	AUTO(free_p) char *out = malloc(piece->size);
	struct handle *handle = piece->handle;
	ssize_t n = -ENOMEM;

	pthread_mutex_lock(&handle->lock);
	if (out && handle->kind == NODE_LOG)
		n = read_log(piece->request, piece->id, out, piece->size, piece->offset);
	else if (out && handle->is_growing)
		n = read_growing(piece->request, piece->id, handle, out, piece->size, piece->offset);
	else if (out)
		n = read_stream(piece->request, piece->id, handle, out, piece->size, piece->offset);
	pthread_mutex_unlock(&handle->lock);
	if (n < 0)
		fs_fail(piece->request, (int)n);
	else
		fuse_reply_buf(piece->request, out, (size_t)n);
}

void
fs_read_piece(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, const struct fuse_file_info *info)
{
	answer_piece(&(struct piece){ request, id, size, offset, fs_handle_of(request, info) }, answer_bytes);
}

/* ---- lines */

/* Finds the node for who has opened it, and acts on it. */
static int
act(fuse_req_t request, fuse_ino_t id, struct lines *lines,
    int (*what)(struct lines *lines, const struct node *node, struct err *err))
{
	struct err err = { 0 };
	struct node node;
	int r;

	r = fs_find_id(request, id, &node, &err);
	if (r == 0) {
		memcpy(node.who, lines->who, sizeof(node.who));
		r = what(lines, &node, &err);
	}
	fs_done(request);
	return r;
}

int
fs_take_lines(fuse_req_t request, fuse_ino_t id, struct handle *handle)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	while ((r = act(request, id, &handle->lines, lines_take)) == LINES_AGAIN)
		core_breathe();
	pthread_mutex_unlock(&handle->lock);
	return r;
}

int
fs_close_lines(fuse_req_t request, fuse_ino_t id, struct handle *handle)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	r = act(request, id, &handle->lines, lines_close);
	pthread_mutex_unlock(&handle->lock);
	return r;
}
