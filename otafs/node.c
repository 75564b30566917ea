#include "otafs/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/credential.h"
#include "otafs/flight.h"
#include "otafs/node_as.h"
#include "otafs/order.h"
#include "otafs/tree.h"

/** No pattern has more parts; of a longer path the rest is left together. */
#define PARTS_MAX 8

struct part {
	const char *text;
	size_t bytes;
};

/* A path, taken apart once for all patterns. */
struct parts {
	struct part list[PARTS_MAX];
	size_t count; /* of all, also those that are not in the list */
};

static struct part
next_part(const char **path)
{
	struct part part = { *path, (size_t)(strchrnul(*path, '/') - *path) };

	*path += part.bytes;
	*path += **path == '/';
	return part;
}

static void
take_apart(const char *path, struct parts *out)
{
	for (out->count = 0; *path; out->count++) {
		struct part part = next_part(&path);

		if (out->count < PARTS_MAX)
			out->list[out->count] = part;
	}
}

static bool
is_any(const struct part *part)
{
	return part->bytes == 1 && *part->text == '*';
}

static bool
is_rest(const struct part *part)
{
	return part->bytes == 2 && !memcmp(part->text, "**", 2);
}

static bool
matches(const char *pattern, const struct parts *path)
{
	size_t i = 0;

	for (; *pattern && i < path->count && i < PARTS_MAX; i++) {
		struct part part = next_part(&pattern);

		if (is_rest(&part))
			return true;
		if (!is_any(&part) && (part.bytes != path->list[i].bytes ||
					  memcmp(part.text, path->list[i].text, part.bytes) != 0))
			return false;
	}
	return !*pattern && i == path->count;
}

/* Copies the variable parts of the path, for the rows to read. */
static void
set_args(struct node *node, const char *pattern, const struct parts *path)
{
	char *out = node->parts;
	size_t arg = 0;

	for (size_t i = 0; *pattern; i++) {
		struct part part = next_part(&pattern);
		const struct part *found = &path->list[i];

		if (is_rest(&part))
			node->args[arg++] = found->text;
		if (!is_any(&part))
			continue;
		node->args[arg++] = memcpy(out, found->text, found->bytes);
		out += found->bytes;
		*out++ = '\0';
	}
}

/* The first row that matches the node's path; sets its args. */
static const struct row *
find_row(enum view view, struct node *node)
{
	struct parts path;

	take_apart(node->path, &path);
	for (size_t i = 0; i < tree_table_count; i++)
		for (size_t k = 0; k < tree_tables[i]->count; k++) {
			const struct row *row = &tree_tables[i]->rows[k];

			if ((row->views & view) && matches(row->pattern, &path)) {
				set_args(node, row->pattern, &path);
				return row;
			}
		}
	return NULL;
}

/* Of a device that is there. */
static int
see_orders(struct node *node, struct err *err)
{
	int r = order_is_due(node->core, &node->device, err);

	node->is_behind = r > 0;
	return r < 0 ? r : 0;
}

static int
check_needs(struct node *node, enum view view, struct err *err)
{
	const struct row *row = node->row;
	size_t count;
	int r = 0;

	/* What is handed in has that with its commit. */
	if (view == VIEW_FULL && (row->needs & NEEDS_DEVICE) && row->kind != NODE_TRANSACTION)
		flight_store(node->core, node->args[0]);
	if (row->needs & NEEDS_CERTIFICATE)
		r = state_speaker(
		    node->core->state, node->args[0], node->args[1], &node->device, &node->certificate, err);
	else if (row->needs & NEEDS_DEVICE)
		r = state_device(node->core->state, node->args[0], &node->device, err);
	if (r == 0 && (row->needs & NEEDS_DEVICE))
		r = see_orders(node, err);
	if (r == 0 && (row->needs & NEEDS_TARGET))
		r = image_find(node->core->image, node->args[0], node->args[1], &node->target);
	if (r == 0 && (row->needs & NEEDS_PACKAGE)) {
		const struct target *targets = image_targets(node->core->image, &count);

		r = IMAGE_NO_TARGET;
		for (size_t i = 0; r && i < count; i++)
			r = strcmp(targets[i].package, node->args[0]) || !target_is_shown(&targets[i]) ? r : 0;
	}
	if (r == 0 && row->exists)
		r = row->exists(node, err);
	if (r == 0 && row->settle)
		r = row->settle(node, err);
	return r > 0 ? err_set(err, ENOENT, "%s: no such file", node->path) : r;
}

int
node_find(struct core *core, enum view view, const char *path, uid_t uid, struct node *out, struct err *err)
{
	size_t bytes = strlen(path) + 1;
	int r;

	memset(out, 0, offsetof(struct node, path));
	out->core = core;
	out->path[0] = out->asked[0] = out->shared[0] = '\0';
	if (bytes > sizeof(out->asked))
		return err_set(err, ENAMETOOLONG, "%.64s...: name too long", path);
	memcpy(out->asked, path, bytes);
	memcpy(out->path, path, bytes);
	if (view == VIEW_FULL && (r = node_enter(out, uid, err)) < 0)
		return r;
	out->row = find_row(view, out);
	if (!out->row || node_is_others(out, out->row))
		return err_set(err, ENOENT, "%s: no such file", path);
	return (r = node_pass(out, err)) < 0 ? r : check_needs(out, view, err);
}

