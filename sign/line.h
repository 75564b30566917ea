/**
 * One connection to ota-signd's socket: made at the first call and again after it broke. For one thread at a
 * time.
 */
#ifndef SIGN_LINE_H
#define SIGN_LINE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "lib/err.h"

/** What the connections of one client share. A signer that hangs must not make everybody who needs it wait, one
 * after the other. */
struct line_end {
	struct sockaddr_un address;
	_Atomic int64_t paused_until; /**< seconds of the monotonic clock */
};

struct line {
	int fd; /**< -1: not connected */
	struct line_end *end;
};

/** Sets @end to the socket at @path. */
void line_end_init(struct line_end *end, const char *path);

/** No connection is made yet; @end is borrowed. */
void line_init(struct line *line, struct line_end *end);
void line_done(struct line *line);

/**
 * Sends @request and waits for its @reply, at most CLIENT_TIMEOUT_SECONDS: its code and payload, with a 0 after
 * the last byte; the caller frees it. 0; or -EAGAIN with words, whatever it is that keeps the signer away.
 */
int line_call(
    struct line *line, const char *request, size_t request_bytes, char **reply, size_t *bytes, struct err *err);

#endif
