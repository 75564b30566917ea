/** A clock that nobody sets. */
#ifndef LIB_STEADY_H
#define LIB_STEADY_H

#include <stdint.h>

/** Seconds since some moment before the program was started. */
int64_t steady_seconds(void);

#endif
