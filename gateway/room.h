/** Memory that all requests together may take, reserved before it is used; who does not fit waits for his turn.
 */
#ifndef GATEWAY_ROOM_H
#define GATEWAY_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/** One that takes part; it stands in whatever asks. */
struct room_seat {
	size_t bytes; /**< reserved, or waited for */
	bool is_waiting;
	TAILQ_ENTRY(room_seat) entry;
};

struct room {
	size_t max, taken;
	TAILQ_HEAD(room_queue, room_seat) waiting;
};

void room_init(struct room *room, size_t max);

/** Asks for @bytes, at most the maximum, for a seat that has none. True: it has them; false: it waits. Nobody
 * overtakes one who waits, or large ones would wait for ever. */
bool room_take(struct room *room, struct room_seat *seat, size_t bytes);

/** Gives up what it has or waits for; more than once does no harm. */
void room_leave(struct room *room, struct room_seat *seat);

/** The next of those who waited that fits now, and has its room from now on; or NULL. */
struct room_seat *room_next(struct room *room);

/** Whether more than half is taken. */
bool room_is_tight(const struct room *room);

#endif
