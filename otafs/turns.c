#include "otafs/turns.h"

#include <stddef.h>

/* One who waits, on its own stack. */
struct turn {
	pthread_cond_t has_come;
	bool is_mine;
	struct turn *next;
};

/* These are called with the mutex. */

static void
wait_in_line(struct turns *turns)
{
	struct turn turn = { .has_come = PTHREAD_COND_INITIALIZER };

	if (turns->last)
		turns->last->next = &turn;
	else
		turns->first = &turn;
	turns->last = &turn;
	while (!turn.is_mine)
		pthread_cond_wait(&turn.has_come, &turns->mutex);
	pthread_cond_destroy(&turn.has_come);
}

static void
take(struct turns *turns)
{
	if (turns->is_taken)
		wait_in_line(turns);
	turns->is_taken = true;
}

/* It stays taken while it goes from one to the next. */
static void
hand_on(struct turns *turns)
{
	struct turn *turn = turns->first;

	turns->is_taken = turn != NULL;
	if (!turn)
		return;
	turns->first = turn->next;
	if (!turns->first)
		turns->last = NULL;
	turn->is_mine = true;
	pthread_cond_signal(&turn->has_come);
}

void
turns_take(struct turns *turns)
{
	pthread_mutex_lock(&turns->mutex);
	take(turns);
	pthread_mutex_unlock(&turns->mutex);
}

void
turns_give(struct turns *turns)
{
	pthread_mutex_lock(&turns->mutex);
	hand_on(turns);
	pthread_mutex_unlock(&turns->mutex);
}

/* Who signals has the lock, and so came by the mutex after it was given up here. */
bool
turns_wait_until(struct turns *turns, pthread_cond_t *told, const struct timespec *end)
{
	int r;

	pthread_mutex_lock(&turns->mutex);
	hand_on(turns);
	r = pthread_cond_clockwait(told, &turns->mutex, CLOCK_MONOTONIC, end);
	take(turns);
	pthread_mutex_unlock(&turns->mutex);
	return r == 0;
}
