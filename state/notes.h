/** What is noted in memory about devices (seen.h), for the files of this folder. */
#ifndef STATE_NOTES_H
#define STATE_NOTES_H

#include <stdint.h>

#include "lib/digest.h"
#include "lib/name.h"
#include "state/inside.h"
#include "state/noted.h"

struct note {
	struct noted_key key;
	int64_t seen_at; /* 0: not noted */
	int64_t polls;   /* -1: not noted */
	int64_t counter; /* of the primary; -1: not noted */
	char digest[DIGEST_HEX_SIZE];
};

int notes_open(struct state *state, struct err *err);
/** Writes what is noted. */
void notes_close(struct state *state);

/** What is noted about @device, NULL: nothing. */
const struct note *notes_find(const struct state *state, const char *device);
/** The device is gone, or will be another. */
void notes_forget(struct state *state, const char *device);

/** What is noted of reads.h, in the same way. */
int reads_open(struct state *state, struct err *err);
void reads_close(struct state *state);
/** Up to which number @device may have read, and since when: 0, since the assignment was made. */
int64_t state_read_to(const struct state *state, const char *device, int64_t *at);

#endif
