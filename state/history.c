#include "state/history.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "state/inside.h"

static const char HISTORY_ADD[] =
    "INSERT INTO history (device, number, at, text, who, start, line)"
    " SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6 FROM history WHERE device = ?1";
static const char HISTORY[] = "SELECT at, text, who, line FROM history WHERE device = ?1 ORDER BY number";
/* The ?2 last line of a device. */
static const char HISTORY_BACK[] = "SELECT at, line FROM history WHERE device = ?1"
				   " AND number = (SELECT MAX(number) FROM history WHERE device = ?1) - ?2";
static const char LOG_LAST[] = "SELECT start, line FROM history WHERE start >= 0 ORDER BY start DESC LIMIT 1";
/* From the line in which ?1 lies. */
static const char LOG_FROM[] =
    "SELECT start, line FROM history"
    " WHERE start >= (SELECT COALESCE(MAX(start), 0) FROM history WHERE start >= 0 AND start <= ?1)"
    " ORDER BY start";

/* -- a line -- */

static int
add_member(json_t *line, const char *name, const char *text)
{
	char shown[2048];
	json_t *value;

	if (!text || !*text)
		return 0;
	value = json_string(text);
	if (!value) /* no UTF-8 */
		value = json_string(name_printable(text, shown, sizeof(shown)));
	return json_object_set_new(line, name, value);
}

