/** Certification requests: PKCS #10 (RFC 2986), as PEM (RFC 7468), as base64 alone (RFC 7030 4.2.1), or as DER.
 */
#ifndef OTAFS_CSR_H
#define OTAFS_CSR_H

#include <stddef.h>

#include "lib/err.h"
#include "lib/name.h"

/** An RSA-4096 request with a dozen extensions has 3 KiB. */
#define CSR_BYTES_MAX (16 * 1024)

struct csr {
	char name[NAME_DEVICE_MAX + 1]; /**< the common name, "" when the subject is empty */
	char *public_pem;               /**< SPKI; the caller frees it */
};

/**
 * Reads a request and checks that it is signed by the key in it. The subject has to be empty or one common name
 * of the form of a device id and nothing else. What extensions it asks for does not count. -EBADMSG with words.
 */
int csr_read(const char *text, size_t bytes, struct csr *out, struct err *err);

#endif
