/**
 * The one file in a multipart/form-data body, found while the body streams by.  (RFC 7578, RFC 2046 5.1)
 *
 * Clients before 2019.10 send objects so. Parts with other names are passed over. Memory does not grow with the
 * body.
 */
#ifndef WATCHER_MULTIPART_H
#define WATCHER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/** RFC 2046 allows 70 characters. */
#define MULTIPART_BOUNDARY_MAX 70
/** The head of a part is two lines or three. */
#define MULTIPART_HEAD_MAX 4096
/** The longest that is looked for: "\r\n--" and the boundary. */
#define MULTIPART_DELIMITER_MAX (MULTIPART_BOUNDARY_MAX + 4)

/** Takes the next bytes of the file; what it returns but 0 ends the parsing and is passed on. */
typedef int multipart_sink(void *data, const char *bytes, size_t count, struct err *err);

struct multipart {
	char name[64]; /**< of the part that is wanted */
	char delimiter[MULTIPART_DELIMITER_MAX + 1];
	size_t delimiter_bytes;
	size_t matched; /**< bytes of the delimiter seen last */
	char head[MULTIPART_HEAD_MAX + 1];
	size_t head_bytes;
	int state;
	bool is_wanted; /**< the present part */
	bool is_found;
	multipart_sink *sink;
	void *data;
};

/** Starts with the body's content type. -EBADMSG: it is no multipart/form-data, or its boundary is not good. */
int multipart_init(struct multipart *multipart, const char *content_type, const char *name,
    multipart_sink *sink, void *data, struct err *err);

/** Takes the next bytes of the body. 0; -EBADMSG with words; or what the sink returned. */
int multipart_write(struct multipart *multipart, const char *bytes, size_t count, struct err *err);

/** Ends it: -EBADMSG unless the body was whole and had the part. */
int multipart_end(const struct multipart *multipart, struct err *err);

#endif
