#include "lib/due.h"

#include <time.h>

void
due_in(struct due *due, int64_t now, int64_t seconds)
{
	*due = (struct due){ now, now + seconds };
}

bool
due_is(const struct due *due, int64_t now)
{
	return now >= due->at || now < due->set_at;
}

int64_t
due_steady(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}
