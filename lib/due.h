/**
 * What is due at some time of the wall clock, by programs that look often: each second, say, which costs a
 * comparison. A long wait would not do: a machine that was suspended, or whose clock was set, has to see at
 * once what became due.
 */
#ifndef LIB_DUE_H
#define LIB_DUE_H

#include <stdbool.h>
#include <stdint.h>

/** How long a loop that looks at the wall clock sleeps at most, in milliseconds. */
#define DUE_LOOK_MS 1000

/** All 0: due at once. */
struct due {
	int64_t set_at, at; /* seconds of the wall clock */
};

/** Due in @seconds. */
void due_in(struct due *due, int64_t now, int64_t seconds);

/** The time has come; or the clock was set back behind the moment of due_in(), and nobody knows. */
bool due_is(const struct due *due, int64_t now);

/** What a clock that jumps to and fro may ask for: once in a minute, a few times at once. */
#define DUE_PACE_SECONDS 60
#define DUE_PACE_BURST 5

/** All 0: nothing was done yet. */
struct due_pace {
	int64_t next; /* seconds of the clock that nobody sets (lib/steady.h) */
};

/** Whether it may be done at @steady; if so it counts as done. */
bool due_may(struct due_pace *pace, int64_t steady);

#endif
