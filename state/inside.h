/** What the files of this folder share; nobody else includes it. */
#ifndef STATE_INSIDE_H
#define STATE_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/certificate.h"
#include "state/db.h"
#include "state/device.h"
#include "state/standing.h"
#include "state/state.h"

/** See state_standings(). */
struct state_standings {
	struct state_standing_count list[STATE_STANDINGS_MAX];
	size_t count;
	int64_t rollbacks; /**< db_rollbacks() when they were counted */
	bool is_counted;
};

/** The fleet's epoch, a part of each document's version. */
struct state_epoch {
	int64_t epoch, raised_at;
	int64_t rollbacks; /**< db_rollbacks() when it was read */
	bool is_known;
};

/** Whom state_certificate_numbered() found last. */
struct state_speaker {
	struct device device;
	struct certificate_row certificate;
	char serial[NAME_SERIAL_MAX + 1]; /**< "": nobody */
	int64_t changes, rollbacks;       /**< of the database, when he was found */
};

struct seen;
struct reads;

struct state {
	struct db *db;
	struct seen *seen;     /**< what is noted in memory (notes.h) */
	struct reads *reads;   /**< the same (reads.h) */
	int64_t needs;         /**< see state_needs() */
	int64_t certificates;  /**< see state_certificate_changes() */
	int64_t log_end;       /**< see state_log_size(); as of log_rollbacks, when it is known */
	int64_t log_rollbacks; /**< what db_rollbacks() was then */
	bool log_end_known;
	struct state_standings standings;
	struct state_epoch epoch;
	struct state_speaker last;
	struct state_counts counts; /**< see state_count() */
	int64_t count_ms;           /**< they hold until then, of the clock that nobody sets */
};

/** See find.h. */
struct reader {
	struct db *db;
	pthread_mutex_t lock;
};

/** The one row of the fleet. */
int state_fleet_init(struct state *state, struct err *err);

/** Makes fleet.numbers the next number that was never given, within the transaction in which it is. */
int state_next_number(struct state *state, struct err *err);

/** What a change of so many rows comes to: 0, @when_none, or the -errno. */
int state_answer(int changed, int when_none);

/** Hands column 0 of each row to @each; the query has one parameter. */
int state_each_text(struct state *state, const char *sql, const char *argument, state_name_fn each,
    void *context, struct err *err);

/** These three end the query. Hands column 0 of each row to @each, until it returns other than 0. */
int state_each_name(struct rows *rows, state_name_fn each, void *context, struct err *err);
/** Column 0 of the only row; 0 when there is none. */
int state_number(struct rows *rows, int64_t *out, struct err *err);
/** Calls @each for each row, two texts and a number, until it returns other than 0. */
int state_each_row(struct rows *rows, int (*each)(const char *, const char *, int64_t, void *), void *context,
    struct err *err);

/** The columns of a device, which are the first 16 of a row, and what they say; with what is noted since. */
#define STATE_DEVICE_COLUMNS                                                                                   \
	"device.id, device.counter, device.created_at, device.changed_at, device.seen_at,"                     \
	" device.primary_ecu, device.why, device.why_at, device.failure, device.status, device.name,"          \
	" device.activated_at, device.polls, device.report_digest, device.manifest_digest,"                    \
	" device.number, device.ordered"
#define STATE_DEVICE_COLUMN_COUNT 17
void state_read_device(struct state *state, struct rows *rows, struct device *out);
/** Adds what is noted by now. */
void state_overlay_device(const struct state *state, struct device *out);

/** A device has another status; "": it is new, or gone. */
void state_standing_moved(struct state *state, const char *was, const char *status);

/** Makes room for one more element of @size bytes, zeroed, in *@array; NULL: no memory. */
void *state_grow(void *array, size_t count, size_t size);

#endif
