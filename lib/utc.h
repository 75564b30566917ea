/** Times as TUF writes them: UTC, whole seconds, exactly 20 characters.  (Uptane 2.1, 5.2.1) */
#ifndef LIB_UTC_H
#define LIB_UTC_H

#include <stdint.h>

/** "2026-12-01T02:00:00Z" and its 0. */
#define UTC_TEXT_SIZE 21

/** Writes @seconds since 1970 as text; what lies beyond the year 9999 as its end. */
void utc_format(int64_t seconds, char text[static UTC_TEXT_SIZE]);

/** Reads text; -EINVAL for anything but exactly that form. */
int utc_parse(const char *text, int64_t *seconds);

/** The present time in seconds since 1970. */
int64_t utc_now(void);

#endif
