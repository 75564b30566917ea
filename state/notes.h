/** What is noted in memory about devices (seen.h), for the files of this folder. */
#ifndef STATE_NOTES_H
#define STATE_NOTES_H

#include <stdint.h>

#include "lib/digest.h"
#include "lib/name.h"
#include "state/inside.h"

struct note {
	char device[NAME_DEVICE_MAX + 1];
	int64_t seen_at; /* 0: not noted */
	int64_t polls;   /* -1: not noted */
	int64_t counter; /* of the primary; -1: not noted */
	char digest[DIGEST_HEX_SIZE];
	short next; /* 1 + the next note of the same slot, 0: none */
};

int notes_open(struct state *state, struct err *err);
/** Writes what is noted. */
void notes_close(struct state *state);

/** What is noted about @device, NULL: nothing. */
const struct note *notes_find(const struct state *state, const char *device);
/** The device is gone, or will be another. */
void notes_forget(struct state *state, const char *device);

#endif
