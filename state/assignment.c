#include "state/assignment.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "state/inside.h"
#include "state/notes.h"
#include "state/seen.h"

static const char ASSIGNMENTS[] =
    "SELECT ecu, hardware, target, sha256, length, format, correlation, created_at,"
    " in_flight_at, number FROM assignment"
    " WHERE device = ?1 ORDER BY ecu";
static const char ASSIGNMENT_ADD[] =
    "INSERT INTO assignment (device, ecu, hardware, target, sha256, length, format, correlation,"
    " created_at, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
    " (SELECT assigned FROM fleet WHERE one = 1))";
static const char NUMBER_NEXT[] = "UPDATE fleet SET assigned = assigned + 1 WHERE one = 1";
static const char ASSIGNMENT_CLOSE[] = "DELETE FROM assignment WHERE device = ?1 AND ecu = ?2";
static const char USERS[] =
    "SELECT device || ' ' || serial || ' installed' FROM ecu WHERE installed = ?1 UNION ALL"
    " SELECT device || ' ' || ecu || ' assigned' FROM assignment WHERE target = ?1 ORDER BY 1";
static const char ASSIGNED[] = "SELECT target, sha256, COUNT(*) FROM assignment GROUP BY target, sha256";
static const char RUNNING[] =
    "SELECT installed_sha256, hardware, COUNT(DISTINCT device) FROM ecu WHERE installed_sha256 <> ''"
    " GROUP BY installed_sha256, hardware";
static const char ASSIGNED_DEVICES[] =
    "SELECT DISTINCT device FROM assignment WHERE target = ?1 ORDER BY device";

int
state_assignments(
    struct state *state, const char *device, struct assignment **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct assignment *list = NULL;
	int64_t read_at, read_to = state_read_to(state, device, &read_at);
	struct rows *s;
	int r;

	*count = 0;
	if ((r = db_query(state->db, ASSIGNMENTS, &s, err, "s", device)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0) {
		struct assignment *one = state_grow(&list, *count, sizeof(*list));

		if (!one) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		db_copy(s, 0, one->ecu, sizeof(one->ecu));
		db_copy(s, 1, one->hardware, sizeof(one->hardware));
		db_copy(s, 2, one->target, sizeof(one->target));
		db_copy(s, 3, one->sha256, sizeof(one->sha256));
		one->length = db_number(s, 4);
		db_copy(s, 5, one->format, sizeof(one->format));
		db_copy(s, 6, one->correlation, sizeof(one->correlation));
		one->created_at = db_number(s, 7);
		one->in_flight_at = db_number(s, 8);
		one->number = db_number(s, 9);
		if (one->in_flight_at == 0 && one->number <= read_to)
			one->in_flight_at = read_at ? read_at : one->created_at;
		(*count)++;
	}
	db_done(s);
	if (r == 0)
		*out = MOVE(list);
	return r;
}

/* What a device should do is another thing now: its polls are counted from here. */
static int
changed(struct state *state, const char *device, int r, struct err *err)
{
	state->needs++;
	return r ? r : state_polls(state, device, 0, err);
}

int
state_assignment_add(struct state *state, const char *device, const struct assignment *a, struct err *err)
{
	int r = db_change(state->db, NUMBER_NEXT, err, "");

	if (r >= 0)
		r = db_change(state->db, ASSIGNMENT_ADD, err, "sssssissi", device, a->ecu, a->hardware,
		    a->target, a->sha256, a->length, a->format, a->correlation, a->created_at);

	return changed(state, device, state_answer(r, STATE_NONE), err);
}

int
state_assignment_close(struct state *state, const char *device, const char *ecu, struct err *err)
{
	int r = db_change(state->db, ASSIGNMENT_CLOSE, err, "ss", device, ecu);

	return changed(state, device, state_answer(r, STATE_NONE), err);
}

int
state_users(struct state *state, const char *target, state_name_fn each, void *context, struct err *err)
{
	return state_each_text(state, USERS, target, each, context, err);
}

static int
each_need(struct db *db, const char *sql, state_need_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(db, sql, &rows, err, "");

	return r < 0 ? r : state_each_row(rows, each, context, err);
}

int
state_assigned(struct state *state, state_need_fn each, void *context, struct err *err)
{
	return each_need(state->db, ASSIGNED, each, context, err);
}

int
state_running(struct state *state, state_need_fn each, void *context, struct err *err)
{
	return each_need(state->db, RUNNING, each, context, err);
}

int
reader_assigned(struct reader *reader, state_need_fn each, void *context, struct err *err)
{
	return each_need(reader->db, ASSIGNED, each, context, err);
}

int
reader_running(struct reader *reader, state_need_fn each, void *context, struct err *err)
{
	return each_need(reader->db, RUNNING, each, context, err);
}

int64_t
state_needs(const struct state *state)
{
	return state->needs;
}

int
state_assigned_devices(
    struct state *state, const char *target, state_name_fn each, void *context, struct err *err)
{
	return state_each_text(state, ASSIGNED_DEVICES, target, each, context, err);
}
