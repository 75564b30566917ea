/** The answer to an SCGI request, and the request's body. */
#ifndef LIB_ANSWER_H
#define LIB_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

/** Sends all of @data; -errno when the peer is gone or takes nothing any more. */
int answer_send(int fd, const char *data, size_t bytes);

#define ANSWER_BARE_SIZE 128

/** What can be said without memory: a status line, "503 ..." and "429 ..." with Retry-After. Returns its bytes.
 */
size_t answer_bare(const char *status, char text[static ANSWER_BARE_SIZE]);

/** Sends that. */
void answer_status(int fd, const char *status);

/**
 * A refusal: @status with a JSON body {code, description, cause, errorId}, and logs it with @context (""
 * or key=value words that end with a space; NULL: not worth a line). @headers: lines that end with \r\n, or "".
 * The caller frees it; NULL: no memory.
 */
char *answer_refusal(
    const char *status, const char *code, const char *headers, const char *context, const char *reason);

/** Sends that, or what can be said without memory. */
void answer_refuse(
    int fd, const char *status, const char *code, const char *headers, const char *context, const char *reason);

/**
 * Reads the next bytes of a body of which *@left are to come, and counts them down. Returns their number, 0 at
 * the end of the body, -EBADMSG when the connection ends before it, or another -errno.
 */
ssize_t answer_read(int fd, void *data, size_t room, uint64_t *left);

/** Reads what is left of a body to nowhere, unless that is more than @max. A web server that is
 * still sending may not read the answer. */
void answer_drain(int fd, uint64_t *left, uint64_t max);

/** After the answer: says that it was all, and takes what is still coming until the web server hangs up, or
 * until @seconds are over (0: for as long as something comes). One that passes bodies on while they come would
 * lose an answer to a connection that is closed under its hands. */
void answer_linger(int fd, uint64_t *left, int seconds);

#endif
