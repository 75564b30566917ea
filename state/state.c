#include "state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "state/inside.h"
#include "state/notes.h"
#include "state/schema.h"

int
state_open(const char *path, struct state **out, struct err *err)
{
	AUTO(state_freep) struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return err_set(err, ENOMEM, "no memory for the state");
	if ((r = db_open(path, &state->db, err)) < 0)
		return r;
	if ((r = schema_migrate(state->db, err)) < 0 || (r = state_fleet_init(state, err)) < 0 ||
	    (r = notes_open(state, err)) < 0 || (r = reads_open(state, err)) < 0)
		return err_context(err, r, "%s", path);
	*out = MOVE(state);
	return 0;
}

void
state_free(struct state *state)
{
	if (!state)
		return;
	notes_close(state);
	reads_close(state);
	db_free(state->db);
	free(state);
}

void
state_freep(struct state **state)
{
	state_free(*state);
}

int
state_begin(struct state *state, struct err *err)
{
	return db_begin(state->db, err);
}

int
state_begin_behind(struct state *state, struct err *err)
{
	return db_begin_behind(state->db, err);
}

int
state_end(struct state *state, int r, struct err *err)
{
	return db_end(state->db, r, err);
}

const char *
state_trouble(const struct state *state)
{
	return db_trouble(state->db);
}

int64_t
state_changes(const struct state *state)
{
	return db_changes(state->db);
}

/* -- for the files of this folder -- */

int
state_answer(int changed, int when_none)
{
	return changed < 0 ? changed : changed == 0 ? when_none : 0;
}

int
state_each_name(struct rows *rows, state_name_fn each, void *context, struct err *err)
{
	int r;

	while ((r = db_next(rows, err)) > 0)
		if ((r = each(db_text(rows, 0), context)) != 0)
			break;
	db_done(rows);
	return r;
}

int
state_each_text(struct state *state, const char *sql, const char *argument, state_name_fn each, void *context,
    struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, sql, &rows, err, "s", argument);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int
state_number(struct rows *rows, int64_t *out, struct err *err)
{
	int r = db_next(rows, err);

	*out = r > 0 ? db_number(rows, 0) : 0;
	db_done(rows);
	return r < 0 ? r : 0;
}

int
state_each_row(
    struct rows *rows, int (*each)(const char *, const char *, int64_t, void *), void *context, struct err *err)
{
	int r;

	while ((r = db_next(rows, err)) > 0) {
		r = each(db_text(rows, 0), db_text(rows, 1), db_number(rows, 2), context);
		if (r)
			break;
	}
	db_done(rows);
	return r;
}

void *
state_grow(void *array, size_t count, size_t size)
{
	void *bigger = realloc(*(void **)array, (count + 1) * size);

	if (!bigger)
		return NULL;
	*(void **)array = bigger;
	return memset((char *)bigger + count * size, 0, size);
}
