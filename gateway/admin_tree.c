#include "gateway/admin_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/admin_path.h"
#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/name.h"
#include "lib/utc.h"

/** 16 refusals of 800 bytes. */
#define WHY_BYTES_MAX (64 * 1024)
/** An older refusal is another one. */
#define WHY_SECONDS 5
/** A path as refusals write it, with its 0 (otafs/core.h). */
#define SHOWN_SIZE 256

/*
 * No path has ".." in it (admin_path.h), and the tree's own links lead to places within. RESOLVE_BENEATH would
 * say so once more, but gives EAGAIN for such a link while anything is renamed or mounted on the machine
 * (openat2(2)).
 */
static int
open_below(int top, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, top, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The top is there for everybody as long as there is a mount, and README in it. */
static int
is_mounted(const char *mount)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/README", mount);
	return stat(path, &st) == 0;
}

int
admin_tree_enter(const char *mount, const char *as, int *top)
{
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/as/%s", mount, as);
	*top = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*top >= 0)
		return 0;
	r = -errno;
	return !is_mounted(mount) || r == -ENOENT || r == -ENOTCONN ? ADMIN_NO_TREE : r;
}

int
admin_tree_open(int top, const char *path, int *fd)
{
	*fd = open_below(top, path, O_RDONLY | O_NONBLOCK);
	return *fd < 0 ? *fd : 0;
}

/* ---- writing */

/* Fills @piece as far as the body goes. How many bytes, or -EBADMSG when it is cut. */
static ssize_t
read_piece(struct admin_body *body, char *piece)
{
	size_t got = 0;
	ssize_t n = 0;

	while (got < ADMIN_PIECE_BYTES &&
	       (n = answer_read(body->fd, piece + got, ADMIN_PIECE_BYTES - got, body->left)) > 0)
		got += (size_t)n;
	if (n < 0)
		body->is_cut = 1;
	return n < 0 ? -EBADMSG : (ssize_t)got;
}

static int
copy_body(struct admin_body *body, int file)
{
	AUTO(free_p) char *piece = malloc(ADMIN_PIECE_BYTES);
	ssize_t n;
	int r;

	if (!piece)
		return -ENOMEM;
	while ((n = read_piece(body, piece)) > 0)
		if ((r = file_write_all(file, piece, (size_t)n)) < 0)
			return r;
	return (int)n;
}

/* The read from the start is the commit. */
static int
hand_in(int file, char **reply, size_t *bytes)
{
	AUTO(free_p) char *text = malloc(ADMIN_REPLY_MAX);
	ssize_t n = text ? pread(file, text, ADMIN_REPLY_MAX, 0) : -1;

	if (n < 0)
		return text ? -errno : -ENOMEM;
	if (n < 8 || strncmp(text, "Status: ", 8) != 0)
		return -EIO;
	*reply = MOVE(text);
	*bytes = (size_t)n;
	return 0;
}

int
admin_tree_write(int top, const char *path, struct admin_body *body, char **reply, size_t *bytes)
{
	AUTO(close_p) int found = open_below(top, path, O_PATH), file = -1;
	struct stat st;
	int r, is_transaction;

	if (found < 0 || fstat(found, &st) < 0)
		return found < 0 ? found : -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	/* otafs says so of what is below as/. */
	is_transaction = (st.st_mode & S_ISVTX) != 0;
	if (!is_transaction && *body->left == 0)
		return -EINVAL;
	if ((file = open_below(top, path, is_transaction ? O_RDWR : O_WRONLY)) < 0)
		return file;
	if ((r = copy_body(body, file)) < 0)
		return r;
	if (is_transaction)
		return hand_in(file, reply, bytes);
	/* A table has still to say what it makes of the last line. */
	return close(MOVE_FD(file)) < 0 ? -errno : 0;
}

/* ---- names */

/* Opens the folder that @path lies in; @name is its last part. */
static int
open_folder(int top, const char *path, const char **name)
{
	char folder[ADMIN_PATH_SIZE];
	const char *slash = strrchr(path, '/');

	if (!*path)
		return -EPERM;
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 0, path);
	*name = slash ? slash + 1 : path;
	return open_below(top, folder, O_PATH | O_DIRECTORY);
}

int
admin_tree_remove(int top, const char *path)
{
	const char *name;
	AUTO(close_p) int folder = open_folder(top, path, &name);

	if (folder < 0)
		return folder;
	if (unlinkat(folder, name, 0) == 0)
		return 0;
	if (errno == EISDIR && unlinkat(folder, name, AT_REMOVEDIR) == 0)
		return 0;
	return -errno;
}

int
admin_tree_make_folder(int top, const char *path)
{
	const char *name;
	AUTO(close_p) int folder = open_folder(top, path, &name);

	return folder < 0 ? folder : mkdirat(folder, name, 0755) < 0 ? -errno : 0;
}

int
admin_tree_make_link(int top, const char *path, const char *target)
{
	const char *name;
	AUTO(close_p) int folder = open_folder(top, path, &name);

	return folder < 0 ? folder : symlinkat(target, folder, name) < 0 ? -errno : 0;
}

int
admin_tree_rename(int top, const char *path, const char *as)
{
	const char *name, *new_name;
	AUTO(close_p) int folder = open_folder(top, path, &name);
	AUTO(close_p) int to = open_folder(top, as, &new_name);

	if (folder < 0 || to < 0)
		return folder < 0 ? folder : to;
	return renameat2(folder, name, to, new_name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/* ---- why */

static ssize_t
read_whole(int fd, char *text, size_t room)
{
	size_t got = 0;
	ssize_t n;

	while (got + 1 < room && (n = read(fd, text + got, room - got - 1)) > 0)
		got += (size_t)n;
	text[got] = '\0';
	return (ssize_t)got;
}

/* The words after @mark in the last line that has it and is not older than @since. */
static void
find_words(const char *text, const char *mark, const char *since, char why[static ERR_TEXT_MAX])
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = strstr(line, mark), *end = line + strcspn(line, "\n");

		if (at && at < end && strncmp(line, since, strlen(since)) >= 0)
			snprintf(why, ERR_TEXT_MAX, "%.*s", (int)(end - at - (ptrdiff_t)strlen(mark)),
			    at + strlen(mark));
	}
}

/* "TIME WHO PATH: WORDS", oldest first; of PATH, or of a folder that he did not get past on the way there. */
void
admin_tree_why(int top, const char *path, char why[static ERR_TEXT_MAX])
{
	AUTO(close_p) int fd = open_below(top, "why", O_RDONLY);
	AUTO(free_p) char *text = malloc(WHY_BYTES_MAX);
	char shown[SHOWN_SIZE], mark[SHOWN_SIZE + 4], since[UTC_TEXT_SIZE];

	*why = '\0';
	if (fd < 0 || !text)
		return;
	read_whole(fd, text, WHY_BYTES_MAX);
	utc_format(utc_now() - WHY_SECONDS, since);
	name_printable(path, shown, sizeof(shown));
	while (!*why && *shown) {
		char *slash = strrchr(shown, '/');

		snprintf(mark, sizeof(mark), " %s: ", shown);
		find_words(text, mark, since, why);
		*(slash ? slash : shown) = '\0';
	}
}
