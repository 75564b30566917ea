#include "tests/load/crowd.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct crowd {
	size_t count;
	crowd_fn each;
	void *context;
	atomic_size_t next, good;
};

long long
crowd_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void *
run(void *argument)
{
	struct crowd *crowd = argument;
	size_t i;

	while ((i = atomic_fetch_add(&crowd->next, 1)) < crowd->count)
		if (crowd->each(i, crowd->context))
			atomic_fetch_add(&crowd->good, 1);
	return NULL;
}

size_t
crowd_run(size_t count, size_t threads, crowd_fn each, void *context, double *seconds)
{
	struct crowd crowd = { .count = count, .each = each, .context = context };
	pthread_t *ids = calloc(threads, sizeof(*ids));
	long long start = crowd_us();
	size_t started = 0;

	if (!ids)
		return 0;
	while (started < threads && pthread_create(&ids[started], NULL, run, &crowd) == 0)
		started++;
	for (size_t i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	free(ids);
	*seconds = (double)(crowd_us() - start) / 1e6;
	return crowd.good;
}
