#include "store/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What the two share. */
struct crew {
	crew_work *work;
	size_t count;
	atomic_size_t next;
	atomic_bool is_over; /* one of them has met trouble */
};

struct member {
	struct crew *crew;
	void *worker;
	int r;
	struct err err;
};

static void *
run(void *data)
{
	struct member *member = data;
	struct crew *crew = member->crew;
	size_t i;

	while (!crew->is_over && (i = atomic_fetch_add(&crew->next, 1)) < crew->count) {
		member->r = crew->work(member->worker, i, &member->err);
		if (member->r) {
			crew->is_over = true;
			break;
		}
	}
	return NULL;
}

int
crew_run(crew_work *work, void *first, void *second, size_t count, struct err *err)
{
	struct crew crew = { .work = work, .count = count };
	struct member me = { .crew = &crew, .worker = first }, other = { .crew = &crew, .worker = second };
	pthread_t thread;
	bool is_alone = !second || count < CREW_MIN || pthread_create(&thread, NULL, run, &other) != 0;

	run(&me);
	if (!is_alone)
		pthread_join(thread, NULL);
	if (me.r || other.r)
		*err = me.r ? me.err : other.err;
	return me.r ? me.r : other.r;
}
