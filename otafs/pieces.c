#include "otafs/pieces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static off_t
end_of(const struct pieces *pieces)
{
	return pieces->start + (off_t)pieces->bytes;
}

bool
pieces_have(const struct pieces *pieces, off_t offset)
{
	return pieces->is_begun && offset >= pieces->start && (offset < end_of(pieces) || pieces->is_last);
}

static int
add_name(const char *name, mode_t mode, void *out)
{
	fputc(S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'f', out);
	fwrite(name, 1, strlen(name) + 1, out);
	return 0;
}

/* 1: there may be more, 0: that was all. A folder's first piece is what always stands in it. */
static int
make(struct pieces *pieces, const struct node *node, enum view view, FILE *out, struct err *err)
{
	int r;

	if (node_kind(node) == NODE_STREAM || node_kind(node) == NODE_LINES)
		return node_stream(node, pieces->cursor, out, err);
	if (pieces->is_begun)
		return node_page(node, pieces->cursor, add_name, out, err);
	r = node_list(node, view, add_name, out, err);
	return r ? r : node_is_paged(node);
}

static int
next(struct pieces *pieces, const struct node *node, enum view view, struct err *err)
{
	char *data = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&data, &bytes);
	int r, is_bad;

	if (!out)
		return err_set(err, ENOMEM, "%s: no memory", node->path);
	r = make(pieces, node, view, out, err);
	is_bad = ferror(out);
	if (fclose(out) || is_bad || r < 0) {
		free(data);
		return r < 0 ? r : err_set(err, ENOMEM, "%s: no memory", node->path);
	}
	pieces->start = end_of(pieces);
	free(pieces->data);
	pieces->data = data;
	pieces->bytes = bytes;
	pieces->is_begun = true;
	pieces->is_last = r == 0;
	return 0;
}

int
pieces_fetch(struct pieces *pieces, const struct node *node, enum view view, off_t offset, struct err *err)
{
	int r;

	if (pieces_have(pieces, offset))
		return 0;
	if (offset < pieces->start)
		pieces_done(pieces);
	r = next(pieces, node, view, err);
	if (r < 0)
		return r;
	return pieces_have(pieces, offset) ? 0 : PIECES_AGAIN;
}

const char *
pieces_at(const struct pieces *pieces, off_t offset, size_t *bytes)
{
	*bytes = offset < end_of(pieces) ? (size_t)(end_of(pieces) - offset) : 0;
	return *bytes ? pieces->data + (offset - pieces->start) : "";
}

void
pieces_done(struct pieces *pieces)
{
	free(pieces->data);
	*pieces = (struct pieces){ 0 };
}
