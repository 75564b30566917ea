#include "state/reads.h"

#include <errno.h>
#include <stdlib.h>

#include "state/assignment.h"
#include "state/inside.h"
#include "state/notes.h"
#include "state/seen.h"

struct read {
	struct noted_key key;
	int64_t number; /* of the last assignment that the device may have read of */
	int64_t at;
	int64_t stored; /* 1 + db_rollbacks() when it was stored; 0: not yet */
};

struct reads {
	struct noted *notes;
	int64_t to; /* assignments up to that number may have been read by anybody; 0: none */
};

static const char RUN_BEGIN[] =
    "UPDATE fleet SET read_to = CASE WHEN is_clean = 0 THEN assigned ELSE read_to END,"
    " is_clean = 0 WHERE one = 1";
/* What the next RUN_BEGIN would write. */
static const char RUN_OPEN[] = "SELECT assigned FROM fleet WHERE one = 1 AND is_clean = 0";
static const char RUN_END[] = "UPDATE fleet SET is_clean = 1, read_to = ?1 WHERE one = 1";
static const char READ_TO[] = "SELECT read_to FROM fleet WHERE one = 1";
static const char READ_NONE[] = "UPDATE fleet SET read_to = 0 WHERE one = 1";
static const char OWED[] = "SELECT DISTINCT device FROM assignment WHERE device > ?1 ORDER BY device LIMIT ?2";
static const char STORE[] = "UPDATE assignment SET in_flight_at = CASE WHEN ?2 > 0 THEN ?2 ELSE created_at END"
			    " WHERE device = ?1 AND in_flight_at = 0 AND number <= ?3";

int
reads_open(struct state *state, struct err *err)
{
	state->reads = calloc(1, sizeof(*state->reads));
	if (state->reads)
		state->reads->notes = noted_new(STATE_READS_MAX, sizeof(struct read));
	return state->reads && state->reads->notes ? 0
						   : err_set(err, ENOMEM, "no memory for what is in flight");
}

void
reads_close(struct state *state)
{
	if (state->reads)
		noted_free(state->reads->notes);
	free(state->reads);
	state->reads = NULL;
}

/* On a full disk: devices are served all the same. Should that end badly too, the next start finds no less. */
static int
begin_as_it_was(struct state *state, int failure)
{
	struct err why;
	struct rows *rows;
	int r = db_query(state->db, RUN_OPEN, &rows, &why, "");

	if (r < 0)
		return failure;
	if ((r = db_next(rows, &why)) > 0)
		state->reads->to = db_number(rows, 0);
	db_done(rows);
	return r > 0 ? 0 : failure;
}

int
state_run_begin(struct state *state, struct err *err)
{
	struct rows *rows;
	int r = db_change(state->db, RUN_BEGIN, err, "");

	if (r < 0)
		return begin_as_it_was(state, r);
	if ((r = db_query(state->db, READ_TO, &rows, err, "")) < 0)
		return r;
	return state_number(rows, &state->reads->to, err);
}

int
state_run_end(struct state *state, struct err *err)
{
	int r = db_change(state->db, RUN_END, err, "i", state->reads->to);

	return r < 0 ? r : 0;
}

int
state_read(struct state *state, const char *device, int64_t number, int64_t now, struct err *err)
{
	struct read *read = noted_find(state->reads->notes, device);

	if (!read)
		read = noted_add(state->reads->notes, device);
	if (!read)
		return err_set(err, ENOSPC, "%s: no room to note what is in flight", device);
	if (number <= read->number)
		return 0;
	read->number = number;
	read->at = now;
	read->stored = 0;
	return 0;
}

int
state_reads(const struct state *state)
{
	return state->reads->notes->count;
}

bool
state_reads_are_many(const struct state *state)
{
	return state->reads->notes->count > STATE_READS_MAX / 4;
}

const char *
state_reads_device(const struct state *state, int index)
{
	return ((struct read *)noted_at(state->reads->notes, index))->key.device;
}

void
state_reads_drop(struct state *state, int count)
{
	noted_drop(state->reads->notes, count);
}

int64_t
state_read_to(const struct state *state, const char *device, int64_t *at)
{
	const struct read *read = noted_find(state->reads->notes, device);

	*at = read && read->number > state->reads->to ? read->at : 0;
	return *at ? read->number : state->reads->to;
}

bool
state_read_is_due(struct state *state, const char *device)
{
	const struct read *read = noted_find(state->reads->notes, device);

	/* What was stored may have been taken back with the transaction around it. */
	return state->reads->to > 0 || (read && read->stored != 1 + db_rollbacks(state->db));
}

int
state_read_store(struct state *state, const char *device, int64_t *at, struct err *err)
{
	struct read *read = noted_find(state->reads->notes, device);
	int64_t to = state_read_to(state, device, at);
	int r = db_change(state->db, STORE, err, "sii", device, *at, to);

	if (read && r >= 0)
		read->stored = 1 + db_rollbacks(state->db);
	return r < 0 ? r : r == 0 ? STATE_NONE : state_polls(state, device, 0, err);
}

bool
state_reads_are_owed(const struct state *state)
{
	return state->reads->to > 0;
}

int
state_reads_owed(
    struct state *state, const char *after, int64_t most, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, OWED, &rows, err, "si", after, most);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int
state_reads_paid(struct state *state, struct err *err)
{
	int r = db_change(state->db, READ_NONE, err, "");

	if (r < 0)
		return r;
	state->reads->to = 0;
	return 0;
}
