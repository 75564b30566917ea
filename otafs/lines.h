/**
 * What is written to a NODE_LINES: its first line is the header, the others are taken in slices as soon as they
 * are whole, so that a refusal is the answer of the write that brought it. A last line without a newline is
 * taken when the file is closed. Where a write says that it goes is not asked: ">" and ">>" mean the same.
 */
#ifndef OTAFS_LINES_H
#define OTAFS_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "otafs/node.h"

/** There are more whole lines: others may have the core's lock for a moment, then it is to be called again. */
#define LINES_AGAIN 1
/** Lines that are taken at once, in one transaction. */
#define LINES_SLICE 100

struct lines {
	char who[USER_WHO_MAX]; /**< who opened it, since nobody in particular closes it */
	char *header;           /**< without its newline; NULL: it has not come yet */
	char *rest;             /**< what has come and was not taken */
	size_t bytes;           /**< of rest */
	int64_t number;         /**< of the first line of rest; the header is number 1 */
	int refused;            /**< -errno: nothing more is taken */
};

/** Adds what was written. What is refused before is refused again. */
int lines_add(struct lines *lines, const char *data, size_t bytes);

/** Takes the next slice; with @is_end the last line need not be whole. 0: all is taken, LINES_AGAIN, or the
 * -errno of a refusal, with words that were told. */
int lines_take(struct lines *lines, const struct node *node, bool is_end, struct err *err);

void lines_done(struct lines *lines);

#endif
