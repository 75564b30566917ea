/** Many devices at once. */
#ifndef TESTS_LOAD_CROWD_H
#define TESTS_LOAD_CROWD_H

#include <stdbool.h>
#include <stddef.h>

/** What device @number does; false: it did not come to a good end, and said so. */
typedef bool (*crowd_fn)(size_t number, void *context);

/** Has each of the devices 0 to @count - 1 do it, @threads at a time. Returns how many came to a good end, and
 * sets the @seconds that it took. */
size_t crowd_run(size_t count, size_t threads, crowd_fn each, void *context, double *seconds);

/** Microseconds of the clock that nobody sets. */
long long crowd_us(void);

#endif
