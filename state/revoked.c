#include "state/revoked.h"

#include "state/inside.h"

static const char REVOKED_ADD[] =
    "INSERT INTO revoked (device, serial, created_at, who) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (device, serial) DO NOTHING";
static const char REVOKED_REMOVE[] = "DELETE FROM revoked WHERE device = ?1 AND serial = ?2";
static const char REVOKED[] = "SELECT COUNT(*) FROM revoked WHERE device = ?1 AND serial = ?2";

int
state_revoked_add(
    struct state *state, const char *device, const char *serial, const char *who, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, REVOKED_ADD, err, "ssis", device, serial, now, who), 0);
}

int
state_revoked_remove(struct state *state, const char *device, const char *serial, struct err *err)
{
	return state_answer(db_change(state->db, REVOKED_REMOVE, err, "ss", device, serial), STATE_NONE);
}

int
state_revoked(struct state *state, const char *device, const char *serial, struct err *err)
{
	struct rows *rows;
	int64_t count = 0;
	int r = db_query(state->db, REVOKED, &rows, err, "ss", device, serial);

	if (r < 0 || (r = state_number(rows, &count, err)) < 0)
		return r;
	return count ? 0 : STATE_NONE;
}
