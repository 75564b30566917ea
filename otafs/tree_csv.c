/* csv/: tables of the fleet, to be read whole and to be written by cp. */
#include <stdio.h>
#include <string.h>

#include "otafs/names.h"
#include "otafs/rows.h"
#include "otafs/table.h"

static enum table_kind
kind_of(const struct node *node)
{
	return strcmp(names_last(node), "tags.csv") ? TABLE_DEVICES : TABLE_TAGS;
}

static int
stream_table(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	return table_print(node->core, kind_of(node), cursor, out, err);
}

static int
take_table(const struct node *node, const char *header, const char *lines, int64_t first, struct err *err)
{
	return table_take(node->core, kind_of(node), header, lines, first, node->who, err);
}

/* ---- the table */

/* clang-format off */
#define CSV(name)                                                                                                       \
	ROW("csv/" name, VIEW_FULL, NODE_LINES, 0660, GROUP_ADMIN, NEEDS_NOTHING, .stream = stream_table,               \
	    .take = take_table, .room = TABLE_LINE_MAX)

static const struct row rows[] = {
	FOLDER("csv", VIEW_FULL, NEEDS_NOTHING),
	CSV("devices.csv"),
	CSV("tags.csv"),
};
/* clang-format on */

const struct table tree_csv = TABLE(rows);
