#include "otafs/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "otafs/csv.h"
#include "otafs/device.h"
#include "otafs/label.h"
#include "otafs/order.h"
#include "otafs/tag.h"

/* What spreadsheets write in front of UTF-8. */
#define BOM "\xef\xbb\xbf"

static const char id_title[] = "DeviceID", name_title[] = "Name", notes_title[] = "Notes";

static bool
is_label(enum table_kind kind, const char *column)
{
	return kind == TABLE_DEVICES && (!strcasecmp(column, name_title) || !strcasecmp(column, notes_title));
}

/* ---- reading */

/** Devices that are printed at once. */
#define PAGE 500

struct columns {
	enum table_kind kind;
	char *tags[CSV_FIELDS_MAX];
	int count;
	uint64_t hash; /* of their names, FNV-1a */
};

static void
columns_done(struct columns *columns)
{
	for (int i = 0; i < columns->count; i++)
		free(columns->tags[i]);
}

/* -EFBIG rather than a table that lacks a column. */
static int
add_column(const char *tag, void *context)
{
	struct columns *columns = context;

	if (is_label(columns->kind, tag))
		return 0;
	if (columns->count == CSV_FIELDS_MAX - 3)
		return -EFBIG;
	for (const char *c = tag;; c++) {
		columns->hash = (columns->hash ^ (unsigned char)*c) * 1099511628211ULL;
		if (!*c)
			break;
	}
	columns->tags[columns->count] = strdup(tag);
	return columns->tags[columns->count++] ? 0 : -ENOMEM;
}

static int
find_columns(struct core *core, enum table_kind kind, struct columns *out, struct err *err)
{
	int r;

	out->kind = kind;
	out->hash = 14695981039346656037ULL;
	r = state_tag_names(core->state, add_column, out, err);
	if (r == -EFBIG)
		return err_set(err, EFBIG, "there are more than %d different tags", CSV_FIELDS_MAX - 3);
	return r == -ENOMEM ? err_set(err, ENOMEM, "no memory for a table") : r;
}

static void
print_header(const struct columns *columns, FILE *out)
{
	fputs(id_title, out);
	if (columns->kind == TABLE_DEVICES)
		fprintf(out, ";%s;%s", name_title, notes_title);
	for (int i = 0; i < columns->count; i++)
		fprintf(out, ";%s", columns->tags[i]);
	fputc('\n', out);
}

struct page {
	struct core *core;
	const struct columns *columns;
	char *cursor;
	FILE *out;
	struct err *err;
	int rows;
};

struct cells {
	const struct columns *columns;
	FILE *out;
	int next; /* column */
};

/* Tags come in the order of the columns. */
static int
print_cell(const char *tag, const char *value, void *context)
{
	struct cells *cells = context;

	while (!is_label(cells->columns->kind, tag) && cells->next < cells->columns->count) {
		fputc(';', cells->out);
		if (!strcmp(cells->columns->tags[cells->next++], tag)) {
			csv_print(value, ';', cells->out);
			return 0;
		}
	}
	return 0;
}

static int
print_row(const char *id, const char *name, const char *notes, void *context)
{
	struct page *page = context;
	struct cells cells = { page->columns, page->out, 0 };
	int r;

	fputs(id, page->out);
	if (page->columns->kind == TABLE_DEVICES) {
		fputc(';', page->out);
		csv_print(name, ';', page->out);
		fputc(';', page->out);
		csv_print_escaped(notes, ';', page->out);
	}
	r = state_tags(page->core->state, id, print_cell, &cells, page->err);
	for (; cells.next < page->columns->count; cells.next++)
		fputc(';', page->out);
	fputc('\n', page->out);
	snprintf(page->cursor, NODE_CURSOR_MAX, "%016llx%s", (unsigned long long)page->columns->hash, id);
	page->rows++;
	return r;
}

int
table_print(
    struct core *core, enum table_kind kind, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	AUTO(columns_done) struct columns columns = { 0 };
	struct page page = { core, &columns, cursor, out, err, 0 };
	char hash[17], after[NODE_CURSOR_MAX];
	int r = find_columns(core, kind, &columns, err);

	if (r < 0)
		return r;
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)columns.hash);
	if (!*cursor) {
		print_header(&columns, out);
		memcpy(cursor, hash, sizeof(hash));
		return 1;
	}
	if (strncmp(cursor, hash, 16) != 0)
		return err_set(err, ESTALE, "the devices have other tags than a moment ago: read again");
	memcpy(after, cursor + 16, sizeof(after) - 16);
	r = state_device_labels(core->state, after, PAGE, print_row, &page, err);
	return r < 0 ? r : page.rows == PAGE;
}

