/** When the certificates and revocation lists of a PEM file end, and whose they are.  (RFC 5280) */
#ifndef LIB_CERTIFICATE_H
#define LIB_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A revocation list of some 300,000 serial numbers; a system's list of all CAs has a quarter of a MiB. */
#define CERTIFICATE_FILE_MAX (16 * 1024 * 1024)
/** Certificates and lists of one file; that list of all CAs has 150. */
#define CERTIFICATES_MAX 256
/** A distinguished name as text with its 0; what is longer is cut. */
#define CERTIFICATE_NAME_SIZE 160

struct certificate {
	char name[CERTIFICATE_NAME_SIZE];   /**< subject, or whose list it is: "CN=a,O=b", printable ASCII */
	char issuer[CERTIFICATE_NAME_SIZE]; /**< the same of whom has to renew it */
	int64_t expires_at;                 /**< the end of the year 9999 if it has no end */
	bool is_ca;
	bool is_list; /**< a revocation list (CRL) */
};

/**
 * Reads the file at @path: blocks of other kinds, like keys, are skipped.
 *
 * @out: set on success to @count certificates in their order; the caller frees it.
 *
 * Returns 0; -EBADMSG when a block is damaged or none is a certificate; -EFBIG beyond the limits above; or
 * another -errno of reading it.
 */
int certificates_read(const char *path, struct certificate **out, size_t *count, struct err *err);

/** The same of a text; @what is named in the reason. */
int certificates_parse(
    const char *what, const char *text, size_t bytes, struct certificate **out, size_t *count, struct err *err);

#endif
