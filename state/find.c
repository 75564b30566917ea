#include "state/find.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "state/inside.h"
#include "state/notes.h"

static const char DEVICE[] = "SELECT name, status, seen_at FROM device WHERE id = ?1";
static const char TAGS[] = "SELECT tag, value FROM tag WHERE device = ?1 ORDER BY tag";
static const char ECUS[] = "SELECT hardware, installed FROM ecu WHERE device = ?1 ORDER BY position, serial";
static const char GROUPS[] = "SELECT member.name, '' FROM member, device_group WHERE member.device = ?1 AND "
			     "device_group.name = member.name AND device_group.rule = '' ORDER BY member.name";
/* The next entry of an index: DISTINCT would read all of it. */
static const char FIRST_TAG[] = "SELECT tag FROM tag ORDER BY tag LIMIT 1";
static const char NEXT_TAG[] = "SELECT tag FROM tag WHERE tag > ?1 ORDER BY tag LIMIT 1";
static const char FIRST_HARDWARE[] = "SELECT hardware FROM ecu ORDER BY hardware LIMIT 1";
static const char NEXT_HARDWARE[] = "SELECT hardware FROM ecu WHERE hardware > ?1 ORDER BY hardware LIMIT 1";
static const char FIRST_VALUE[] = "SELECT value FROM tag WHERE tag = ?1 ORDER BY value LIMIT 1";
static const char NEXT_VALUE[] = "SELECT value FROM tag WHERE tag = ?1 AND value > ?2 ORDER BY value LIMIT 1";

/* ?1 and ?2 are what is looked for, ?3 the id before, ?4 how many. The expression in ORDER BY keeps the planner
 * from going through all devices in order instead of the few that the other index has. */
static const struct {
	const char *ids, *count;
} finds[] = {
	[FIND_ALL] = { "SELECT id FROM device WHERE id > ?3 ORDER BY id LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM device LIMIT ?4) AS some" },
	[FIND_STATUS] = { "SELECT id FROM device WHERE status = ?1 AND id > ?3 ORDER BY id LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM device WHERE status = ?1 LIMIT ?4) AS some" },
	[FIND_MEMBER] = { "SELECT device FROM member WHERE name = ?1 AND device > ?3 ORDER BY device LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM member WHERE name = ?1 LIMIT ?4) AS some" },
	[FIND_TAG] = { "SELECT device FROM tag WHERE tag = ?1 AND value = ?2 AND device > ?3"
		       " ORDER BY device LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM tag WHERE tag = ?1 AND value = ?2 LIMIT ?4) AS some" },
	[FIND_HARDWARE] = { "SELECT DISTINCT device FROM ecu WHERE hardware = ?1 AND device > ?3"
			    " ORDER BY device LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM ecu WHERE hardware = ?1 LIMIT ?4) AS some" },
	[FIND_INSTALLED] = { "SELECT DISTINCT device FROM ecu WHERE installed = ?1 AND device > ?3"
			     " ORDER BY device LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM ecu WHERE installed = ?1 LIMIT ?4) AS some" },
	[FIND_TAG_FOLDED] = { "SELECT device FROM tag WHERE tag = ?1 AND lower(value) = ?2 AND device > ?3"
			      " ORDER BY device || '' LIMIT ?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM tag WHERE tag = ?1 AND lower(value) = ?2 LIMIT ?4) AS some" },
	[FIND_SEEN_BEFORE] = { "SELECT id FROM device WHERE seen_at < ?5 AND id > ?3 ORDER BY id || '' LIMIT "
			       "?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM device WHERE seen_at < ?5 LIMIT ?4) AS some" },
	[FIND_SEEN_SINCE] = { "SELECT id FROM device WHERE seen_at >= ?5 AND id > ?3 ORDER BY id || '' LIMIT "
			      "?4",
	    "SELECT COUNT(*) FROM (SELECT 1 FROM device WHERE seen_at >= ?5 LIMIT ?4) AS some" },
};

/* ---- one device */

static int
read_pairs(struct db *db, const char *sql, const char *id, struct found_pairs *pairs, struct err *err)
{
	struct rows *s;
	int r;

	pairs->count = 0;
	if ((r = db_query(db, sql, &s, err, "s", id)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0) {
		struct found_pair *pair = state_grow(&pairs->list, pairs->count, sizeof(*pair));

		if (!pair) {
			r = err_set(err, ENOMEM, "%s: no memory", id);
			break;
		}
		db_copy(s, 0, pair->first, sizeof(pair->first));
		db_copy(s, 1, pair->second, sizeof(pair->second));
		pairs->count++;
	}
	db_done(s);
	return r;
}

static int
read_row(struct db *db, const char *id, struct found *out, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(db, DEVICE, &s, err, "s", id)) < 0)
		return r;
	if ((r = db_next(s, err)) > 0) {
		db_copy(s, 0, out->name, sizeof(out->name));
		db_copy(s, 1, out->status, sizeof(out->status));
		out->seen_at = db_number(s, 2);
	}
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

