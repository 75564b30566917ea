/**
 * POST /devices: a device that has the certificate of an enrolment token is given its own. (aktualizr-wire 1.2)
 *
 * Body: {"deviceId":"...","ttl":DAYS}, where DAYS is a number or a text (aktualizr-cert-provider sends the one,
 * aktualizr the other), or missing for certificate_days. The answer is 200 and a bundle (bundle.h) with a new
 * key, its certificate and server_ca. Refused: what admit.h says; with 400 invalid_body; with 503
 * no_issuing_ca or no_server_ca.
 */
#ifndef OTAFS_PROVISION_H
#define OTAFS_PROVISION_H

#include <stddef.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** An id of 64 characters and a number. */
#define PROVISION_BYTES_MAX 4096

/** Without the core's lock: makes the key, asks the signer. 0 and @work is set; 1: @reply is the answer
 * already; or -errno. */
int provision_prepare(struct core *core, const char *token, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err);
/** With the lock, within a transaction: lets the device in, and puts the bundle of @work into @reply. */
int provision_take(struct core *core, const char *token, void *work, struct reply *reply, struct err *err);
void provision_finish(void *work);

#endif