/* NULL: no memory. */
static char *
write_line(const struct happening *h)
{
	AUTO(json_decref_p) json_t *line = json_object();
	char at[UTC_TEXT_SIZE];

	utc_format(h->at, at);
	if (!line || add_member(line, "at", at) || add_member(line, "device", h->device) ||
	    add_member(line, "what", h->what) || add_member(line, "who", h->who) ||
	    add_member(line, "text", h->text) || add_member(line, "ecu", h->ecu) ||
	    add_member(line, "target", h->target) || add_member(line, "group", h->group) ||
	    add_member(line, "correlation", h->correlation))
		return NULL;
	return json_write_as(line, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* -- adding -- */

/* The end is remembered, but not what a transaction that was taken back had added. */
static int
read_end(struct state *state, struct err *err)
{
	struct rows *s;
	int r;

	if (state->log_end_known && state->log_rollbacks == db_rollbacks(state->db))
		return 0;
	if ((r = db_query(state->db, LOG_LAST, &s, err, "")) < 0)
		return r;
	r = db_next(s, err);
	if (r >= 0) {
		state->log_end = r > 0 ? db_number(s, 0) + (int64_t)strlen(db_text(s, 1)) + 1 : 0;
		state->log_end_known = true;
		state->log_rollbacks = db_rollbacks(state->db);
	}
	db_done(s);
	return r < 0 ? r : 0;
}

/* Programs take them apart: lower-case letters and _. */
static bool
is_word(const char *what)
{
	return what && *what && what[strspn(what, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static int
add(struct state *state, const struct happening *h, struct err *err)
{
	AUTO(free_p) char *line = write_line(h);
	int r;

	assert(is_word(h->what) && h->who && h->text && h->device);
	if (!line)
		return err_set(err, ENOMEM, "no memory for a line of history");
	if ((r = read_end(state, err)) < 0)
		return r;
	r = db_change(
	    state->db, HISTORY_ADD, err, "sissis", h->device, h->at, h->text, h->who, state->log_end, line);
	if (r > 0)
		state->log_end += (int64_t)strlen(line) + 1;
	return state_answer(r, STATE_NONE);
}

/* -- chatter: a device must not fill the disk with what it says of itself, nor the memory of who reads it -- */

#define FLOODED "flooded"
#define DAY_SECONDS 86400

/* Whether the line so many back from the last is there, and younger than a day; and whether it tells that
 * chatter is left out. */
static int
look_back(struct state *state, const struct happening *h, int64_t lines, bool *is_young, bool *is_told,
    struct err *err)
{
	struct rows *s;
	int r = db_query(state->db, HISTORY_BACK, &s, err, "si", h->device, lines);

	if (r < 0)
		return r;
	r = db_next(s, err);
	*is_young = r > 0 && db_number(s, 0) > h->at - DAY_SECONDS;
	*is_told = r > 0 && strstr(db_text(s, 1), "\"what\":\"" FLOODED "\"");
	db_done(s);
	return r < 0 ? r : 0;
}

/* 1: it is not told. */
static int
pass_over(struct state *state, const struct happening *h, struct err *err)
{
	char text[128];
	bool is_young, is_told, unused;
	int r;

	if ((r = look_back(state, h, STATE_CHATTER_MAX, &is_young, &unused, err)) < 0 || !is_young)
		return r;
	if ((r = look_back(state, h, 0, &unused, &is_told, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "more than %d lines in a day: what the device says of itself is left out",
	    STATE_CHATTER_MAX);
	if (!is_told)
		r = add(state,
		    &(struct happening){ .device = h->device,
			.at = h->at,
			.who = STATE_WHO_OTAFS,
			.what = FLOODED,
			.text = text },
		    err);
	return r < 0 ? r : 1;
}

int
state_happened(struct state *state, const struct happening *h, struct err *err)
{
	int r = h->is_chatter ? pass_over(state, h, err) : 0;

	return r < 0 ? r : r > 0 ? 0 : add(state, h, err);
}

/* -- of one device -- */

/* Calls @print for each row: at, text, who, line. */
static int
each_of(struct state *state, const char *device, int (*print)(struct rows *, state_name_fn, void *),
    state_name_fn each, void *context, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, HISTORY, &s, err, "s", device)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0) {
		r = print(s, each, context);
		if (r)
			break;
	}
	db_done(s);
	if (r == -ENOMEM)
		err_set(err, ENOMEM, "no memory for a line of history");
	return r;
}

static int
print_text(struct rows *s, state_name_fn each, void *context)
{
	char line[2048], time[UTC_TEXT_SIZE];
	const char *text = db_text(s, 1), *who = db_text(s, 2);
	bool is_person = !strncmp(who, "uid ", 4) && !strstr(text, who);

	utc_format(db_number(s, 0), time);
	snprintf(line, sizeof(line), "%s %s%s%s", time, text, is_person ? " by " : "", is_person ? who : "");
	return each(line, context);
}

static int
print_json(struct rows *s, state_name_fn each, void *context)
{
	AUTO(free_p) char *made = NULL;
	const char *line = db_text(s, 3);

	if (*line)
		return each(line, context);
	made = write_line(
	    &(struct happening){ .at = db_number(s, 0), .text = db_text(s, 1), .who = db_text(s, 2) });
	return made ? each(made, context) : -ENOMEM;
}

int
state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return each_of(state, device, print_text, each, context, err);
}

int
state_history_json(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return each_of(state, device, print_json, each, context, err);
}

/* -- the log of all -- */

int64_t
state_log_size(struct state *state, struct err *err)
{
	int r = read_end(state, err);

	return r < 0 ? r : state->log_end;
}

/* What of the row's line, its line end with it, stands at @offset and after it; how many bytes. */
static size_t
copy_line(struct rows *s, int64_t offset, char *out, size_t room)
{
	const char *line = db_text(s, 1);
	size_t bytes = strlen(line), skip = (size_t)(offset - db_number(s, 0)), n;

	if (skip > bytes)
		return 0;
	n = bytes - skip < room ? bytes - skip : room;
	memcpy(out, line + skip, n);
	if (n == room)
		return n;
	out[n] = '\n';
	return n + 1;
}

ssize_t
state_log_read(struct state *state, int64_t offset, char *out, size_t room, struct err *err)
{
	struct rows *s;
	size_t got = 0;
	int r = 0;

	if (offset < 0)
		return err_set(err, EINVAL, "the log starts at 0");
	if ((r = db_query(state->db, LOG_FROM, &s, err, "i", offset)) < 0)
		return r;
	while (got < room && (r = db_next(s, err)) > 0)
		got += copy_line(s, offset + (int64_t)got, out + got, room - got);
	db_done(s);
	return r < 0 ? r : (ssize_t)got;
}
