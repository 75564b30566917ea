/** Times as people and programs write them into control files. */
#ifndef OTAFS_MOMENT_H
#define OTAFS_MOMENT_H

#include <stdint.h>

/** Most bytes of one. */
#define MOMENT_BYTES_MAX 64

/** Reads "2046-11-22T08:00:00Z", "2046-11-22" (the start of that day), or what openssl x509 -enddate says,
 * "notAfter=Nov 22 08:00:00 2046 GMT"; a line end is let pass. -EINVAL for another form. */
int moment_parse(const char *text, int64_t *seconds);

#endif
