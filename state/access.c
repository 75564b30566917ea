#include "state/access.h"

#include "state/inside.h"

static const char ADMINISTRATOR[] = "SELECT role FROM administrator WHERE name = ?1";
static const char ADMINISTRATOR_SET[] =
    "INSERT INTO administrator (name, role, created_at, who) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (name) DO UPDATE SET role = ?2";
static const char ADMINISTRATOR_REMOVE[] = "DELETE FROM administrator WHERE name = ?1";
static const char ADMINISTRATORS[] = "SELECT name FROM administrator ORDER BY name";
static const char TOKEN[] =
    "SELECT id, parent, name, digest, role, paths, title, created_at, expires_at, used_at"
    " FROM access_token WHERE id = ?1";
static const char TOKEN_ADD[] =
    "INSERT INTO access_token (id, parent, name, digest, role, paths, title, created_at, expires_at, used_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";
static const char TOKEN_USED[] = "UPDATE access_token SET used_at = ?2 WHERE id = ?1";
static const char TOKEN_REMOVE[] = "DELETE FROM access_token WHERE id = ?1";
/* Those whose parent is gone: again and again, until there are none. */
static const char ORPHANS_REMOVE[] =
    "DELETE FROM access_token WHERE parent <> '' AND NOT EXISTS"
    " (SELECT 1 FROM access_token AS above WHERE above.id = access_token.parent)";
static const char TOKENS_REMOVE[] = "DELETE FROM access_token WHERE name = ?1";
static const char TOKENS[] = "SELECT id FROM access_token ORDER BY id";
static const char TOKEN_COUNT[] = "SELECT COUNT(*) FROM access_token WHERE name = ?1";

int
state_administrator(struct state *state, const char *name, enum access_role *role, struct err *err)
{
	struct rows *rows;
	int r;

	if ((r = db_query(state->db, ADMINISTRATOR, &rows, err, "s", name)) < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0)
		*role = (enum access_role)db_number(rows, 0);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_administrator_set(
    struct state *state, const char *name, enum access_role role, int64_t now, const char *who, struct err *err)
{
	int r = db_change(state->db, ADMINISTRATOR_SET, err, "siis", name, (int64_t)role, now, who);

	return r < 0 ? r : 0;
}

int
state_administrator_remove(struct state *state, const char *name, struct err *err)
{
	int r = db_change(state->db, TOKENS_REMOVE, err, "s", name);

	return r < 0 ? r : state_answer(db_change(state->db, ADMINISTRATOR_REMOVE, err, "s", name), STATE_NONE);
}

int
state_administrators(struct state *state, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, ADMINISTRATORS, &rows, err, "");

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

static void
copy(struct rows *rows, struct access_token *out)
{
	db_copy(rows, 0, out->id, sizeof(out->id));
	db_copy(rows, 1, out->parent, sizeof(out->parent));
	db_copy(rows, 2, out->name, sizeof(out->name));
	db_copy(rows, 3, out->digest, sizeof(out->digest));
	out->role = (enum access_role)db_number(rows, 4);
	db_copy(rows, 5, out->paths, sizeof(out->paths));
	db_copy(rows, 6, out->title, sizeof(out->title));
	out->created_at = db_number(rows, 7);
	out->expires_at = db_number(rows, 8);
	out->used_at = db_number(rows, 9);
}

int
state_access(struct state *state, const char *id, struct access_token *out, struct err *err)
{
	struct rows *rows;
	int r;

	if ((r = db_query(state->db, TOKEN, &rows, err, "s", id)) < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0)
		copy(rows, out);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_access_add(struct state *state, const struct access_token *token, struct err *err)
{
	return state_answer(db_change(state->db, TOKEN_ADD, err, "ssssissiii", token->id, token->parent,
				token->name, token->digest, (int64_t)token->role, token->paths, token->title,
				token->created_at, token->expires_at, token->used_at),
	    STATE_EXISTS);
}

int
state_access_used(struct state *state, const char *id, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, TOKEN_USED, err, "si", id, now), STATE_NONE);
}

int
state_access_remove(struct state *state, const char *id, struct err *err)
{
	int r = db_change(state->db, TOKEN_REMOVE, err, "s", id), more;

	if (r <= 0)
		return r < 0 ? r : STATE_NONE;
	do
		more = db_change(state->db, ORPHANS_REMOVE, err, "");
	while (more > 0);
	return more;
}

int
state_access_list(struct state *state, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, TOKENS, &rows, err, "");

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int
state_access_count(struct state *state, const char *name, int64_t *count, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, TOKEN_COUNT, &rows, err, "s", name);

	return r < 0 ? r : state_number(rows, count, err);
}
