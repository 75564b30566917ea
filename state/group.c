#include "state/group.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "state/inside.h"

static const char ADD[] = "INSERT INTO device_group (name, rule, created_at) VALUES (?1, '', ?2)"
			  " ON CONFLICT (name) DO NOTHING";
static const char REMOVE[] = "DELETE FROM device_group WHERE name = ?1";
static const char RENAME[] = "UPDATE device_group SET name = ?2 WHERE name = ?1";
static const char RULE[] = "UPDATE device_group SET rule = ?2 WHERE name = ?1";
static const char GROUP[] = "SELECT name, rule, created_at FROM device_group WHERE name = ?1";
static const char GROUPS[] = "SELECT name, rule, created_at FROM device_group ORDER BY name";
static const char GROUP_COUNT[] = "SELECT COUNT(*) FROM device_group";
static const char MEMBER_ADD[] = "INSERT INTO member (name, device) VALUES (?1, ?2)"
				 " ON CONFLICT (name, device) DO NOTHING";
static const char MEMBER_REMOVE[] = "DELETE FROM member WHERE name = ?1 AND device = ?2";
static const char MEMBERS_REMOVE[] = "DELETE FROM member WHERE name = ?1";
static const char MEMBERS_RENAME[] = "UPDATE member SET name = ?2 WHERE name = ?1";
static const char MEMBER[] = "SELECT 1 FROM member WHERE name = ?1 AND device = ?2";
static const char MEMBERS[] =
    "SELECT device FROM member WHERE name = ?1 AND device > ?2 ORDER BY device LIMIT ?3";

int
state_group_add(struct state *state, const char *name, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, ADD, err, "si", name, now), STATE_EXISTS);
}

int
state_group_remove(struct state *state, const char *name, struct err *err)
{
	int r = db_change(state->db, MEMBERS_REMOVE, err, "s", name);

	return r < 0 ? r : state_answer(db_change(state->db, REMOVE, err, "s", name), STATE_NONE);
}

int
state_group_rename(struct state *state, const char *name, const char *as, struct err *err)
{
	int r = db_change(state->db, MEMBERS_RENAME, err, "ss", name, as);

	return r < 0 ? r : state_answer(db_change(state->db, RENAME, err, "ss", name, as), STATE_NONE);
}

int
state_group_rule(struct state *state, const char *name, const char *rule, struct err *err)
{
	return state_answer(db_change(state->db, RULE, err, "ss", name, rule), STATE_NONE);
}

static void
copy(struct rows *rows, struct group *out)
{
	db_copy(rows, 0, out->name, sizeof(out->name));
	db_copy(rows, 1, out->rule, sizeof(out->rule));
	out->created_at = db_number(rows, 2);
}

int
state_group(struct state *state, const char *name, struct group *out, struct err *err)
{
	struct rows *rows;
	int r;

	if ((r = db_query(state->db, GROUP, &rows, err, "s", name)) < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0)
		copy(rows, out);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

/* Read whole before the first is handed out: @each may look for groups itself, as a rule that names one does.
 */
int
state_groups(struct state *state, state_group_fn each, void *context, struct err *err)
{
	AUTO(free_p) struct group *list = NULL;
	struct rows *rows;
	size_t count = 0;
	int r;

	if ((r = db_query(state->db, GROUPS, &rows, err, "")) < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		struct group *one = state_grow(&list, count, sizeof(*list));

		if (!one) {
			r = err_set(err, ENOMEM, "no memory for groups");
			break;
		}
		copy(rows, one);
		count++;
	}
	db_done(rows);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = each(&list[i], context);
	return r;
}

int
state_group_count(struct state *state, int64_t *count, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, GROUP_COUNT, &rows, err, "");

	return r < 0 ? r : state_number(rows, count, err);
}

int
state_member_add(struct state *state, const char *name, const char *device, struct err *err)
{
	return state_answer(db_change(state->db, MEMBER_ADD, err, "ss", name, device), STATE_EXISTS);
}

int
state_member_remove(struct state *state, const char *name, const char *device, struct err *err)
{
	return state_answer(db_change(state->db, MEMBER_REMOVE, err, "ss", name, device), STATE_NONE);
}

int
state_member(struct state *state, const char *name, const char *device, struct err *err)
{
	struct rows *rows;
	int r;

	if ((r = db_query(state->db, MEMBER, &rows, err, "ss", name, device)) < 0)
		return r;
	r = db_next(rows, err);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_members(struct state *state, const char *name, const char *after, int64_t most, state_name_fn each,
    void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, MEMBERS, &rows, err, "ssi", name, after, most);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}
