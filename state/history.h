/**
 * What happened, when, and who did it. It is only ever added to.
 *
 * Each happening is a row, and a line of one long text of JSON lines, the log of the fleet: a row knows at
 * which byte of the log its line starts, so the log can be read from anywhere. What was noted before there was
 * a log (schema 7) is no part of it, only of its device's own lines.
 */
#ifndef STATE_HISTORY_H
#define STATE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"
#include "state/state.h"

/** Who it was, when it was no user. */
#define STATE_WHO_DEVICE "device"
#define STATE_WHO_OTAFS "otafs"

/** One thing that happened. ecu, target, group and correlation may be NULL or empty: they are not told then. */
struct happening {
	const char *device; /**< "" when it is about no single device */
	int64_t at;
	const char *who;  /**< "uid 1000 (anna)", or one of the above */
	const char *what; /**< one word for programs, of a to z and _: "assigned", "cancelled", "installed",
			     "failed", ... */
	const char *text; /**< for people; control characters are escaped already */
	const char *ecu, *target, *group, *correlation;
	bool is_chatter; /**< a device can make it happen as often as it likes */
};

/** So many lines of a device in a day, and its chatter is not told any more, which is told. */
#define STATE_CHATTER_MAX 10000

/** Adds one, within the transaction of what it tells. */
int state_happened(struct state *state, const struct happening *happening, struct err *err);

/** Calls @each with the lines about one device, oldest first: "TIME TEXT", and who it was when the text does
 * not name him. */
int state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

/** The same as JSON, without line ends:
 * {"at":"2026-11-27T08:00:00Z","device":"car7","what":"assigned","who":"uid 1000 (anna)","text":"...",
 *  "ecu":"...","target":"...","correlation":"..."}; all ASCII, members that are not told are left out. */
int
state_history_json(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

/** Bytes of the log: the JSON lines of all, in the order in which they were added, a line end after each. */
int64_t state_log_size(struct state *state, struct err *err);
/** Up to @room bytes of the log from @offset into @out; how many, 0 at its end, or -errno. */
ssize_t state_log_read(struct state *state, int64_t offset, char *out, size_t room, struct err *err);

#endif
