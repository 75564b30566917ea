#include "gateway/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/config.h"

/** Nearly every answer is shorter. The kernel takes hold of all of the memory into which it is to read. */
#define SHORT_BYTES 4096
/** Of one request; hardly is one process killed after the other just then. */
#define TRIES_MAX 4
/** Name and serial number, a file's name and what stands between. */
#define LINE_SIZE 256

struct tree {
	const char *mount;
	int number;
	int fd;      /* -1: not open */
	char *reply; /* TREE_REPLY_MAX bytes; NULL: somebody has taken them */
	size_t bytes;
};

struct tree *
tree_new(const char *mount, int number)
{
	struct tree *tree = malloc(sizeof(*tree));

	if (tree)
		*tree = (struct tree){ .mount = mount, .number = number, .fd = -1 };
	return tree;
}

static void
leave(struct tree *tree)
{
	close_p(&tree->fd);
	tree->fd = -1;
}

void
tree_free(struct tree *tree)
{
	if (tree)
		free(tree->reply), leave(tree);
	free(tree);
}

static int
enter(struct tree *tree)
{
	char path[CONFIG_VALUE_MAX + 32];

	snprintf(path, sizeof(path), "%s/gate/.series/%d", tree->mount, tree->number);
	tree->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return tree->fd < 0 ? -errno : 0;
}

/* What was written in part is written anew by the next one. A long body goes in pieces: of what became of a
 * later one only the next write tells. */
static int
write_all(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	char line[LINE_SIZE];
	size_t head = (size_t)snprintf(line, sizeof(line), "%s\n", path);
	struct iovec parts[] = { { .iov_base = line, .iov_len = head },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = bytes } };
	ssize_t n = pwritev(tree->fd, parts, 2, 0), more = 0;

	if (n >= (ssize_t)head && (size_t)n < head + bytes)
		more = pwrite(tree->fd, body + (n - (ssize_t)head), head + bytes - (size_t)n, n);
	if (n < 0 || more < 0)
		return -errno;
	return (size_t)(n + more) < head + bytes ? -EIO : 0;
}

/* A tree that was away meanwhile has to be opened anew; nothing was handed in yet. -ESTALE: another process
 * serves it now. */
static int
begin(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	bool is_old = tree->fd >= 0;
	int r = is_old ? 0 : enter(tree);

	if (r == 0)
		r = write_all(tree, path, body, bytes);
	if (r == 0 || !is_old || r == -EFBIG || r == -ENOBUFS)
		return r;
	leave(tree);
	return begin(tree, path, body, bytes);
}

/* No paths for strangers. */
static int
refuse_hand_in(struct refusal *refusal, int r)
{
	int code = -r;

	err_set(&refusal->err, code, "the body cannot be handed in: %s", strerror(code));
	if (code == EFBIG)
		return refuse(refusal, "413 Content Too Large", "body_too_large");
	if (code == ENOSPC)
		return refuse(refusal, "507 Insufficient Storage", "no_space");
	return refuse(refusal, "503 Service Unavailable", "not_available");
}

/* The first read is the commit; as many bytes as there is room for are too many. */
static ssize_t
read_answer(struct tree *tree)
{
	ssize_t n = pread(tree->fd, tree->reply, SHORT_BYTES, 0), more;

	if (n < SHORT_BYTES)
		return n;
	more = pread(tree->fd, tree->reply + n, (size_t)(TREE_REPLY_MAX - n), n);
	return more < 0 ? more : n + more;
}

static int
commit(struct tree *tree)
{
	ssize_t n = read_answer(tree);
	int r = n < 0 ? -errno : 0;

	if (r < 0 && r != -ENOENT)
		leave(tree);
	tree->bytes = n < 0 ? 0 : (size_t)n;
	return r;
}

/* Where the process was killed that was to commit it, nobody knows whether it has: it is handed in again, as
 * the device would. */
static int
hand_in(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	int r = -ESTALE;

	for (int i = 0; i < TRIES_MAX && r == -ESTALE; i++) {
		r = begin(tree, path, body, bytes);
		if (r == 0)
			r = commit(tree);
	}
	return r;
}

static int
check_answer(const struct tree *tree, struct refusal *refusal)
{
	size_t n = tree->bytes;

	if (n < 8 || strncmp(tree->reply, "Status: ", 8))
		return refuse_with(
		    refusal, "503 Service Unavailable", "not_available", "the tree gave no answer");
	if (n == TREE_REPLY_MAX)
		return refuse_with(
		    refusal, "503 Service Unavailable", "not_available", "the tree's answer is too long");
	return 0;
}

int
tree_hand_in(struct tree *tree, const char *path, const char *body, size_t bytes, const char **answer,
    struct refusal *refusal)
{
	int r;

	if (!tree->reply && !(tree->reply = malloc(TREE_REPLY_MAX)))
		return refuse_with(refusal, "503 Service Unavailable", "not_available", "no memory");
	r = hand_in(tree, path, body, bytes);
	*answer = tree->reply;
	if (r == -ENOENT && tree->fd >= 0)
		return TREE_UNKNOWN;
	return r < 0 ? refuse_hand_in(refusal, r) : check_answer(tree, refusal);
}

char *
tree_take_answer(struct tree *tree, size_t *bytes)
{
	char *copy = malloc(tree->bytes);

	*bytes = tree->bytes;
	if (!copy)
		return MOVE(tree->reply);
	memcpy(copy, tree->reply, tree->bytes);
	/* A new device's private key may be in it. */
	explicit_bzero(tree->reply, tree->bytes);
	return copy;
}
