/**
 * A device comes in by an enrolment token (token.h): it is made, has one certificate, and is in the token's
 * group with the token's tags.
 *
 * Refused are, with 403: token_expired, token_used_up, device_blocked (it was deleted, and an administrator has
 * neither unblocked its id nor made it himself); with 409: device_already_registered, upon which aktualizr
 * takes another id; with 400: invalid_device_id.
 *
 * The answer may have been lost on the way: a device that came in by the same token and has not spoken since
 * may come again. It is given a new certificate, those from before are nobody's then, and it counts once.
 * Of two requests at once one is refused, with 503 overtaken: the other one's answer may be what the device
 * reads, and it is not to be locked out by the certificate that nobody waits for any more.
 */
#ifndef OTAFS_ADMIT_H
#define OTAFS_ADMIT_H

#include "otafs/core.h"
#include "otafs/issue.h"
#include "otafs/reply.h"

/** Whether @device may come in by @token now, to be asked before a certificate is made. Without the core's
 * lock. @has: set to the certificate that it has when it comes again, or "". 0: it may; 1: @reply has the
 * refusal; or -errno. */
int admit_check(struct core *core, const char *token, const char *device, char has[static NAME_SERIAL_MAX + 1],
    struct reply *reply, struct err *err);

/** Lets it in with the certificate @issued, within a transaction and with the lock, if it still may and still
 * @has what it had. 0: it is in, and @reply has the status 200; 1: @reply has the refusal; or -errno. */
int admit(struct core *core, const char *token, const char *device, const char *has,
    const struct issued *issued, struct reply *reply, struct err *err);

#endif
