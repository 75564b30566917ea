#include "lib/steady.h"

#include <time.h>

int64_t
steady_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}
