#include "state/device.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "state/inside.h"
#include "state/notes.h"

/* A device that was deleted goes on from where it was: versions only grow. Orders that are open came before it.
 */
static const char DEVICE_ADD[] =
    "INSERT INTO device (id, counter, created_at, changed_at, seen_at, primary_ecu, why, why_at, number, "
    "ordered)"
    " SELECT ?1, COALESCE(MAX(counter), 0) + 1, ?2, ?2, 0, '', '', 0,"
    " (SELECT numbers FROM fleet WHERE one = 1), (SELECT orders FROM fleet WHERE one = 1)"
    " FROM retired WHERE id = ?1"
    " ON CONFLICT (id) DO NOTHING";
static const char DEVICE_RETIRE[] =
    "INSERT INTO retired (id, counter) SELECT id, counter FROM device WHERE id = ?1"
    " ON CONFLICT (id) DO UPDATE SET counter = excluded.counter";
static const char DEVICE_REMOVE[] = "DELETE FROM device WHERE id = ?1";
static const char DEVICE[] = "SELECT " STATE_DEVICE_COLUMNS " FROM device WHERE id = ?1";
static const char DEVICE_ORDERED[] = "UPDATE device SET ordered = ?2 WHERE id = ?1";
static const char DEVICE_BUMP[] = "UPDATE device SET counter = counter + 1, changed_at = ?2 WHERE id = ?1";
static const char DEVICE_PRIMARY[] = "UPDATE device SET primary_ecu = ?2 WHERE id = ?1";
static const char DEVICE_WHY[] = "UPDATE device SET why = ?2, why_at = ?3, changed_at = ?3 WHERE id = ?1";
static const char DEVICE_FAILURE[] = "UPDATE device SET failure = ?2 WHERE id = ?1";
static const char DEVICE_REPORT[] = "UPDATE device SET report_digest = ?2 WHERE id = ?1";
static const char DEVICE_ACTIVATED[] = "UPDATE device SET activated_at = ?2 WHERE id = ?1 AND activated_at = 0";
static const char DEVICE_NAME[] = "UPDATE device SET name = ?2, changed_at = ?3 WHERE id = ?1";
static const char DEVICE_NOTES[] = "SELECT notes FROM device WHERE id = ?1";
static const char DEVICE_SET_NOTES[] = "UPDATE device SET notes = ?2, changed_at = ?3 WHERE id = ?1";
static const char DEVICE_NUMBERED[] = "SELECT id FROM device WHERE number = ?1";
/* One lower bound each, for the index to start at. */
static const char DEVICES_FROM[] = "SELECT id FROM device WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
static const char DEVICES_AFTER[] = "SELECT id FROM device WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
static const char DEVICE_LABELS[] = "SELECT id, name, notes FROM device WHERE id > ?1 ORDER BY id LIMIT ?2";

int
state_device_add(struct state *state, const char *id, int64_t now, struct err *err)
{
	int r;

	if ((r = db_begin(state->db, err)) < 0)
		return r;
	if ((r = state_next_number(state, err)) == 0)
		r = state_answer(db_change(state->db, DEVICE_ADD, err, "si", id, now), STATE_EXISTS);
	if ((r = db_end(state->db, r, err)) == 0)
		state_standing_moved(state, "", "NotSeen");
	return r;
}

int
state_device_remove(struct state *state, const char *id, struct err *err)
{
	static const char *const parts[] = { DEVICE_RETIRE, "DELETE FROM certificate WHERE device = ?1",
		"DELETE FROM ecu WHERE device = ?1", "DELETE FROM assignment WHERE device = ?1",
		"DELETE FROM report WHERE device = ?1", "DELETE FROM event WHERE device = ?1",
		"DELETE FROM tag WHERE device = ?1", "DELETE FROM installation WHERE device = ?1",
		"DELETE FROM schedule WHERE device = ?1", "DELETE FROM follow WHERE device = ?1",
		"DELETE FROM member WHERE device = ?1" };
	struct device was;
	int r = state_device(state, id, &was, err);

	if (r)
		return r;
	state->needs++;
	state->certificates++;
	notes_forget(state, id);
	state_standing_moved(state, was.status, "");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if ((r = db_change(state->db, parts[i], err, "s", id)) < 0)
			return r;
	}
	return state_answer(db_change(state->db, DEVICE_REMOVE, err, "s", id), STATE_NONE);
}

