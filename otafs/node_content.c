/* What a node is, what it holds, and what is in a folder. */
#include "otafs/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "otafs/node_as.h"
#include "otafs/tree.h"

int
node_open(const struct node *node, struct err *err)
{
	return node->row->open(node, err);
}

static mode_t
type_of(enum node_kind kind)
{
	return kind == NODE_FOLDER ? S_IFDIR : kind == NODE_LINK ? S_IFLNK : S_IFREG;
}

static int
read_file(int fd, const char *path, size_t bytes, char **content, struct err *err)
{
	AUTO(free_p) char *data = NULL;
	size_t got = 0;

	if (bytes > IMAGE_FILE_MAX)
		return err_set(
		    err, EFBIG, "%s: has %zu bytes, at most %d are served", path, bytes, IMAGE_FILE_MAX);
	data = malloc(bytes + 1);
	if (!data)
		return err_set(err, ENOMEM, "%s: no memory", path);
	while (got < bytes) {
		ssize_t n = pread(fd, data + got, bytes - got, (off_t)got);

		if (n <= 0)
			return n < 0 ? err_sys(err, "%s", path) : err_set(err, EIO, "%s: was cut", path);
		got += (size_t)n;
	}
	data[got] = '\0';
	*content = MOVE(data);
	return 0;
}

static int
describe_file(const struct node *node, int fd, struct stat *st, struct err *err)
{
	struct stat on_disk;

	if (fstat(fd, &on_disk) < 0)
		return err_sys(err, "%s", node->path);
	if (!S_ISREG(on_disk.st_mode) && !S_ISDIR(on_disk.st_mode))
		return err_set(err, ENOENT, "%s: no regular file", node->path);
	st->st_mode = S_ISDIR(on_disk.st_mode) ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = S_ISDIR(on_disk.st_mode) ? 2 : 1;
	st->st_size = on_disk.st_size;
	st->st_mtim = on_disk.st_mtim;
	return 0;
}

static int
stat_file(const struct node *node, struct stat *st, struct err *err)
{
	AUTO(close_p) int fd = node_open(node, err);

	return fd < 0 ? fd : describe_file(node, fd, st, err);
}

static int
read_text(const struct node *node, char **content, size_t *bytes, struct err *err)
{
	FILE *out = open_memstream(content, bytes);
	int r, is_bad;

	if (!out)
		return err_set(err, ENOMEM, "%s: no memory", node->path);
	r = node->row->print(node, out, err);
	is_bad = ferror(out);
	if (fclose(out) || is_bad || r < 0) {
		free(*content);
		*content = NULL;
		return r < 0 ? r : err_set(err, ENOMEM, "%s: no memory", node->path);
	}
	return 0;
}

/* When it last changed, as well as that is known. */
static int64_t
age_of(const struct node *node)
{
	if (node->row->needs & NEEDS_DEVICE)
		return node->device.seen_at > node->device.changed_at ? node->device.seen_at
								      : node->device.changed_at;
	return node->target ? node->target->created_at : node->core->started_at;
}

/* How large it is: of a stream that is not known, as of /proc. */
static int
measure(const struct node *node, char **content, int64_t *bytes, struct err *err)
{
	char target[NODE_PATH_MAX];
	size_t printed = 0;
	int r = 0;

	if (node_kind(node) == NODE_LINK) {
		r = node_link(node, target, sizeof(target), err);
		*content = r < 0 ? NULL : strdup(target);
		*bytes = *content ? (int64_t)strlen(target) : 0;
		if (r == 0 && !*content)
			r = err_set(err, ENOMEM, "%s: no memory", node->path);
	} else if (node_kind(node) == NODE_LOG) {
		*bytes = node->row->size(node, err);
		r = *bytes < 0 ? (int)*bytes : 0;
	} else if (node->row->print) {
		r = read_text(node, content, &printed, err);
		*bytes = (int64_t)printed;
	}
	return r;
}

