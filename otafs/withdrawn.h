/**
 * Assignments of what the image repository does not offer any more: retired by force, of a supplier whose trust
 * was ended or whose document has expired, or of other content now. No device would install it, and the signer
 * signs no document that names it: so the update ends as failed, in words, and the device hears of the end.
 */
#ifndef OTAFS_WITHDRAWN_H
#define OTAFS_WITHDRAWN_H

#include "otafs/core.h"

/** Ends them; to be called after each refresh of the core. Looks only when there is a publication that it has
 * not seen, or when a delegation has expired since. */
void withdrawn_follow(struct core *core, int64_t now);

/**
 * Ends the open update of @device, which the signer refuses for the reason @why: history, why and status say
 * so, and the version grows. 0 or -errno.
 */
int withdrawn_end(struct core *core, const char *device, const char *why, int64_t now, struct err *err);

#endif