/* ---- writing */

struct table {
	struct core *core;
	const char *who;
	enum table_kind kind;
	char separator;
	char *columns[CSV_FIELDS_MAX], *fields[CSV_FIELDS_MAX];
	int count;
};

static int
check_column(const struct table *table, int at, struct err *err)
{
	const char *column = table->columns[at];

	for (int i = 0; i < at; i++)
		if (!strcmp(table->columns[i], column) ||
		    (is_label(table->kind, column) && !strcasecmp(table->columns[i], column)))
			return err_set(err, EINVAL, "there are two columns \"%.64s\"", column);
	return is_label(table->kind, column) ? 0 : tag_check_name(column, err);
}

/* @text is what the columns point into then. */
static int
read_header(struct table *table, char *text, struct err *err)
{
	int r;

	if (!strncmp(text, BOM, strlen(BOM)))
		text += strlen(BOM);
	table->separator = csv_separator(text);
	if ((r = csv_split(text, table->separator, table->columns, err)) < 0)
		return r;
	table->count = r;
	if (strcasecmp(table->columns[0], id_title) != 0)
		return err_set(
		    err, EINVAL, "the first column is \"%.64s\", expected \"%s\"", table->columns[0], id_title);
	for (int i = 1; i < table->count; i++)
		if ((r = check_column(table, i, err)) < 0)
			return r;
	return 0;
}

static int
find_device(const struct table *table, const char *id, struct device *out, struct err *err)
{
	int r;

	if ((r = name_check_device(id, err)) < 0 ||
	    (r = order_catch_up(table->core, id, ORDER_CHANGE, err)) < 0)
		return r;
	r = state_device(table->core->state, id, out, err);
	if (r == STATE_NONE && table->kind == TABLE_DEVICES) {
		if ((r = device_add(table->core, id, table->who, err)) == 0)
			r = state_device(table->core->state, id, out, err);
	}
	return r == STATE_NONE ? err_set(err, EINVAL, "there is no device \"%s\"", id) : r;
}

static int
take_cell(const struct table *table, const struct device *device, int at, struct err *err)
{
	const char *column = table->columns[at];
	char *field = table->fields[at];
	int r;

	if (!is_label(table->kind, column))
		return tag_set(table->core, device->id, column, field, table->who, err);
	if (!strcasecmp(column, name_title))
		return label_write_name(table->core, device, field, table->who, err);
	if ((r = csv_unescape(field, err)) < 0)
		return r;
	return label_write_notes(table->core, device, field, table->who, err);
}

static int
take_row(struct table *table, char *line, struct err *err)
{
	struct device device;
	int n, r;

	if (!line[strspn(line, " \t\r")])
		return 0;
	if ((n = csv_split(line, table->separator, table->fields, err)) < 0)
		return n;
	if (n != table->count)
		return err_set(err, EINVAL, "has %d fields, the header has %d", n, table->count);
	r = find_device(table, table->fields[0], &device, err);
	for (int i = 1; r == 0 && i < n; i++)
		r = take_cell(table, &device, i, err);
	return r;
}

/* Rows before one that is refused stay. */
static int
take_rows(struct table *table, char *lines, int64_t number, struct err *err)
{
	char *line;
	int r = 0;

	for (; r == 0 && (line = strsep(&lines, "\n")); number++) {
		if ((r = state_begin(table->core->state, err)) < 0)
			return r;
		r = state_end(table->core->state, take_row(table, line, err), err);
		if (r < 0)
			err_context(err, r, "line %lld", (long long)number);
	}
	return r;
}

int
table_take(struct core *core, enum table_kind kind, const char *header, const char *lines, int64_t first,
    const char *who, struct err *err)
{
	AUTO(free_p) struct table *table = calloc(1, sizeof(*table));
	AUTO(free_p) char *columns = strdup(header), *rows = strdup(lines);
	struct err why;
	int r, refused;

	if (!table || !columns || !rows)
		return err_set(err, ENOMEM, "no memory for a table");
	table->core = core;
	table->who = who;
	table->kind = kind;
	if ((r = read_header(table, columns, err)) < 0)
		return err_context(err, r, "line 1");
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	refused = take_rows(table, rows, first, &why);
	if ((r = state_end(core->state, 0, err)) == 0 && refused < 0)
		*err = why;
	return r < 0 ? r : refused;
}