enum node_kind
node_kind(const struct node *node)
{
	return node->is_link ? NODE_LINK : node->row->kind;
}

int64_t
node_tag(const struct node *node)
{
	return node->row->tag ? node->row->tag(node) : 0;
}

bool
node_is_announced(const struct node *node)
{
	return !(node->row->flags & ROW_ASKED) || node->is_fixed;
}

const char *
node_inode(const struct node *node)
{
	return node->shared[0] ? node->shared : node->path;
}

bool
node_is_of_all(const struct node *node)
{
	return node->row->flags & ROW_ALL;
}

bool
node_is_series(const struct node *node)
{
	return node->row->flags & ROW_SERIES;
}

size_t
node_room(const struct node *node)
{
	return node->row->room;
}

static int
catch_up(struct node *node, enum order_touch touch, struct err *err)
{
	int r = order_catch_up(node->core, node->device.id, touch, err);

	if (r == 0 && node->is_behind)
		r = state_device(node->core->state, node->args[0], &node->device, err);
	node->is_behind = false;
	return r;
}

/* Before something of it is changed. */
static int
touch(struct node *node, struct err *err)
{
	return node->row->needs & NEEDS_DEVICE ? catch_up(node, ORDER_CHANGE, err) : 0;
}

int
node_catch_up(struct node *node, struct err *err)
{
	return catch_up(node, ORDER_READ, err);
}

int
node_write(struct node *node, const char *text, size_t bytes, struct err *err)
{
	char shown[ERR_TEXT_MAX];
	struct err ignored;
	int r;

	if (strlen(text) != bytes)
		r = err_set(err, EINVAL, "a command is text, this has a 0 byte");
	else if ((r = touch(node, err)) == 0)
		r = node->row->write(node, text, err);
	if (r < 0)
		core_refused(node->core, node->path, node->who, err->text);
	/* The refusal stays until the next write that is not refused. */
	if ((node->row->needs & NEEDS_DEVICE) && (r < 0 || node->device.why[0]))
		state_device_why(node->core->state, node->device.id,
		    r < 0 ? name_printable(err->text, shown, sizeof(shown)) : "", utc_now(), &ignored);
	return r;
}

int
node_look(struct node *node, struct err *err)
{
	return node->row->look ? node->row->look(node, &node->work, err) : 0;
}

int
node_prepare(struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	return node->row->prepare ? node->row->prepare(node, body, bytes, &node->work, reply, err) : 0;
}

int
node_commit(struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err)
{
	int r;

	if (node->row->needs & NEEDS_DEVICE)
		flight_store(node->core, node->args[0]);
	r = touch(node, err);
	/* Who hands something in has the certificate's key: also who asks for the next one, which must not take
	 * the place of this one as if it had never been used. */
	if (r == 0 && (node->row->needs & NEEDS_CERTIFICATE))
		r = credential_use(
		    node->core, node->args[0], node->args[1], &node->certificate, utc_now(), err);
	return r < 0 ? r : node->row->commit(node, body, bytes, reply, err);
}

void
node_finish(struct node *node)
{
	if (node->work && node->row->finish)
		node->row->finish(node->work);
	node->work = NULL;
}

int
node_answer(const struct node *node, int r, struct reply *reply, char **text, size_t *bytes, struct err *err)
{
	if (r < 0) {
		log_line(LOG_ERR, "not committed path=%s reason=\"%s\"", node->path, err->text);
		reply_refuse(reply, 503, "not_stored", err->text);
	} else if (reply->code) {
		log_line(LOG_NOTICE, "refused path=%s code=%s reason=\"%s\"", node->path, reply->code,
		    reply->description);
	}
	return reply_write(reply, text, bytes, err);
}

int
node_make(struct node *folder, const char *name, struct err *err)
{
	char path[NODE_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%.512s/%.500s", folder->path, name);
	if ((r = node_may_put(folder, path, err)) < 0 || (r = touch(folder, err)) < 0)
		return r;
	r = folder->row->make ? folder->row->make(folder, name, err)
			      : err_set(err, EPERM, "nothing can be made here");
	if (r < 0 && r != -EEXIST) /* mkdir -p meets what is there */
		core_refused(folder->core, path, folder->who, err->text);
	return r;
}

int
node_remove(struct node *node, struct err *err)
{
	int r = node_may_write(node, err);

	if (r < 0 || (r = touch(node, err)) < 0)
		return r;
	r = node->row->remove ? node->row->remove(node, err) : err_set(err, EPERM, "cannot be removed");
	if (r < 0)
		core_refused(node->core, node->path, node->who, err->text);
	return r;
}
