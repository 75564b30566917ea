/**
 * A folder or a stream of any size, read piece by piece: only one piece of it is in memory.
 *
 * Offsets count bytes from the start of all pieces. What stands before the piece that is there is gone: who
 * goes back to it makes the pieces start again, and finds what there is by then.
 */
#ifndef OTAFS_PIECES_H
#define OTAFS_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "otafs/node.h"

/** Not there yet: others may have the core's lock for a moment, then it is to be called again. */
#define PIECES_AGAIN 1

struct pieces {
	char *data; /**< of a stream its text; of a folder for each name 'd', 'f' or 'l', the name and a 0 */
	size_t bytes;
	off_t start; /**< where data begins */
	char cursor[NODE_CURSOR_MAX];
	bool is_begun, is_last;
};

/** Whether pieces_fetch() has nothing to do for @offset: it is in the piece, or all ends before it. */
bool pieces_have(const struct pieces *pieces, off_t offset);

/** Makes the first, or the next piece on the way to @offset. 0: it is there, PIECES_AGAIN, or -errno. */
int pieces_fetch(struct pieces *pieces, const struct node *node, enum view view, off_t offset, struct err *err);

/** What stands from @offset on in the piece that is there; @bytes 0 is the end. */
const char *pieces_at(const struct pieces *pieces, off_t offset, size_t *bytes);

void pieces_done(struct pieces *pieces);

#endif
