#include "state/follow.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "state/inside.h"

static const char FOLLOW_ADD[] = "INSERT INTO follow (device, package, ecu, who, created_at)"
				 " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (device, package, ecu) DO NOTHING";
static const char FOLLOW_REMOVE[] = "DELETE FROM follow WHERE device = ?1 AND package = ?2 AND ecu = ?3";
static const char FOLLOW_REMOVE_ALL[] = "DELETE FROM follow WHERE device = ?1 AND package = ?2";
static const char FOLLOWS[] =
    "SELECT package, ecu, who, created_at FROM follow WHERE device = ?1 ORDER BY package, ecu";
static const char FOLLOWING[] =
    "SELECT DISTINCT device FROM follow WHERE device > ?1"
    " AND NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.device = follow.device)"
    " ORDER BY device LIMIT ?2";

int
state_follow_add(struct state *state, const char *device, const struct follow *f, struct err *err)
{
	return state_answer(
	    db_change(state->db, FOLLOW_ADD, err, "ssssi", device, f->package, f->ecu, f->who, f->created_at),
	    STATE_EXISTS);
}

int
state_follow_remove(
    struct state *state, const char *device, const char *package, const char *ecu, struct err *err)
{
	return state_answer(ecu ? db_change(state->db, FOLLOW_REMOVE, err, "sss", device, package, ecu)
				: db_change(state->db, FOLLOW_REMOVE_ALL, err, "ss", device, package),
	    STATE_NONE);
}

int
state_follows(struct state *state, const char *device, struct follow **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct follow *list = NULL;
	struct rows *rows;
	int r = db_query(state->db, FOLLOWS, &rows, err, "s", device);

	*count = 0;
	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		struct follow *one = state_grow(&list, *count, sizeof(*list));

		if (!one) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		(*count)++;
		db_copy(rows, 0, one->package, sizeof(one->package));
		db_copy(rows, 1, one->ecu, sizeof(one->ecu));
		db_copy(rows, 2, one->who, sizeof(one->who));
		one->created_at = db_number(rows, 3);
	}
	db_done(rows);
	if (r == 0)
		*out = MOVE(list);
	return r;
}

int
state_following(
    struct state *state, const char *after, size_t most, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, FOLLOWING, &rows, err, "si", after, (int64_t)most);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}
