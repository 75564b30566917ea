/** One SCGI request: the head as a netstring of names and values, then the body.  (SCGI specification,
 * python.ca/scgi) */
#ifndef LIB_SCGI_H
#define LIB_SCGI_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A web server's whole environment with certificate fields is some 4 KiB. */
#define SCGI_HEAD_MAX (32 * 1024)

struct scgi {
	char head[SCGI_HEAD_MAX + 1]; /* names and values, each ended by a 0 */
	size_t bytes;
	uint64_t content_length; /**< bytes of the body that follow; 0 when the head does not say */
};

/**
 * Reads the head from @fd up to the comma that ends it, not a byte of the body.
 *
 * Returns 0, or -EBADMSG: no netstring, too long, cut short, not in pairs, a name given twice (but for
 * HTTP_*), CONTENT_LENGTH not first or no number, SCGI not "1"; or -errno.
 */
int scgi_read(int fd, struct scgi *scgi, struct err *err);

/** The length is there. */
#define SCGI_LENGTH 1

/**
 * For who cannot wait: takes the next character before the netstring into *@length, which starts as 0. 0: there
 * are more to come; SCGI_LENGTH: it was the colon, and so many bytes and a comma follow; -EBADMSG. An empty
 * head is none.
 */
int scgi_add_digit(size_t *length, char c, struct err *err);

/** What scgi_read() checks, on a head that is in memory, without the netstring around it. */
int scgi_parse(struct scgi *scgi, struct err *err);

/** The value of @name, or "" when it was not sent. */
const char *scgi_get(const struct scgi *scgi, const char *name);

#endif
