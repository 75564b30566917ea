/**
 * EST simpleenroll: a device that has the certificate of an enrolment token is given its own, for a key that it
 * has made itself.  (RFC 7030, 4.2.1)
 *
 * The request (csr.h) has the device's id as its subject; the certificate lives certificate_days. Refused: what
 * admit.h says; with 400 bad_request or wrong_subject; with 503 no_issuing_ca.
 */
#ifndef OTAFS_ENLIST_H
#define OTAFS_ENLIST_H

#include <stddef.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** Without the core's lock: reads the request, asks the signer. 0 and @work is set; 1: @reply is the answer
 * already; or -errno. */
int enlist_prepare(struct core *core, const char *token, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err);
/** With the lock, within a transaction: lets the device in; the answer is as EST has it. */
int enlist_take(struct core *core, const char *token, void *work, struct reply *reply, struct err *err);
void enlist_finish(void *work);

#endif
