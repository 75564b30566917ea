/**
 * What is written to a NODE_LINES: its first line is the header, the others are taken in slices as soon as they
 * are whole, so that a refusal is the answer of the write that brought it. A last line without a newline is not
 * taken: so looks what somebody was killed in the middle of. Where a write says that it goes is not asked: ">"
 * and ">>" mean the same.
 */
#ifndef OTAFS_LINES_H
#define OTAFS_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "otafs/node.h"

/** There are more whole lines: others may have the core's lock for a moment, then it is to be called again. */
#define LINES_AGAIN 1
/** Lines that are taken at once, in one transaction: some 10 ms of work. */
#define LINES_SLICE 25

struct lines {
	char who[STATE_WHO_MAX]; /**< who opened it; what is open may be handed on */
	char *header;            /**< without its newline; NULL: it has not come yet */
	char *rest;              /**< what has come and was not taken */
	size_t bytes;            /**< of rest */
	int64_t number;          /**< of the first line of rest; the header is number 1 */
	int refused;             /**< -errno: nothing more is taken */
};

/** Adds what was written. What is refused before is refused again. */
int lines_add(struct lines *lines, const char *data, size_t bytes);

/** Takes the next slice of whole lines. 0: all are taken, LINES_AGAIN, or the -errno of a refusal, with words
 * that were told. */
int lines_take(struct lines *lines, const struct node *node, struct err *err);

/** To be called when the file is closed, by one of those who have it open: refuses a line that is not whole.
 * More may be written by others. */
int lines_close(struct lines *lines, const struct node *node, struct err *err);

void lines_done(struct lines *lines);

#endif
