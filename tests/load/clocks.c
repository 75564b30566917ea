#include "tests/load/clocks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void
clocks_add(struct clocks *clocks, const char *text)
{
	while (clocks->count < CLOCKS_MAX && *text) {
		clocks->pids[clocks->count++] = atoi(text);
		text += strcspn(text, ",");
		text += *text == ',';
	}
}

static long long
read_all(const struct clocks *clocks)
{
	long long sum = 0;

	for (size_t i = 0; i < clocks->count; i++) {
		struct timespec now;
		clockid_t clock;

		if (clock_getcpuclockid(clocks->pids[i], &clock) == 0 && clock_gettime(clock, &now) == 0)
			sum += now.tv_sec * 1000000LL + now.tv_nsec / 1000;
	}
	return sum;
}

void
clocks_begin(struct clocks *clocks)
{
	clocks->begun_us = read_all(clocks);
}

long long
clocks_us(const struct clocks *clocks)
{
	return read_all(clocks) - clocks->begun_us;
}
