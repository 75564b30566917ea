#include "otafs/turns.h"

#include <errno.h>
#include <semaphore.h>
#include <stddef.h>

/* One who waits, on its own stack. Who has been told needs nothing more, not even the mutex: with a condition
 * variable each turn would be four calls of the kernel and not two. */
struct turn {
	sem_t has_come;
	struct turn *next;
};

/* With the mutex, which it gives up. */
static void
wait_in_line(struct turns *turns)
{
	struct turn turn = { .next = NULL };

	sem_init(&turn.has_come, 0, 0);
	/* It is out of the line before this returns. */
	if (turns->last)
		turns->last->next = &turn;
	else
		turns->first = &turn; // cppcheck-suppress autoVariables
	turns->last = &turn;          // cppcheck-suppress autoVariables
	pthread_mutex_unlock(&turns->mutex);
	while (sem_wait(&turn.has_come) < 0 && errno == EINTR)
		;
	sem_destroy(&turn.has_come);
}

/* With the mutex, which it gives up. */
static void
take(struct turns *turns)
{
	if (turns->is_taken) {
		wait_in_line(turns);
		return;
	}
	turns->is_taken = true;
	pthread_mutex_unlock(&turns->mutex);
}

/* With the mutex: takes the first out of the line, to be told; NULL: nobody waits. It stays taken while it goes
 * from one to the next. */
static struct turn *
next_one(struct turns *turns)
{
	struct turn *turn = turns->first;

	turns->is_taken = turn != NULL;
	if (!turn)
		return NULL;
	turns->first = turn->next;
	if (!turns->first)
		turns->last = NULL;
	return turn;
}

static void
tell(struct turn *turn)
{
	if (turn)
		sem_post(&turn->has_come);
}

void
turns_take(struct turns *turns)
{
	pthread_mutex_lock(&turns->mutex);
	take(turns);
}

void
turns_give(struct turns *turns)
{
	struct turn *turn;

	pthread_mutex_lock(&turns->mutex);
	turn = next_one(turns);
	pthread_mutex_unlock(&turns->mutex);
	tell(turn);
}

/* Who signals has the lock, and so came by the mutex after it was given up here. */
bool
turns_wait_until(struct turns *turns, pthread_cond_t *told, const struct timespec *end)
{
	int r;

	pthread_mutex_lock(&turns->mutex);
	tell(next_one(turns));
	r = pthread_cond_clockwait(told, &turns->mutex, CLOCK_MONOTONIC, end);
	take(turns);
	return r == 0;
}
