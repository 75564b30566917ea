/**
 * The fleet's state in SQLite: devices, their certificates, ECUs, assignments, reports, events and history.
 *
 * All SQL of the project stands in state.c, in the part of the language that SQLite and PostgreSQL share. A
 * commit is on disk before its function returns (WAL, synchronous=FULL), and readers see committed rows only.
 * Not for several threads at once: the core's lock guards it.
 *
 * Functions return 0, a positive answer named here, or -errno with words. Times are seconds since 1970.
 */
#ifndef OTAFS_STATE_H
#define OTAFS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"

/** ECUs of one device; a vehicle has tens. */
#define STATE_ECUS_MAX 100
/** JSON of one public key: an RSA-4096 PEM, its newlines escaped, and the members around it. */
#define STATE_KEY_MAX 2304
/** "urn:here-ota:mtu:" and a UUID. */
#define STATE_CORRELATION_MAX 128

/** There is no such row. */
#define STATE_NONE 1
/** There is such a row already; nothing was changed. */
#define STATE_EXISTS 2

struct state;

struct device {
	char id[NAME_DEVICE_MAX + 1];
	int64_t counter; /**< grows with each change of what the device should install */
	int64_t created_at;
	int64_t changed_at;                 /**< when anything about it last changed */
	int64_t seen_at;                    /**< when it last handed something in; 0: never */
	char primary_ecu[NAME_ECU_MAX + 1]; /**< empty: it has not registered its ECUs */
	char why[ERR_TEXT_MAX];             /**< the last refusal in words; empty: none */
	int64_t why_at;
	char failure[ERR_TEXT_MAX]; /**< how the last update failed; empty: it did not, or there was none */
};

struct ecu {
	char serial[NAME_ECU_MAX + 1];
	char hardware[NAME_HARDWARE_MAX + 1];
	char key[STATE_KEY_MAX];             /**< its public key as JSON */
	char installed[NAME_TARGET_MAX + 1]; /**< target file it says it runs; empty: nothing reported yet */
	char installed_sha256[DIGEST_HEX_SIZE];
	int64_t installed_at; /**< when that was first reported */
};

struct assignment {
	char ecu[NAME_ECU_MAX + 1];
	char hardware[NAME_HARDWARE_MAX + 1];
	char target[NAME_TARGET_MAX + 1];
	char sha256[DIGEST_HEX_SIZE];
	int64_t length; /**< bytes; 0 for an OSTree commit */
	char format[8]; /**< OSTREE or BINARY */
	char correlation[STATE_CORRELATION_MAX];
	int64_t created_at;
};

/** Opens or creates the database at @path and brings its schema up to date, one numbered step after the other.
 */
int state_open(const char *path, struct state **out, struct err *err);
void state_free(struct state *state);
void state_freep(struct state **state);

/** One transaction around several calls; state_end() commits when @r >= 0, else rolls back. Returns @r or a
 * failure. */
int state_begin(struct state *state, struct err *err);
int state_end(struct state *state, int r, struct err *err);

/** Longest basis with its 0. */
#define STATE_BASIS_SIZE 64

/** Clients count versions in 32 bits. The room above is for the devices' counters. */
#define STATE_EPOCH_MAX 2000000000

/**
 * The fleet's epoch and when it was raised; and the basis that it was raised for: what all documents depend on
 * besides their device, as text, empty before the first raise. Raising adds @by and takes @now and @basis;
 * above STATE_EPOCH_MAX it is -EOVERFLOW.
 */
int state_epoch(struct state *state, int64_t *epoch, int64_t *raised_at, struct err *err);
int state_basis(struct state *state, char basis[static STATE_BASIS_SIZE], struct err *err);
int state_raise_epoch(struct state *state, int64_t by, int64_t now, const char *basis, struct err *err);

/** A device that was removed before goes on above its old counter: its versions never go back. */
int state_device_add(struct state *state, const char *id, int64_t now, struct err *err);
/** Removes all but the history and the counter, from which a device of the same id goes on. */
int state_device_remove(struct state *state, const char *id, struct err *err);
int state_device(struct state *state, const char *id, struct device *out, struct err *err);
/** What the device should install has changed: its counter grows. */
int state_device_bump(struct state *state, const char *id, int64_t now, struct err *err);
int state_device_primary(struct state *state, const char *id, const char *ecu, struct err *err);
int state_device_why(struct state *state, const char *id, const char *why, int64_t now, struct err *err);
/** How the last update failed, "" when one did not. */
int state_device_failure(struct state *state, const char *id, const char *failure, struct err *err);
int state_device_seen(struct state *state, const char *id, int64_t now, struct err *err);

/** Calls @each with one name after the other until it returns non-zero, which is passed on. */
typedef int (*state_name_fn)(const char *name, void *context);
int state_devices(struct state *state, state_name_fn each, void *context, struct err *err);
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

/** All ECUs of a device, the primary first; the caller frees @out. */
int state_ecus(struct state *state, const char *device, struct ecu **out, size_t *count, struct err *err);
/** Adds the ECU or replaces hardware id and key of the one with that serial. @position orders them. */
int
state_ecu_put(struct state *state, const char *device, const struct ecu *ecu, int position, struct err *err);
int state_ecu_remove(struct state *state, const char *device, const char *serial, struct err *err);
int state_ecu_installed(struct state *state, const char *device, const struct ecu *ecu, struct err *err);

/** Open assignments, ordered by ECU; the caller frees @out. */
int state_assignments(
    struct state *state, const char *device, struct assignment **out, size_t *count, struct err *err);
int state_assignment_add(
    struct state *state, const char *device, const struct assignment *assignment, struct err *err);
int state_assignment_close(struct state *state, const char *device, const char *ecu, struct err *err);

/** Lines "DEVICE ECU installed" and "DEVICE ECU assigned" of all who run or should run @target. */
int state_users(struct state *state, const char *target, state_name_fn each, void *context, struct err *err);

/** The devices that have an open assignment of @target. */
int state_assigned_devices(
    struct state *state, const char *target, state_name_fn each, void *context, struct err *err);

/**
 * What the fleet needs: each target file and sha256 that is assigned, and each sha256 and hardware id that ECUs
 * run, with the number of assignments or devices. A result of @each that is not 0 ends it and is returned.
 */
typedef int (*state_need_fn)(const char *what, const char *more, int64_t devices, void *context);
int state_assigned(struct state *state, state_need_fn each, void *context, struct err *err);
int state_running(struct state *state, state_need_fn each, void *context, struct err *err);
/** Grows when what these two give may have changed. */
int64_t state_needs(const struct state *state);

/** The last body of a kind (system_info, network, ...) that a device handed in; the caller frees @body. */
int state_report_put(struct state *state, const char *device, const char *kind, const char *body, size_t bytes,
    int64_t now, struct err *err);
int state_report(struct state *state, const char *device, const char *kind, char **body, size_t *bytes,
    int64_t *received_at, struct err *err);

/** STATE_EXISTS when an event of that id is there already. */
int state_event_add(
    struct state *state, const char *device, const char *id, const char *body, int64_t now, struct err *err);
int state_events(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

/** The same for the newest event only. */
int
state_event_last(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

/** History is only ever added to. A line is shown as "TIME TEXT". */
int state_history_add(struct state *state, const char *device, const char *text, int64_t now, struct err *err);
int state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err);

struct state_counts {
	int64_t devices, ecus, assignments, seen_last_day;
};
int state_count(struct state *state, int64_t now, struct state_counts *out, struct err *err);

#endif
