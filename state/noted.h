/**
 * What is noted about devices in memory before it is written: a table of a fixed size, by their ids, for the
 * files of this folder. The newest note goes first, so that writing some and adding others get on with one
 * another.
 */
#ifndef STATE_NOTED_H
#define STATE_NOTED_H

#include <stddef.h>

#include "lib/name.h"

/** What each note begins with. */
struct noted_key {
	char device[NAME_DEVICE_MAX + 1];
	int next; /* 1 + the next note of the same slot, 0: none */
};

struct noted {
	char *notes;
	size_t note_bytes;
	int count, most;
	int *slots; /* 1 + the newest note, 0: none; as many as notes */
};

/** A table of @most notes, a power of two, of @note_bytes each. NULL: no memory. */
struct noted *noted_new(int most, size_t note_bytes);
void noted_free(struct noted *noted);

/** The note of @device, or NULL. */
void *noted_find(const struct noted *noted, const char *device);
/** A new one, all 0 but its key; NULL: the table is full. There is none yet. */
void *noted_add(struct noted *noted, const char *device);
/** The newest notes are 0, 1, ... count - 1. */
void *noted_at(const struct noted *noted, int index);
/** Removes the newest @count. */
void noted_drop(struct noted *noted, int count);

#endif
