/** A device's credentials in one file: PKCS #12 (RFC 7292) with an empty password, as aktualizr reads it.
 * (aktualizr-wire 1.2) */
#ifndef OTAFS_BUNDLE_H
#define OTAFS_BUNDLE_H

#include <stddef.h>

#include "lib/err.h"

/** What aktualizr reads of an answer. */
#define BUNDLE_BYTES_MAX ((size_t)64 * 1024)

struct bundle;

/** Makes a key on the curve P-256, in memory only. @public_pem (SPKI) is the caller's to free. */
int bundle_new(struct bundle **out, char **public_pem, struct err *err);
/** Wipes the key. */
void bundle_free(struct bundle *bundle);

/**
 * Writes the key, the first certificate of @chain (PEM), and all of @authorities (PEM), which the device will
 * trust when it looks at servers. So what is above the certificate in @chain is not in it. @out is secret: the
 * caller wipes and frees it. -EBADMSG when either has no certificate; -EFBIG beyond BUNDLE_BYTES_MAX; -ENOMEM.
 */
int bundle_write(const struct bundle *bundle, const char *chain, const char *authorities, char **out,
    size_t *bytes, struct err *err);

#endif
