/**
 * Certificates in the form of EST, enrolment over secure transport.  (RFC 7030)
 *
 * A request comes as base64 of PKCS #10, which csr.h reads; certificates go as base64 of a "certs-only" PKCS #7
 * (RFC 8551, 3.8).
 */
#ifndef OTAFS_EST_H
#define OTAFS_EST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** Head lines of an answer with certificates, but for the name of the first. */
#define EST_TYPE "application/pkcs7-mime; smime-type=certs-only\r\nContent-Transfer-Encoding: base64"

/** Puts the first @most certificates of the PEM text @chain into @out, which the caller frees. -EBADMSG when
 * there is none. */
int
est_certificates(const char *chain, size_t chain_bytes, int most, char **out, size_t *bytes, struct err *err);

/** Answers 200 with the certificate that was made, which is the first of @chain.  (RFC 7030, 4.2.3) */
int est_reply(const char *chain, size_t bytes, struct reply *reply, struct err *err);

struct est;

/** Asks the signer for the CAs above what it issues, for est/cacerts. Without the core's lock; to be called now
 * and then. Of a signer that does not answer, what was known stays. */
void est_look(struct core *core);
void est_free(struct est *est);

/** est/cacerts: 0, or -ENOENT when nothing is issued here. The tag changes with the content.  (RFC 7030, 4.1)
 */
int est_exists(const struct core *core, struct err *err);
int est_print(const struct core *core, FILE *out, struct err *err);
int64_t est_tag(const struct core *core);

#endif
