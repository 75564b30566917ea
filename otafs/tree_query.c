/* query/: which devices are meant by a rule. */
#include <errno.h>
#include <stdio.h>

#include "otafs/query.h"
#include "otafs/rows.h"

static int
print_readme(const struct node *node, FILE *out, struct err *err)
{
	(void)node, (void)err;
	return query_print_readme(out);
}

/* A read can only tell an errno; the words are where those of other refusals are. */
static int
print_piece(const struct node *node, enum query_form form, char *cursor, FILE *out, struct err *err)
{
	int r = query_print(node->core, form, node->args[0], cursor, out, err);

	if (r != -EINVAL)
		return r;
	core_lock(node->core);
	core_refused(node->core, node->path, node->who, err->text);
	core_unlock(node->core);
	return r;
}

static int
stream_text(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return print_piece(node, QUERY_TEXT, cursor, out, err);
}

static int
stream_json(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return print_piece(node, QUERY_JSON, cursor, out, err);
}

static int
stream_count(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return print_piece(node, QUERY_COUNT, cursor, out, err);
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	FOLDER("query", VIEW_FULL, NEEDS_NOTHING),
	TEXT("query/README", NEEDS_NOTHING, print_readme),
	FOLDER("query/text", VIEW_FULL, NEEDS_NOTHING),
	FOLDER("query/json", VIEW_FULL, NEEDS_NOTHING),
	FOLDER("query/count", VIEW_FULL, NEEDS_NOTHING),
	STREAM("query/text/*", NEEDS_NOTHING, stream_text, .flags = ROW_APART),
	STREAM("query/json/*", NEEDS_NOTHING, stream_json, .flags = ROW_APART),
	STREAM("query/count/*", NEEDS_NOTHING, stream_count, .flags = ROW_APART),
};
/* clang-format on */

const struct table tree_query = TABLE(rows);
