#include "state/seen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/inside.h"
#include "state/notes.h"

struct seen {
	struct noted *notes;
	int64_t since; /* when the first of them was made */
};

/* What is not noted stays as it is: 0, -1 and "". */
static const char SEEN[] =
    "UPDATE device SET seen_at = CASE WHEN ?2 > 0 THEN ?2 ELSE seen_at END,"
    " polls = CASE WHEN ?3 >= 0 THEN ?3 ELSE polls END,"
    " manifest_digest = CASE WHEN ?4 <> '' THEN ?4 ELSE manifest_digest END WHERE id = ?1";
static const char COUNTED[] = "UPDATE ecu SET report_counter = ?2 WHERE device = ?1 AND report_counter < ?2"
			      " AND serial = (SELECT primary_ecu FROM device WHERE id = ?1)";
static const char TAKEN[] = "UPDATE device SET manifest_digest = ?2 WHERE id = ?1";
static const char COUNTER[] =
    "UPDATE ecu SET report_counter = ?3 WHERE device = ?1 AND serial = ?2 AND report_counter < ?3";
static const char POLLS[] = "UPDATE device SET polls = ?2 WHERE id = ?1";
static const char RESET[] = "UPDATE ecu SET report_counter = -1 WHERE device = ?1";

/* -- notes -- */

int
notes_open(struct state *state, struct err *err)
{
	state->seen = calloc(1, sizeof(*state->seen));
	if (state->seen)
		state->seen->notes = noted_new(STATE_SEEN_MAX, sizeof(struct note));
	return state->seen && state->seen->notes ? 0 : err_set(err, ENOMEM, "no memory for signs of life");
}

void
notes_close(struct state *state)
{
	struct err ignored;

	if (!state->seen)
		return;
	if (state->seen->notes)
		state_seen_flush(state, &ignored);
	noted_free(state->seen->notes);
	free(state->seen);
	state->seen = NULL;
}

const struct note *
notes_find(const struct state *state, const char *device)
{
	return state->seen ? noted_find(state->seen->notes, device) : NULL;
}

static void
clear(struct note *note)
{
	note->seen_at = 0;
	note->polls = -1;
	note->counter = -1;
	note->digest[0] = '\0';
}

void
notes_forget(struct state *state, const char *device)
{
	struct note *note = noted_find(state->seen->notes, device);

	if (note)
		clear(note);
}

/* The note of @device, a new one if need be. NULL: there is no room, since nothing can be written: a sign of
 * life is no reason to turn a device away. */
static struct note *
note_of(struct state *state, const char *device, int64_t now)
{
	struct seen *seen = state->seen;
	struct note *note = noted_find(seen->notes, device);
	struct err ignored;

	if (note)
		return note;
	if (seen->notes->count == STATE_SEEN_MAX && state_seen_write(state, &ignored) < 0)
		return NULL;
	if (seen->notes->count == 0)
		seen->since = now;
	note = noted_add(seen->notes, device);
	clear(note);
	return note;
}

/* -- writing -- */

static int
write_note(struct state *state, const struct note *note, struct err *err)
{
	const char *device = note->key.device;
	int r = db_change(state->db, SEEN, err, "siis", device, note->seen_at, note->polls, note->digest);

	if (r >= 0 && note->counter >= 0)
		r = db_change(state->db, COUNTED, err, "si", device, note->counter);
	return r < 0 ? r : 0;
}

int
state_seen_write(struct state *state, struct err *err)
{
	struct noted *notes = state->seen->notes;
	int count = notes->count < STATE_SEEN_SLICE ? notes->count : STATE_SEEN_SLICE, r;

	if (count == 0)
		return 0;
	if ((r = db_begin_behind(state->db, err)) < 0)
		return r;
	for (int i = 0; r == 0 && i < count; i++)
		r = write_note(state, noted_at(notes, i), err);
	if ((r = db_end(state->db, r, err)) < 0)
		return r;
	noted_drop(notes, count);
	return notes->count > 0;
}

int
state_seen_flush(struct state *state, struct err *err)
{
	int r;

	while ((r = state_seen_write(state, err)) > 0)
		;
	return r;
}

bool
state_seen_is_due(const struct state *state, int64_t now)
{
	const struct seen *seen = state->seen;
	int count = seen->notes->count;

	/* Made in the future: the clock was ahead. */
	return count > STATE_SEEN_MAX / 4 ||
	       (count > 0 && (now >= seen->since + STATE_SEEN_SECONDS || now < seen->since));
}

/* -- what is told -- */

int
state_device_seen(struct state *state, const char *device, int64_t now, struct err *err)
{
	struct note *note = note_of(state, device, now);

	(void)err;
	if (note)
		note->seen_at = now;
	return 0;
}

int
state_manifest_noted(struct state *state, const char *device, int64_t polls, int64_t counter,
    const char *digest, int64_t now, struct err *err)
{
	struct note *note = note_of(state, device, now);

	(void)err;
	if (!note)
		return 0;
	note->polls = polls;
	/* A manifest without one takes back nothing. */
	if (counter > note->counter)
		note->counter = counter;
	if (*digest)
		snprintf(note->digest, sizeof(note->digest), "%s", digest);
	return 0;
}

int
state_manifest_taken(struct state *state, const char *device, const char *primary, int64_t counter,
    const char *digest, struct err *err)
{
	struct note *note = noted_find(state->seen->notes, device);
	int r = db_change(state->db, TAKEN, err, "ss", device, digest);

	/* One without a counter takes back none. */
	if (note && note->counter > counter)
		counter = note->counter;
	if (r >= 0 && counter >= 0)
		r = db_change(state->db, COUNTER, err, "ssi", device, primary, counter);
	/* What was noted is older. Should all this be taken back, older counters are accepted once more. */
	if (note) {
		note->counter = -1;
		note->digest[0] = '\0';
	}
	return r < 0 ? r : 0;
}

int
state_polls(struct state *state, const char *device, int64_t polls, struct err *err)
{
	struct note *note = noted_find(state->seen->notes, device);
	int r = db_change(state->db, POLLS, err, "si", device, polls);

	if (note)
		note->polls = -1;
	return r < 0 ? r : 0;
}

int
state_counters_reset(struct state *state, const char *device, struct err *err)
{
	struct note *note = noted_find(state->seen->notes, device);
	int r;

	if (note) {
		note->counter = -1;
		note->digest[0] = '\0';
	}
	if ((r = db_change(state->db, RESET, err, "s", device)) >= 0)
		r = db_change(state->db, TAKEN, err, "ss", device, "");
	return r < 0 ? r : 0;
}
