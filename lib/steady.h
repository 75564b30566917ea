/** A clock that nobody sets. */
#ifndef LIB_STEADY_H
#define LIB_STEADY_H

#include <stdint.h>

/** Seconds, and milliseconds, since some moment before the program was started. */
int64_t steady_seconds(void);
int64_t steady_ms(void);

#endif
