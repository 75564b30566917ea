#include "state/standing.h"

#include <stdio.h>
#include <string.h>

#include "state/inside.h"
#include "state/notes.h"

static const char UNDERWAY[] = "SELECT (SELECT COUNT(*) FROM assignment WHERE device = ?1),"
			       " (SELECT COUNT(*) FROM assignment WHERE device = ?1 AND"
			       " (in_flight_at > 0 OR number <= ?2)),"
			       " (SELECT COUNT(*) FROM schedule WHERE device = ?1)";
static const char STANDING[] = "UPDATE device SET status = ?2 WHERE id = ?1";
/* A range of device_status. */
static const char STANDINGS[] = "SELECT status, COUNT(*) FROM device GROUP BY status";

int
state_underway(struct state *state, const char *device, struct state_underway *out, struct err *err)
{
	int64_t at, read_to = state_read_to(state, device, &at);
	struct rows *s;
	int r;

	if ((r = db_query(state->db, UNDERWAY, &s, err, "si", device, read_to)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0) {
		out->open = db_number(s, 0);
		out->in_flight = db_number(s, 1);
		out->scheduled = db_number(s, 2);
	}
	db_done(s);
	return r < 0 ? r : 0;
}

static struct state_standing_count *
find_count(struct state_standings *standings, const char *status)
{
	for (size_t i = 0; i < standings->count; i++)
		if (!strcmp(standings->list[i].status, status))
			return &standings->list[i];
	return NULL;
}

static void
add_count(struct state_standings *standings, const char *status, int64_t by)
{
	struct state_standing_count *one = find_count(standings, status);

	if (!one && standings->count < STATE_STANDINGS_MAX) {
		one = &standings->list[standings->count++];
		*one = (struct state_standing_count){ 0 };
		snprintf(one->status, sizeof(one->status), "%s", status);
	}
	if (one)
		one->devices += by;
}

void
state_standing_moved(struct state *state, const char *was, const char *status)
{
	if (!state->standings.is_counted)
		return;
	if (*was)
		add_count(&state->standings, was, -1);
	if (*status)
		add_count(&state->standings, status, 1);
}

int
state_standing(struct state *state, const char *device, const char *was, const char *status, struct err *err)
{
	int r = state_answer(db_change(state->db, STANDING, err, "ss", device, status), STATE_NONE);

	if (r == 0)
		state_standing_moved(state, was, status);
	return r;
}

static int
count_all(struct state *state, struct err *err)
{
	struct rows *s;
	int r;

	state->standings = (struct state_standings){ .rollbacks = db_rollbacks(state->db) };
	if ((r = db_query(state->db, STANDINGS, &s, err, "")) < 0)
		return r;
	while ((r = db_next(s, err)) > 0)
		add_count(&state->standings, db_text(s, 0), db_number(s, 1));
	db_done(s);
	state->standings.is_counted = r == 0;
	return r;
}

int
state_standings(struct state *state, const struct state_standing_count **out, size_t *count, struct err *err)
{
	struct state_standings *standings = &state->standings;

	if (!standings->is_counted || standings->rollbacks != db_rollbacks(state->db)) {
		int r = count_all(state, err);

		if (r < 0)
			return r;
	}
	*out = standings->list;
	*count = standings->count;
	return 0;
}
