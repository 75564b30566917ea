/**
 * Certificates from the issuing CA that ota-signd holds.  (RFC 5280; sign/client.h client_issue())
 *
 * Subject: the common name alone. Key usage digitalSignature, extended key usage clientAuth, no CA. A serial
 * number is 16 random octets.
 */
#ifndef OTAFS_ISSUE_H
#define OTAFS_ISSUE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "otafs/core.h"
#include "otafs/reply.h"

struct issued {
	char *chain; /**< PEM: the certificate, then the CAs above it, without the root */
	size_t bytes;
	char serial[NAME_SERIAL_MAX + 1]; /**< upper-case hex, as TLS servers tell it */
	int64_t expires_at;
};

/** The signer has no issuing CA. */
#define ISSUE_NO_CA 1

/**
 * Has a certificate made for the common name @name and the public key @public_pem (SPKI, RFC 7468): EC P-256 or
 * P-384, RSA of 2048 to 4096 bits, or Ed25519. It lives @days, and not longer than certificate_days, nor than
 * the CA. Asks the signer: not to be called with the core's lock.
 *
 * 0 and @out, whose chain the caller frees; ISSUE_NO_CA with words; -EINVAL for a key of another kind; -EAGAIN
 * when the signer does not answer; or another -errno.
 */
int issue(struct core *core, const char *name, const char *public_pem, int64_t days, struct issued *out,
    struct err *err);

/** The same for who answers somebody else's request: 1 and the refusal in @reply when there is no issuing CA,
 * or the key is of another kind. */
int issue_or_refuse(struct core *core, const char *name, const char *public_pem, int64_t days,
    struct issued *out, struct reply *reply, struct err *err);

/** PEM of all CAs above what is issued, the issuing CA first, the root last; the caller frees it. 0,
 * ISSUE_NO_CA or -errno. Not with the core's lock either. */
int issue_authorities(struct core *core, char **pem, size_t *bytes, struct err *err);

#endif
