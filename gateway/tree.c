#include "gateway/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/config.h"
#include "lib/exchange.h"

/** Nearly every answer is shorter. The kernel takes hold of all of the memory into which it is to read. */
#define SHORT_BYTES 4096
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

/* What of the answer comes behind the first @n bytes. It is committed: whatever goes wrong now, it must not be
 * handed in again. */
static ssize_t
read_on(struct tree *tree, ssize_t n)
{
	ssize_t more = pread(tree->fd, tree->reply + n, (size_t)(TREE_REPLY_MAX - n), n);

	return more < 0 ? -EIO : n + more;
}

/* The first read is the commit. */
static ssize_t
write_and_read(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	int r = write_all(tree, path, body, bytes);
	ssize_t n = r < 0 ? r : pread(tree->fd, tree->reply, SHORT_BYTES, 0);

	if (r == 0 && n < 0)
		return -errno;
	return n < SHORT_BYTES ? n : read_on(tree, n);
}

static ssize_t
exchange(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	ssize_t head = snprintf(tree->reply, LINE_SIZE, "%s\n", path), room = head + (ssize_t)bytes, n;

	if (bytes)
		memcpy(tree->reply + head, body, bytes);
	n = ioctl(tree->fd, EXCHANGE((size_t)room), tree->reply);
	if (n < 0)
		return -errno;
	return n <= room ? n : read_on(tree, room);
}

/* How many bytes the answer has, or -errno. -ENOTCONN: the tree was not asked, since that one is away. */
static ssize_t
ask(struct tree *tree, const char *path, const char *body, size_t bytes)
{
	if (tree->fd < 0)
		return -ENOTCONN;
	return bytes <= EXCHANGE_BYTES_MAX - LINE_SIZE ? exchange(tree, path, body, bytes)
						       : write_and_read(tree, path, body, bytes);
}

/* As many bytes as there is room for are too many. */
static int
look_at(struct tree *tree, ssize_t n, struct refusal *refusal)
{
	if (n == -ENOENT)
		return TREE_UNKNOWN;
	if (n < 0)
		return refuse_hand_in(refusal, (int)n);
	tree->bytes = (size_t)n;
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
	ssize_t n;
	int r;

	if (!tree->reply && !(tree->reply = malloc(TREE_REPLY_MAX)))
		return refuse_with(refusal, "503 Service Unavailable", "not_available", "no memory");
	n = ask(tree, path, body, bytes);
	if (n == -ENOTCONN) {
		leave(tree);
		if ((r = enter(tree)) < 0)
			return refuse_hand_in(refusal, r);
		n = ask(tree, path, body, bytes);
	}
	*answer = tree->reply;
	return look_at(tree, n, refusal);
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