/* All but size and content. */
static void
outline(const struct node *node, struct stat *st)
{
	const struct row *row = node->row;

	memset(st, 0, sizeof(*st));
	st->st_uid = node->core->uid;
	st->st_gid = row->group == GROUP_GATE ? node->core->gate_gid : node->core->admin_gid;
	st->st_mode = type_of(node_kind(node)) | row->mode;
	st->st_nlink = node_kind(node) == NODE_FOLDER ? 2 : 1;
	st->st_mtim.tv_sec = age_of(node);
}

static int
fill(const struct node *node, struct stat *st, char **content, struct err *err)
{
	int64_t bytes = 0;
	int r;

	*content = NULL;
	outline(node, st);
	if (node_kind(node) == NODE_FILE)
		return stat_file(node, st, err);
	if ((r = measure(node, content, &bytes, err)) < 0)
		return r;
	st->st_size = (off_t)bytes;
	return 0;
}

/* What is found through as/ belongs to ota-admin-gate, who finds a transaction by the sticky bit, which means
 * nothing else on a file. */
static void
hand_over(const struct node *node, struct stat *st)
{
	st->st_uid = node->core->web_uid;
	st->st_mode &= S_IFMT | S_IRWXU;
	if (node_kind(node) == NODE_TRANSACTION)
		st->st_mode |= S_ISVTX;
}

int
node_stat(const struct node *node, struct stat *st, char **content, struct err *err)
{
	int r = fill(node, st, content, err);

	if (r == 0 && node->access.is_there)
		hand_over(node, st);
	return r;
}

/* The bytes are read later, through the descriptor: whatever takes the file's place, these are of what was
 * found. */
static int
gather_file(const struct node *node, struct material *out, struct err *err)
{
	AUTO(close_p) int fd = node_open(node, err);
	int r;

	if (fd < 0)
		return fd;
	if ((r = describe_file(node, fd, &out->st, err)) == 0 && S_ISREG(out->st.st_mode))
		out->fd = MOVE_FD(fd);
	return r;
}

int
node_gather(const struct node *node, struct material *out, struct err *err)
{
	int r = 0;

	*out = (struct material){ .fd = -1 };
	outline(node, &out->st);
	if (node_kind(node) == NODE_FILE)
		return gather_file(node, out, err);
	if (node->row->gather)
		r = node->row->gather(node, &out->source, err);
	return r < 0 || out->source ? r : fill(node, &out->st, &out->content, err);
}

int
node_build(const struct node *node, struct material *material, struct err *err)
{
	size_t bytes = (size_t)material->st.st_size;
	int r = 0;

	if (material->fd >= 0)
		r = read_file(material->fd, node->path, bytes, &material->content, err);
	else if (material->source)
		r = node->row->build(node->core, material->source, &material->content, &bytes, err);
	material->st.st_size = (off_t)bytes;
	return r;
}

void
node_discard(const struct node *node, struct material *material)
{
	if (material->fd >= 0)
		close(material->fd);
	if (material->source)
		node->row->discard(material->source);
	free(material->content);
}

/* The name under which the row stands directly below @folder, or NULL; "*" is none. */
static const char *
fixed_name(const struct row *row, const char *folder)
{
	size_t n = strlen(folder);
	const char *below = row->pattern;

	if (strncmp(below, folder, n) || (n && below[n] != '/'))
		return NULL;
	below += n + (n > 0);
	return *below && *below != '*' && !strchr(below, '/') ? below : NULL;
}

/* Calls @each for the rows that stand directly below the node's row under a fixed name. */
static int
list_rows(const struct node *node, const struct table *table, enum view view, node_list_fn each, void *context)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->count; i++) {
		const struct row *row = &table->rows[i];
		const char *name = row->views & view ? fixed_name(row, node->row->pattern) : NULL;

		if (name && !node_is_others(node, row))
			r = each(name, type_of(row->kind), context);
	}
	return r;
}

int
node_list(const struct node *node, enum view view, node_list_fn each, void *context, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tree_table_count; i++)
		r = list_rows(node, tree_tables[i], view, each, context);
	if (r == 0 && node->row->list)
		r = node->row->list(node, each, context, err);
	return r;
}
