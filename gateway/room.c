#include "gateway/room.h"

#include <assert.h>

void
room_init(struct room *room, size_t max)
{
	room->max = max;
	room->taken = 0;
	TAILQ_INIT(&room->waiting);
}

static bool
fits(const struct room *room, size_t bytes)
{
	return bytes <= room->max - room->taken;
}

bool
room_take(struct room *room, struct room_seat *seat, size_t bytes)
{
	assert(seat->bytes == 0 && bytes <= room->max);
	seat->bytes = bytes;
	seat->is_waiting = bytes && (!TAILQ_EMPTY(&room->waiting) || !fits(room, bytes));
	if (seat->is_waiting)
		TAILQ_INSERT_TAIL(&room->waiting, seat, entry);
	else
		room->taken += bytes;
	return !seat->is_waiting;
}

void
room_leave(struct room *room, struct room_seat *seat)
{
	if (seat->is_waiting)
		TAILQ_REMOVE(&room->waiting, seat, entry);
	else
		room->taken -= seat->bytes;
	seat->is_waiting = false;
	seat->bytes = 0;
}

struct room_seat *
room_next(struct room *room)
{
	struct room_seat *seat = TAILQ_FIRST(&room->waiting);

	if (!seat || !fits(room, seat->bytes))
		return NULL;
	TAILQ_REMOVE(&room->waiting, seat, entry);
	seat->is_waiting = false;
	room->taken += seat->bytes;
	return seat;
}

bool
room_is_tight(const struct room *room)
{
	return room->taken > room->max / 2;
}
