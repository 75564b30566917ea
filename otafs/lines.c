#include "otafs/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

int
lines_add(struct lines *lines, const char *data, size_t bytes)
{
	char *bigger;

	if (lines->refused)
		return lines->refused;
	bigger = realloc(lines->rest, lines->bytes + bytes + 1);
	if (!bigger)
		return lines->refused = -ENOMEM;
	memcpy(bigger + lines->bytes, data, bytes);
	lines->rest = bigger;
	lines->bytes += bytes;
	bigger[lines->bytes] = '\0';
	if (!lines->number)
		lines->number = 1;
	return 0;
}

/* How many bytes the next @most whole lines have, and how many they are. */
static size_t
measure(const struct lines *lines, int most, int *count)
{
	const char *at = lines->rest, *end = lines->rest + lines->bytes, *newline;

	for (*count = 0; *count < most && at < end; ++*count) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
		at = newline + 1;
	}
	return (size_t)(at - lines->rest);
}

static void
drop(struct lines *lines, size_t bytes, int count)
{
	lines->bytes -= bytes;
	memmove(lines->rest, lines->rest + bytes, lines->bytes + 1);
	lines->number += count;
}

static int
take_slice(struct lines *lines, const struct node *node, struct err *err)
{
	AUTO(free_p) char *slice = NULL;
	int count, r;
	size_t bytes = measure(lines, lines->header ? LINES_SLICE : 1, &count);

	if (bytes == 0 && lines->bytes <= node_room(node))
		return 0;
	if (bytes == 0)
		return node_refuse_line(node, lines->number, EFBIG, "is too long", err);
	slice = strndup(lines->rest, bytes);
	if (!slice)
		return err_set(err, ENOMEM, "%s: no memory", node->path);
	if (strlen(slice) != bytes)
		return node_refuse_line(node, lines->number, EINVAL, "has a 0 byte", err);
	if (lines->header) {
		r = node_take_lines(node, lines->header, slice, lines->number, err);
	} else {
		/* A header that means nothing is refused though no line follows. */
		slice[strcspn(slice, "\n")] = '\0';
		lines->header = MOVE(slice);
		r = node_take_lines(node, lines->header, "", lines->number + 1, err);
	}
	if (r < 0)
		return r;
	drop(lines, bytes, count);
	return lines->bytes ? LINES_AGAIN : 0;
}

int
lines_take(struct lines *lines, const struct node *node, struct err *err)
{
	int r;

	if (lines->refused || !lines->bytes)
		return lines->refused;
	r = take_slice(lines, node, err);
	if (r < 0)
		lines->refused = r;
	return r;
}

int
lines_close(struct lines *lines, const struct node *node, struct err *err)
{
	if (lines->refused || !lines->bytes)
		return 0;
	return node_refuse_line(
	    node, lines->number, EINVAL, "has no line end and was not taken: was the copy cut short?", err);
}

void
lines_done(struct lines *lines)
{
	free(lines->header);
	free(lines->rest);
	*lines = (struct lines){ 0 };
}
