/**
 * A lock that is had in the order in which it is asked for.
 *
 * A mutex goes to whoever comes when it is free: a thread that gives it back and takes it again, as long work
 * in slices does, gets it before those who have waited for it are awake. Here who gives it back hands it to the
 * one who has waited longest, so nobody waits for more than one turn of each other.
 */
#ifndef OTAFS_TURNS_H
#define OTAFS_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct turn;

struct turns {
	pthread_mutex_t mutex;     /**< of the rest, held for moments */
	struct turn *first, *last; /**< those who wait */
	bool is_taken;
};

#define TURNS_INITIALIZER                                                                                      \
	{                                                                                                      \
		.mutex = PTHREAD_MUTEX_INITIALIZER,                                                            \
	}

void turns_take(struct turns *turns);

void turns_give(struct turns *turns);

/** Gives it back, waits until whoever has it then signals @told, but no longer than until @end, of
 * CLOCK_MONOTONIC, and takes it again. false: it was not told. */
bool turns_wait_until(struct turns *turns, pthread_cond_t *told, const struct timespec *end);

#endif
