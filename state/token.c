#include "state/token.h"

#include "state/inside.h"

#define COLUMNS "name, serial, created_at, who, expires_at, most, used, member_of, tags"

static const char TOKEN_ADD[] = "INSERT INTO token (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
				" ON CONFLICT (name) DO NOTHING";
static const char TOKEN_REMOVE[] = "DELETE FROM token WHERE name = ?1";
static const char TOKEN[] = "SELECT " COLUMNS " FROM token WHERE name = ?1";
static const char TOKENS[] = "SELECT " COLUMNS " FROM token ORDER BY name";
static const char TOKEN_PUT[] = "UPDATE token SET serial = ?2, expires_at = ?3, most = ?4, used = ?5,"
				" member_of = ?6, tags = ?7 WHERE name = ?1";
static const char GROUP_RENAME[] = "UPDATE token SET member_of = ?2 WHERE member_of = ?1";

int
state_token_add(struct state *state, const struct token *token, struct err *err)
{
	return state_answer(
	    db_change(state->db, TOKEN_ADD, err, "ssisiiiss", token->name, token->serial, token->created_at,
		token->who, token->expires_at, token->most, token->used, token->group, token->tags),
	    STATE_EXISTS);
}

int
state_token_remove(struct state *state, const char *name, struct err *err)
{
	return state_answer(db_change(state->db, TOKEN_REMOVE, err, "s", name), STATE_NONE);
}

int
state_token_put(struct state *state, const struct token *token, struct err *err)
{
	return state_answer(db_change(state->db, TOKEN_PUT, err, "ssiiiss", token->name, token->serial,
				token->expires_at, token->most, token->used, token->group, token->tags),
	    STATE_NONE);
}

int
state_tokens_rename_group(struct state *state, const char *name, const char *as, struct err *err)
{
	int r = db_change(state->db, GROUP_RENAME, err, "ss", name, as);

	return r < 0 ? r : 0;
}

static void
read_row(struct rows *rows, struct token *out)
{
	db_copy(rows, 0, out->name, sizeof(out->name));
	db_copy(rows, 1, out->serial, sizeof(out->serial));
	out->created_at = db_number(rows, 2);
	db_copy(rows, 3, out->who, sizeof(out->who));
	out->expires_at = db_number(rows, 4);
	out->most = db_number(rows, 5);
	out->used = db_number(rows, 6);
	db_copy(rows, 7, out->group, sizeof(out->group));
	db_copy(rows, 8, out->tags, sizeof(out->tags));
}

int
state_token(struct state *state, const char *name, struct token *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, TOKEN, &rows, err, "s", name);

	if (r < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0)
		read_row(rows, out);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_tokens(struct state *state, state_token_fn each, void *context, struct err *err)
{
	struct token token;
	struct rows *rows;
	int r = db_query(state->db, TOKENS, &rows, err, "");

	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		read_row(rows, &token);
		if ((r = each(&token, context)) != 0)
			break;
	}
	db_done(rows);
	return r;
}
