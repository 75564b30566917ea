/**
 * Has documents of the director signed for many threads: what is asked while others wait for their answer is
 * sent together, in one round trip. (sign/director.h)
 *
 * Nobody waits for company: whoever finds a connection free takes along all who wait, and speaks for them.
 */
#ifndef SIGN_GATHER_H
#define SIGN_GATHER_H

#include "lib/role.h"
#include "sign/client.h"
#include "sign/line.h"

/** Connections, and so threads of the signer that sign. */
#define GATHER_LINES 2

struct gather;

/** NULL: no memory. @end is borrowed. */
struct gather *gather_new(struct line_end *end);
void gather_free(struct gather *gather);

/** See client_sign_text(). */
int gather_sign(struct gather *gather, enum role role, const struct client_basis *basis, const char *text,
    size_t bytes, char **envelope, size_t *envelope_bytes, struct err *err);

#endif