void
state_overlay_device(const struct state *state, struct device *out)
{
	const struct note *note = notes_find(state, out->id);

	if (!note)
		return;
	if (note->seen_at)
		out->seen_at = note->seen_at;
	if (note->polls >= 0)
		out->polls = note->polls;
	if (note->digest[0])
		snprintf(out->manifest_digest, sizeof(out->manifest_digest), "%s", note->digest);
}

void
state_read_device(struct state *state, struct rows *s, struct device *out)
{
	db_copy(s, 0, out->id, sizeof(out->id));
	out->counter = db_number(s, 1);
	out->created_at = db_number(s, 2);
	out->changed_at = db_number(s, 3);
	out->seen_at = db_number(s, 4);
	db_copy(s, 5, out->primary_ecu, sizeof(out->primary_ecu));
	db_copy(s, 6, out->why, sizeof(out->why));
	out->why_at = db_number(s, 7);
	db_copy(s, 8, out->failure, sizeof(out->failure));
	db_copy(s, 9, out->status, sizeof(out->status));
	db_copy(s, 10, out->name, sizeof(out->name));
	out->activated_at = db_number(s, 11);
	out->polls = db_number(s, 12);
	db_copy(s, 13, out->report_digest, sizeof(out->report_digest));
	db_copy(s, 14, out->manifest_digest, sizeof(out->manifest_digest));
	out->number = db_number(s, 15);
	out->ordered = db_number(s, 16);
	state_overlay_device(state, out);
}

int
state_device(struct state *state, const char *id, struct device *out, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, DEVICE, &s, err, "s", id)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0)
		state_read_device(state, s, out);
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_device_ordered(struct state *state, const char *id, int64_t number, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_ORDERED, err, "si", id, number), STATE_NONE);
}

int
state_device_bump(struct state *state, const char *id, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_BUMP, err, "si", id, now), STATE_NONE);
}

int
state_device_primary(struct state *state, const char *id, const char *ecu, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_PRIMARY, err, "ss", id, ecu), STATE_NONE);
}

int
state_device_why(struct state *state, const char *id, const char *why, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_WHY, err, "ssi", id, why, now), STATE_NONE);
}

int
state_device_failure(struct state *state, const char *id, const char *failure, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_FAILURE, err, "ss", id, failure), STATE_NONE);
}

int
state_device_report(struct state *state, const char *id, const char *digest, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_REPORT, err, "ss", id, digest), STATE_NONE);
}

int
state_device_name(struct state *state, const char *id, const char *name, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_NAME, err, "ssi", id, name, now), STATE_NONE);
}

int
state_device_notes(struct state *state, const char *id, char **notes, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, DEVICE_NOTES, &s, err, "s", id)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0 && !(*notes = strdup(db_text(s, 0))))
		r = err_set(err, ENOMEM, "%s: no memory for notes", id);
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_device_set_notes(struct state *state, const char *id, const char *notes, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_SET_NOTES, err, "ssi", id, notes, now), STATE_NONE);
}

int
state_device_activated(struct state *state, const char *id, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, DEVICE_ACTIVATED, err, "si", id, now), STATE_NONE);
}

int
state_device_numbered(struct state *state, int64_t number, char id[static NAME_DEVICE_MAX + 1], struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, DEVICE_NUMBERED, &s, err, "i", number)) < 0)
		return r;
	if ((r = db_next(s, err)) > 0)
		db_copy(s, 0, id, NAME_DEVICE_MAX + 1);
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_device_page(struct state *state, const char *prefix, const char *after, int64_t most, state_name_fn each,
    void *context, struct err *err)
{
	bool is_first = strcmp(after, prefix) < 0 || !*after;
	char end[NAME_DEVICE_MAX + 2];
	struct rows *s;
	int r;

	if (strlen(prefix) > NAME_DEVICE_MAX)
		return 0;
	/* No id has a character as high as this. */
	snprintf(end, sizeof(end), "%s\x7f", prefix);
	if ((r = db_query(state->db, is_first ? DEVICES_FROM : DEVICES_AFTER, &s, err, "ssi",
		 is_first ? prefix : after, end, most)) < 0)
		return r;
	return state_each_name(s, each, context, err);
}

int
state_device_labels(
    struct state *state, const char *after, int64_t most, state_labels_fn each, void *context, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, DEVICE_LABELS, &s, err, "si", after, most)) < 0)
		return r;
	while (
	    (r = db_next(s, err)) > 0 && (r = each(db_text(s, 0), db_text(s, 1), db_text(s, 2), context)) == 0)
		;
	db_done(s);
	return r;
}
