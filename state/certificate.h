/** Certificates that speak for a device, by their serial numbers. */
#ifndef STATE_CERTIFICATE_H
#define STATE_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

int
state_certificates(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

int state_certificate_add(
    struct state *state, const char *device, const char *serial, int64_t now, struct err *err);
int state_certificate_remove(struct state *state, const char *device, const char *serial, struct err *err);
/** 0 when @serial speaks for @device, else STATE_NONE. @expires_at is 0 when nobody has told. */
int state_certificate(
    struct state *state, const char *device, const char *serial, int64_t *expires_at, struct err *err);
int state_certificate_expires(
    struct state *state, const char *device, const char *serial, int64_t expires_at, struct err *err);

/** Who it came from, for programs: "token NAME", ...; "" when an administrator accepted it. STATE_NONE. */
int state_certificate_source(
    struct state *state, const char *device, const char *serial, const char *source, struct err *err);
/** Whether @device has certificates, all of them from @source and none of them used: 0, or STATE_NONE. */
int state_certificates_unused(struct state *state, const char *device, const char *source, struct err *err);

/** Of all certificates that speak for a device. The cost is that of counting in an index. */
struct state_expiry_counts {
	int64_t certificates, not_known;
	int64_t expired;  /**< at @now */
	int64_t expiring; /**< after @now and until @until */
};
int state_expiry_count(
    struct state *state, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err);
/** Calls @each with the @count certificates that expire next after @now. */
typedef int (*state_expiry_fn)(const char *device, const char *serial, int64_t expires_at, void *context);
int state_expiry_first(
    struct state *state, int64_t now, int count, state_expiry_fn each, void *context, struct err *err);
/** Grows when what these two give may have changed. */
int64_t state_certificate_changes(const struct state *state);

#endif