static int
read_found(struct db *db, const char *id, unsigned what, struct found *out, struct err *err)
{
	int r = what & FOUND_ROW ? read_row(db, id, out, err) : 0;

	snprintf(out->id, sizeof(out->id), "%s", id);
	if (r == 0 && (what & FOUND_TAGS))
		r = read_pairs(db, TAGS, id, &out->tags, err);
	if (r == 0 && (what & FOUND_ECUS))
		r = read_pairs(db, ECUS, id, &out->ecus, err);
	if (r == 0 && (what & FOUND_GROUPS))
		r = read_pairs(db, GROUPS, id, &out->groups, err);
	return r;
}

int
state_found(struct state *state, const char *id, unsigned what, struct found *out, struct err *err)
{
	const struct note *note = notes_find(state, id);
	int r = read_found(state->db, id, what | FOUND_ROW, out, err);

	if (r == 0 && note && note->seen_at)
		out->seen_at = note->seen_at;
	return r;
}

int
reader_found(struct reader *reader, const char *id, unsigned what, struct found *out, struct err *err)
{
	return read_found(reader->db, id, what, out, err);
}

void
found_done(struct found *found)
{
	free(found->tags.list);
	free(found->ecus.list);
	free(found->groups.list);
}

/* ---- the reader */

static void
reader_freep(struct reader **reader)
{
	reader_free(*reader);
}

int
reader_open(const char *path, struct reader **out, struct err *err)
{
	AUTO(reader_freep) struct reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return err_set(err, ENOMEM, "no memory for the state");
	pthread_mutex_init(&reader->lock, NULL);
	if ((r = db_open_reader(path, &reader->db, err)) < 0)
		return r;
	*out = MOVE(reader);
	return 0;
}

void
reader_free(struct reader *reader)
{
	if (!reader)
		return;
	db_free(reader->db);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

int
reader_begin(struct reader *reader, struct err *err)
{
	int r;

	pthread_mutex_lock(&reader->lock);
	if ((r = db_script(reader->db, "BEGIN", err)) < 0)
		pthread_mutex_unlock(&reader->lock);
	return r;
}

void
reader_end(struct reader *reader)
{
	struct err ignored;

	db_script(reader->db, "COMMIT", &ignored);
	pthread_mutex_unlock(&reader->lock);
}

/* ---- many devices */

static int
start(struct reader *reader, const struct find *find, const char *sql, const char *after, int64_t most,
    struct rows **out, struct err *err)
{
	bool is_time = find->by == FIND_SEEN_BEFORE || find->by == FIND_SEEN_SINCE;

	return db_query(reader->db, sql, out, err, is_time ? "sssii" : "sssi", find->text ? find->text : "",
	    find->more ? find->more : "", after, most, find->time);
}

int
reader_ids(struct reader *reader, const struct find *find, const char *after, int64_t most, state_name_fn each,
    void *context, struct err *err)
{
	struct rows *rows;
	int r = start(reader, find, finds[find->by].ids, after, most, &rows, err);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int64_t
reader_count(struct reader *reader, const struct find *find, int64_t most, struct err *err)
{
	struct rows *rows;
	int64_t count;
	int r = start(reader, find, finds[find->by].count, "", most, &rows, err);

	return r < 0 || (r = state_number(rows, &count, err)) < 0 ? r : count;
}

static int
take_one(struct rows *rows, char *out, size_t room, struct err *err)
{
	int r = db_next(rows, err);

	if (r > 0)
		db_copy(rows, 0, out, room);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
reader_next_tag(struct reader *reader, const char *after, char *out, size_t room, struct err *err)
{
	struct rows *s;
	int r = after ? db_query(reader->db, NEXT_TAG, &s, err, "s", after)
		      : db_query(reader->db, FIRST_TAG, &s, err, "");

	return r < 0 ? r : take_one(s, out, room, err);
}

int
reader_next_hardware(struct reader *reader, const char *after, char *out, size_t room, struct err *err)
{
	struct rows *s;
	int r = after ? db_query(reader->db, NEXT_HARDWARE, &s, err, "s", after)
		      : db_query(reader->db, FIRST_HARDWARE, &s, err, "");

	return r < 0 ? r : take_one(s, out, room, err);
}

int
reader_next_value(
    struct reader *reader, const char *tag, const char *after, char *out, size_t room, struct err *err)
{
	struct rows *s;
	int r = after ? db_query(reader->db, NEXT_VALUE, &s, err, "ss", tag, after)
		      : db_query(reader->db, FIRST_VALUE, &s, err, "s", tag);

	return r < 0 ? r : take_one(s, out, room, err);
}
