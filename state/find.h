/**
 * Looking for devices: what rules ask about one, and ids piece by piece along an index.
 *
 * A reader is a connection of its own, for what takes long: it sees what was committed, and holds up nobody
 * that writes. It has its own lock, which is held between reader_begin() and reader_end() only; who holds it
 * must not wait for the core's.
 */
#ifndef STATE_FIND_H
#define STATE_FIND_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "state/device.h"
#include "state/state.h"

/** What is read of a device besides its id: name, status and when it was seen; the rest, which has other
 * tables.
 */
#define FOUND_ROW 8
#define FOUND_TAGS 1
#define FOUND_ECUS 2
#define FOUND_GROUPS 4

/** A tag and its value; an ECU's hardware id and the target file it runs; a group, and "". */
struct found_pair {
	char first[NAME_HARDWARE_MAX + 1];
	char second[NAME_TARGET_MAX + 1];
};

struct found_pairs {
	struct found_pair *list;
	size_t count;
};

struct found {
	char id[NAME_DEVICE_MAX + 1];
	char name[STATE_DEVICE_NAME_MAX + 1];
	char status[16];
	int64_t seen_at; /**< 0: never */
	struct found_pairs tags, ecus, groups;
};

/** Reads a device and @what of it. STATE_NONE. The caller ends @out by found_done() either way, and may
 * use it again before. */
int state_found(struct state *state, const char *id, unsigned what, struct found *out, struct err *err);
void found_done(struct found *found);

struct reader;

int reader_open(const char *path, struct reader **out, struct err *err);
void reader_free(struct reader *reader);

/** Takes the reader; until reader_end() it sees the database as it was at one moment. */
int reader_begin(struct reader *reader, struct err *err);
void reader_end(struct reader *reader);

/** Within these two: like state_found(), of a device that reader_ids() gave. */
int reader_found(struct reader *reader, const char *id, unsigned what, struct found *out, struct err *err);

/** Devices that have one thing in common. */
enum find_by {
	FIND_ALL,
	FIND_STATUS,      /**< text */
	FIND_MEMBER,      /**< of group text, into which they were put */
	FIND_TAG,         /**< text, whose value is more */
	FIND_HARDWARE,    /**< an ECU has hardware id text */
	FIND_INSTALLED,   /**< an ECU runs target file text */
	FIND_TAG_FOLDED,  /**< text, whose value in lower case is more; this and the next are sorted each time,
			     so for few  devices only */
	FIND_SEEN_BEFORE, /**< time */
	FIND_SEEN_SINCE,
};

struct find {
	enum find_by by;
	const char *text, *more;
	int64_t time;
};

/** The first @most ids behind @after in order, each once. Returns 0, -errno, or what @each did. */
int reader_ids(struct reader *reader, const struct find *find, const char *after, int64_t most,
    state_name_fn each, void *context, struct err *err);

/** How many these are, at most @most; or -errno. */
int64_t reader_count(struct reader *reader, const struct find *find, int64_t most, struct err *err);

/** The first name of a tag, hardware id, or value of tag @tag behind @after, NULL to start. STATE_NONE: there
 * is no more. @out may be @after. */
int reader_next_tag(struct reader *reader, const char *after, char *out, size_t room, struct err *err);
int reader_next_hardware(struct reader *reader, const char *after, char *out, size_t room, struct err *err);
int reader_next_value(
    struct reader *reader, const char *tag, const char *after, char *out, size_t room, struct err *err);

#endif
