/**
 * A certificate for a request (csr.h): of an administrator, by devices/ID/csr, or of the device itself, which
 * renews its certificate by EST (RFC 7030, 4.2.2).
 *
 * The new certificate is for the same device and speaks for it at once, beside those that are there
 * (credential.h). What a device asks for again before it has used the last one takes that one's place; but of
 * two requests at once one is refused, so that the certificate that it has read is not the one that goes.
 *
 * Refused with 400: bad_request, wrong_subject; with 409: too_many_certificates; with 503: no_issuing_ca,
 * overtaken.
 */
#ifndef OTAFS_RENEWAL_H
#define OTAFS_RENEWAL_H

#include "otafs/core.h"
#include "otafs/reply.h"

/** A device that has so many certificates is given no more when it asks itself. */
#define RENEWAL_CERTIFICATES_MAX 8

/** Who asks, and for whom. */
struct renewal {
	struct core *core;
	const char *device;
	const char *who;
	const char *source; /**< CREDENTIAL_REQUEST, or CREDENTIAL_RENEWAL for the device itself */
	const char *serial; /**< of the certificate by which the device asks; NULL: an administrator does */
};

/** Reads the request and has the certificate made, without the core's lock. 0 and @work, which goes to
 * renewal_take() and then to renewal_finish(); 1: @reply has the refusal; or -errno. */
int renewal_prepare(const struct renewal *renewal, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err);
/** Accepts it, with the lock and within a transaction: the answer is the chain in PEM, to EST as RFC 7030 has
 * it. */
int renewal_take(const struct renewal *renewal, const void *work, struct reply *reply, struct err *err);
void renewal_finish(void *work);

#endif
