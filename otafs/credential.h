/**
 * Certificates of a device: how they come, follow one another, and go.
 *
 * One that was made here or that a CA of the fleet has made takes the place of those that were there before:
 * when it has handed in something first, they stay for certificate_overlap_days and then go by themselves. One
 * that an administrator accepted by its serial number (mkdir) takes nobody's place.
 */
#ifndef OTAFS_CREDENTIAL_H
#define OTAFS_CREDENTIAL_H

#include <stdio.h>

#include "otafs/core.h"

/** Sources (state/certificate.h) but for those of tokens: a request that an administrator handed in, one of the
 * device itself, and "fleet CN=...". */
#define CREDENTIAL_REQUEST "request"
#define CREDENTIAL_RENEWAL "renewal"
#define CREDENTIAL_FLEET "fleet "

struct credential {
	const char *device, *serial;
	int64_t expires_at;
	const char *source;
};

/** It speaks for its device from now on, and the history tells that it was @done ("made for a request of ...").
 * Within a transaction. -EEXIST. */
int credential_add(
    struct core *core, const struct credential *credential, const char *done, const char *who, struct err *err);

/** Of @device from @source, the first that was never used: 0 and @out, which is "" when there is none. It is
 * not
 * @asker, who uses it by asking. */
int credential_pending(struct core *core, const char *device, const char *source, const char *asker,
    char out[static NAME_SERIAL_MAX + 1], struct err *err);

/** Takes back those of @device from @source that were never used. Within a transaction. */
int credential_drop_pending(struct core *core, const char *device, const char *source, struct err *err);

/** @serial of @device, whose row is @row, hands in something: if that is the first time, it takes the place of
 * those before it. */
int credential_use(struct core *core, const char *device, const char *serial, const struct certificate_row *row,
    int64_t now, struct err *err);

/** Lets those go whose time is over; to be called each second. What fails is logged and tried again. */
void credential_run(struct core *core, int64_t now);

/** Where it came from, since when it is used, and until when it stays: lines of "NAME: VALUE". */
int credential_print(struct core *core, const char *device, const char *serial, FILE *out, struct err *err);

#endif
