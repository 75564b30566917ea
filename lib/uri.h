/** Parts of a URI as clients write them.  (RFC 3986) */
#ifndef LIB_URI_H
#define LIB_URI_H

#include <stdbool.h>

/** The byte that @at begins with, decoded if it stands as "%" and two hex digits (2.1), and moves @at behind
 * it; -1, and does not, when other characters follow the "%". @at is not at the end of its string. */
int uri_byte(const char **at);

/** Whether a segment of the decoded @path is "." or "..", which would lead elsewhere. */
bool uri_has_dots(const char *path);

#endif
