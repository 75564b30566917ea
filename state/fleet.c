#include "state/state.h"

#include <errno.h>

#include "lib/steady.h"
#include "lib/utc.h"
#include "state/inside.h"
#include "state/seen.h"

static const char EPOCH[] = "SELECT epoch, raised_at, basis FROM fleet WHERE one = 1";
static const char EPOCH_INIT[] =
    "INSERT INTO fleet (one, epoch, raised_at) VALUES (1, 0, ?1) ON CONFLICT (one) DO NOTHING";
static const char EPOCH_RAISE[] =
    "UPDATE fleet SET epoch = epoch + ?1, raised_at = ?2, basis = ?3 WHERE one = 1";
static const char NUMBER_NEXT[] = "UPDATE fleet SET numbers = numbers + 1 WHERE one = 1 AND numbers < ?1";
static const char COUNT[] =
    "SELECT (SELECT COUNT(*) FROM device), (SELECT COUNT(*) FROM ecu), (SELECT COUNT(*) FROM "
    "assignment),"
    " (SELECT COUNT(*) FROM device WHERE seen_at > ?1)";

/** Rows are counted one by one. What was counted so quickly is counted at each call; what took longer is
 * counted again after so many times as long, so that counting never takes more than that share of the time. */
#define COUNT_QUICK_MS 5
#define COUNT_SHARE 200

int
state_fleet_init(struct state *state, struct err *err)
{
	int r = db_change(state->db, EPOCH_INIT, err, "i", utc_now());

	return r < 0 ? r : 0;
}

static int
read_epoch(struct state *state, struct state_epoch *out, struct err *err)
{
	struct rows *statement;
	int r;

	if ((r = db_query(state->db, EPOCH, &statement, err, "")) < 0)
		return r;
	r = db_next(statement, err);
	if (r > 0)
		*out = (struct state_epoch){ db_number(statement, 0), db_number(statement, 1),
			db_rollbacks(state->db), true };
	db_done(statement);
	return r > 0 ? 0 : r < 0 ? r : err_set(err, EIO, "database: the fleet has no row");
}

int
state_epoch(struct state *state, int64_t *epoch, int64_t *raised_at, struct err *err)
{
	struct state_epoch *known = &state->epoch;
	int r = 0;

	if (!known->is_known || known->rollbacks != db_rollbacks(state->db))
		r = read_epoch(state, known, err);
	*epoch = known->epoch;
	*raised_at = known->raised_at;
	return r;
}

int
state_basis(struct state *state, char basis[static STATE_BASIS_SIZE], struct err *err)
{
	struct rows *statement;
	int r;

	if ((r = db_query(state->db, EPOCH, &statement, err, "")) < 0)
		return r;
	r = db_next(statement, err);
	if (r > 0)
		db_copy(statement, 2, basis, STATE_BASIS_SIZE);
	db_done(statement);
	return r > 0 ? 0 : r < 0 ? r : err_set(err, EIO, "database: the fleet has no row");
}

int
state_raise_epoch(struct state *state, int64_t by, int64_t now, const char *basis, struct err *err)
{
	int64_t epoch, raised_at;
	int r = state_epoch(state, &epoch, &raised_at, err);

	if (r < 0)
		return r;
	if (epoch + by > STATE_EPOCH_MAX)
		return err_set(err, EOVERFLOW,
		    "the epoch is %lld and ends at %d: devices count no higher versions", (long long)epoch,
		    STATE_EPOCH_MAX);
	state->epoch.is_known = false;
	return state_answer(db_change(state->db, EPOCH_RAISE, err, "iis", by, now, basis), STATE_NONE);
}

int
state_next_number(struct state *state, struct err *err)
{
	int r = db_change(state->db, NUMBER_NEXT, err, "i", (int64_t)STATE_NUMBER_MAX);

	if (r == 0)
		return err_set(err, EOVERFLOW,
		    "%d devices and certificates were added, which is the end of numbers", STATE_NUMBER_MAX);
	return r < 0 ? r : 0;
}

static int
count(struct state *state, int64_t now, struct state_counts *out, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, COUNT, &s, err, "i", now - 86400)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0) {
		out->devices = db_number(s, 0);
		out->ecus = db_number(s, 1);
		out->assignments = db_number(s, 2);
		out->seen_last_day = db_number(s, 3);
	}
	db_done(s);
	return r < 0 ? r : 0;
}

int
state_count(struct state *state, int64_t now, struct state_counts *out, struct err *err)
{
	int64_t start = steady_ms(), took;
	int r;

	if (start < state->count_ms) {
		*out = state->counts;
		return 0;
	}
	if ((r = count(state, now, &state->counts, err)) < 0)
		return r;
	took = steady_ms() - start;
	state->count_ms = took < COUNT_QUICK_MS ? 0 : start + took * COUNT_SHARE;
	*out = state->counts;
	return 0;
}
