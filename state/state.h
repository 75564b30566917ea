/**
 * The fleet's state: devices, their certificates, ECUs, assignments, reports, events and history.
 *
 * All SQL of the project stands in this folder, each table's in a file of its own (device.h, certificate.h,
 * ecu.h, assignment.h, report.h, history.h). A commit is on disk before its function returns, and readers see
 * committed rows only. Not for several threads at once: the core's lock guards it.
 *
 * Functions return 0, a positive answer named here, or -errno with words. Times are seconds since 1970.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** There is no such row. */
#define STATE_NONE 1
/** There is such a row already; nothing was changed. */
#define STATE_EXISTS 2

struct state;

/** Opens or creates the database at @path and brings its schema up to date, one numbered step after the other.
 */
int state_open(const char *path, struct state **out, struct err *err);
void state_free(struct state *state);
void state_freep(struct state **state);

/** A transaction around several calls; state_end() keeps it when @r >= 0, else takes it back. Returns @r or a
 * failure. They nest: an inner one can be taken back alone, and is on disk with the outermost. */
int state_begin(struct state *state, struct err *err);
int state_end(struct state *state, int r, struct err *err);
/** The same for what may be lost with the power: it does not wait for the disk. */
int state_begin_behind(struct state *state, struct err *err);

/** What the disk had against the last change, since which none could be kept; NULL: nothing. */
const char *state_trouble(const struct state *state);

/** How many rows were inserted, changed or deleted since it was opened, also those that were taken back: what
 * is not counted has written nothing. */
int64_t state_changes(const struct state *state);

/** "uid 4294967295 (NAME)", "NAME (token 1a2b3c4d)": who did something; a longer name is cut. */
#define STATE_WHO_MAX 96

/** Is called with one name after the other until it returns non-zero, which is passed on. */
typedef int (*state_name_fn)(const char *name, void *context);

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

/** Devices and certificates are numbered from 1 on, each number is given once and never again; so many fit into
 * the node ids of the www view. */
#define STATE_NUMBER_MAX ((1 << 30) - 1)

struct state_counts {
	int64_t devices, ecus, assignments, seen_last_day;
};
/** In a large fleet these are some seconds to a minute old: counting takes at most 0.5 % of the time. */
int state_count(struct state *state, int64_t now, struct state_counts *out, struct err *err);

#endif
