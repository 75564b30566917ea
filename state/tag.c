#include "state/tag.h"

#include <stdio.h>

#include "state/inside.h"

static const char TAG_PUT[] = "INSERT INTO tag (device, tag, value) VALUES (?1, ?2, ?3)"
			      " ON CONFLICT (device, tag) DO UPDATE SET value = excluded.value";
static const char TAG_REMOVE[] = "DELETE FROM tag WHERE device = ?1 AND tag = ?2";
static const char TAG[] = "SELECT value FROM tag WHERE device = ?1 AND tag = ?2";
static const char TAGS[] = "SELECT tag, value FROM tag WHERE device = ?1 ORDER BY tag";
static const char TAG_COUNT[] = "SELECT COUNT(*) FROM tag WHERE device = ?1";
/* The next name in tag_value: DISTINCT would read all of it. */
static const char TAG_NEXT[] = "SELECT tag FROM tag WHERE tag > ?1 ORDER BY tag LIMIT 1";

int
state_tag_put(struct state *state, const char *device, const char *tag, const char *value, struct err *err)
{
	return state_answer(db_change(state->db, TAG_PUT, err, "sss", device, tag, value), STATE_NONE);
}

int
state_tag_remove(struct state *state, const char *device, const char *tag, struct err *err)
{
	return state_answer(db_change(state->db, TAG_REMOVE, err, "ss", device, tag), STATE_NONE);
}

int
state_tag(struct state *state, const char *device, const char *tag, char value[static STATE_TAG_VALUE_MAX + 1],
    struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, TAG, &s, err, "ss", device, tag)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0)
		db_copy(s, 0, value, STATE_TAG_VALUE_MAX + 1);
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_tags(struct state *state, const char *device, state_tag_fn each, void *context, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, TAGS, &s, err, "s", device)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0)
		if ((r = each(db_text(s, 0), db_text(s, 1), context)))
			break;
	db_done(s);
	return r;
}

int
state_tag_count(struct state *state, const char *device, size_t *count, struct err *err)
{
	struct rows *rows;
	int64_t number;
	int r = db_query(state->db, TAG_COUNT, &rows, err, "s", device);

	if (r < 0 || (r = state_number(rows, &number, err)) < 0)
		return r;
	*count = (size_t)number;
	return 0;
}

/* Writes the name after @tag over it. 1: there was one, 0, or -errno. */
static int
next_name(struct state *state, char tag[static STATE_TAG_NAME_MAX + 1], struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, TAG_NEXT, &s, err, "s", tag)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0)
		db_copy(s, 0, tag, STATE_TAG_NAME_MAX + 1);
	db_done(s);
	return r;
}

int
state_tag_names(struct state *state, state_name_fn each, void *context, struct err *err)
{
	char tag[STATE_TAG_NAME_MAX + 1] = "";
	int r;

	while ((r = next_name(state, tag, err)) > 0)
		if ((r = each(tag, context)))
			break;
	return r;
}
