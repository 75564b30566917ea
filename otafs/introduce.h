/**
 * Devices of fleets with a CA of their own become known by the certificate that they show.
 *
 * ota-gate hands in what the TLS server has verified, for a pair of name and serial number that the tree does
 * not know. It is verified here again, against fleet_ca alone, each certificate of which is trusted by itself:
 * so the CA that has signed the device's certificate has to be in that file, and nobody else can be shown.
 * What the certificate may be used for counts as TLS servers count it: without extended key usage for all.
 *
 * A device that is not there is made. One that is there gets the certificate when it has none, or one of a
 * fleet's CA: the fleet's CA cannot take over a device that has come in another way.
 *
 * 204: it is known now. 403: unknown_device (of no fleet), certificate_not_accepted, certificate_revoked,
 * device_blocked, device_has_other_certificates. 400: bad_request.
 */
#ifndef OTAFS_INTRODUCE_H
#define OTAFS_INTRODUCE_H

#include "otafs/core.h"
#include "otafs/reply.h"

/** A certificate as PEM, with an RSA key of 4096 bits and a page of extensions. */
#define INTRODUCE_BYTES_MAX (16 * 1024)

/** Verifies the certificate, without the core's lock. 0 and @work, which goes to introduce_take() and then to
 * introduce_finish(); 1: @reply has the refusal; or -errno. */
int introduce_prepare(
    struct core *core, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err);
/** Lets it in, with the lock and within a transaction. */
int introduce_take(struct core *core, const void *work, struct reply *reply, struct err *err);
void introduce_finish(void *work);

#endif
