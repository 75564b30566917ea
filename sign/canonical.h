/**
 * Canonical JSON as aktualizr makes it: no white space, members sorted by bytes, every character above 0x7f as
 * \uxxxx with lower-case digits. Hashes, signatures and key ids are over this form.
 */
#ifndef SIGN_CANONICAL_H
#define SIGN_CANONICAL_H

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"

/**
 * Writes @json in canonical form to @out, with a 0 after the last byte; the caller frees it. @bytes may be
 * NULL. Returns 0; -EBADMSG for a real number, which other implementations write in another way; -ENOMEM.
 */
int canonical_write(const json_t *json, char **out, size_t *bytes, struct err *err);

#endif
