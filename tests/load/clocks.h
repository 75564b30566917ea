/** The processor time of other programs. */
#ifndef TESTS_LOAD_CLOCKS_H
#define TESTS_LOAD_CLOCKS_H

#include <stddef.h>

/** Programs whose time is told. */
#define CLOCKS_MAX 64

struct clocks {
	int pids[CLOCKS_MAX];
	size_t count;
	long long begun_us;
};

/** Adds those of @text, "12,34,56"; those without room are left out. */
void clocks_add(struct clocks *clocks, const char *text);

void clocks_begin(struct clocks *clocks);
/** Microseconds of all together since clocks_begin(), threads that have ended included. */
long long clocks_us(const struct clocks *clocks);

#endif
