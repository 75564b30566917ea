/** Certificates that speak for a device, by their serial numbers. */
#ifndef STATE_CERTIFICATE_H
#define STATE_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/device.h"
#include "lib/name.h"
#include "state/state.h"

struct reader;

/** Where it came from, for programs: "token NAME", "fleet CN=...", ... */
#define STATE_SOURCE_MAX 192

int
state_certificates(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

/** The same with their numbers. */
int state_certificate_numbers(struct state *state, const char *device,
    int (*each)(int64_t number, void *context), void *context, struct err *err);

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

/** All that is known of one. */
struct certificate_row {
	int64_t number; /**< given when it was added, and to no other; another one when it is added again */
	int64_t added_at;
	int64_t expires_at; /**< 0: nobody has told */
	int64_t used_at;    /**< when it handed in something first, as far as that was noted; 0: not yet */
	int64_t ends_at;    /**< it goes then, since a newer one is in use; 0: it stays */
	char source[STATE_SOURCE_MAX];
};
/** 0, or STATE_NONE. */
int state_certificate_row(
    struct state *state, const char *device, const char *serial, struct certificate_row *out, struct err *err);
/** The device @id too, in one statement: what each request of a device begins with. 0, or STATE_NONE. */
int state_speaker(struct state *state, const char *id, const char *serial, struct device *device,
    struct certificate_row *certificate, struct err *err);
/** Which certificate has that number: 0, or STATE_NONE. */
int state_certificate_numbered(struct state *state, int64_t number, char device[static NAME_DEVICE_MAX + 1],
    char serial[static NAME_SERIAL_MAX + 1], struct err *err);
/** Calls @each with the source of each certificate of @device. */
int state_certificate_sources(
    struct state *state, const char *device, state_name_fn each, void *context, struct err *err);
/** STATE_EXISTS: it was noted before, or there is no such certificate. */
int state_certificate_used(
    struct state *state, const char *device, const char *serial, int64_t now, struct err *err);

/** If all that @device has are about to end, none is any more. STATE_NONE: that is not so. */
int state_certificates_stay(struct state *state, const char *device, struct err *err);
/** Calls @each with those of @device that came or were used before @serial, whose row is @than, and stay longer
 * than until @ends_at. */
int state_certificates_older(struct state *state, const char *device, const char *serial,
    const struct certificate_row *than, int64_t ends_at, state_name_fn each, void *context, struct err *err);
int state_certificate_ends(
    struct state *state, const char *device, const char *serial, int64_t ends_at, struct err *err);
/** Those from @source that were not used yet. */
int state_certificates_pending(struct state *state, const char *device, const char *source, state_name_fn each,
    void *context, struct err *err);

/** Of all certificates that speak for a device. The cost is that of counting in an index. */
struct state_expiry_counts {
	int64_t certificates, not_known;
	int64_t expired;  /**< at @now */
	int64_t expiring; /**< after @now and until @until */
};
int state_expiry_count(
    struct state *state, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err);
/** Calls @each with the @most certificates that expire next after @now. */
typedef int (*state_expiry_fn)(const char *device, const char *serial, int64_t expires_at, void *context);
int state_expiry_first(
    struct state *state, int64_t now, int most, state_expiry_fn each, void *context, struct err *err);
/** The same by a connection that only reads, between reader_begin() and reader_end() (find.h). */
int reader_expiry_count(
    struct reader *reader, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err);
int reader_expiry_first(
    struct reader *reader, int64_t now, int most, state_expiry_fn each, void *context, struct err *err);
/** The first @most that should have gone by @now; @each gets when. */
int state_certificates_ended(
    struct state *state, int64_t now, int most, state_expiry_fn each, void *context, struct err *err);
/** Grows when what these give may have changed. */
int64_t state_certificate_changes(const struct state *state);

#endif
