#include "state/blocked.h"

#include "state/inside.h"

static const char BLOCKED_ADD[] = "INSERT INTO blocked (device, created_at, who) VALUES (?1, ?2, ?3)"
				  " ON CONFLICT (device) DO NOTHING";
static const char BLOCKED_REMOVE[] = "DELETE FROM blocked WHERE device = ?1";
static const char BLOCKED[] = "SELECT created_at, who FROM blocked WHERE device = ?1";
static const char BLOCKED_PAGE[] = "SELECT device FROM blocked WHERE device > ?1 ORDER BY device LIMIT ?2";

int
state_blocked_add(struct state *state, const char *device, const char *who, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, BLOCKED_ADD, err, "sis", device, now, who), STATE_EXISTS);
}

int
state_blocked_remove(struct state *state, const char *device, struct err *err)
{
	return state_answer(db_change(state->db, BLOCKED_REMOVE, err, "s", device), STATE_NONE);
}

int
state_blocked(struct state *state, const char *device, struct blocked *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, BLOCKED, &rows, err, "s", device);

	if (r < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0) {
		out->created_at = db_number(rows, 0);
		db_copy(rows, 1, out->who, sizeof(out->who));
	}
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_blocked_page(
    struct state *state, const char *after, int64_t most, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, BLOCKED_PAGE, &rows, err, "si", after, most);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}
