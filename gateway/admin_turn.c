#include "gateway/admin_turn.h"

#include <errno.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t turns[SERVE_REQUESTS_MAX]; /* of whom; 0: of nobody */

/* The first that is free; -EAGAIN when @source has too many, or there is none. */
static int
find_free(uint64_t source)
{
	int count = 0, found = -EAGAIN;

	for (int i = SERVE_REQUESTS_MAX - 1; i >= 0; i--) {
		count += turns[i] == source;
		found = turns[i] ? found : i;
	}
	return count < ADMIN_TURNS_MAX ? found : -EAGAIN;
}

int
admin_turn_take(uint64_t source)
{
	int turn;

	pthread_mutex_lock(&lock);
	turn = find_free(source);
	if (turn >= 0)
		turns[turn] = source;
	pthread_mutex_unlock(&lock);
	return turn;
}

void
admin_turn_end(int turn)
{
	pthread_mutex_lock(&lock);
	turns[turn] = 0;
	pthread_mutex_unlock(&lock);
}
