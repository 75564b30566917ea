#include "state/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/inside.h"

static const char SCHEDULE_ADD[] =
    "INSERT INTO schedule (device, correlation, at, text, who, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (device, correlation) DO NOTHING";
static const char SCHEDULE_REMOVE[] = "DELETE FROM schedule WHERE device = ?1 AND correlation = ?2";
#define COLUMNS "SELECT device, correlation, at, text, who, created_at FROM schedule"
static const char SCHEDULES[] = COLUMNS " WHERE device = ?1 ORDER BY at, created_at, correlation";
static const char SCHEDULES_DUE[] = COLUMNS
    " WHERE at <= ?1 AND NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.device = schedule.device)"
    " ORDER BY at, device, created_at, correlation LIMIT ?2";
static const char SCHEDULE_NEXT[] = "SELECT COALESCE(MIN(at), 0) FROM schedule WHERE at > ?1";

int
state_schedule_add(struct state *state, const struct schedule *s, struct err *err)
{
	return state_answer(db_change(state->db, SCHEDULE_ADD, err, "ssissi", s->device, s->correlation, s->at,
				s->text, s->who, s->created_at),
	    STATE_EXISTS);
}

int
state_schedule_remove(struct state *state, const char *device, const char *correlation, struct err *err)
{
	return state_answer(db_change(state->db, SCHEDULE_REMOVE, err, "ss", device, correlation), STATE_NONE);
}

void
state_schedules_free(struct schedule *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].text);
	free(list);
}

static int
read_row(struct rows *rows, struct schedule **list, size_t *count, struct err *err)
{
	struct schedule *one = state_grow(list, *count, sizeof(**list));

	if (!one || !(one->text = strdup(db_text(rows, 3))))
		return err_set(err, ENOMEM, "no memory for what is scheduled");
	(*count)++;
	db_copy(rows, 0, one->device, sizeof(one->device));
	db_copy(rows, 1, one->correlation, sizeof(one->correlation));
	one->at = db_number(rows, 2);
	db_copy(rows, 4, one->who, sizeof(one->who));
	one->created_at = db_number(rows, 5);
	return 0;
}

static int
read_all(struct rows *rows, struct schedule **out, size_t *count, struct err *err)
{
	struct schedule *list = NULL;
	int r;

	*count = 0;
	while ((r = db_next(rows, err)) > 0)
		if ((r = read_row(rows, &list, count, err)) < 0)
			break;
	db_done(rows);
	if (r == 0) {
		*out = list;
		return 0;
	}
	state_schedules_free(list, *count);
	*count = 0;
	return r;
}

int
state_schedules(struct state *state, const char *device, struct schedule **out, size_t *count, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, SCHEDULES, &rows, err, "s", device);

	*count = 0;
	return r < 0 ? r : read_all(rows, out, count, err);
}

int
state_schedules_due(
    struct state *state, int64_t now, size_t most, struct schedule **out, size_t *count, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, SCHEDULES_DUE, &rows, err, "ii", now, (int64_t)most);

	*count = 0;
	return r < 0 ? r : read_all(rows, out, count, err);
}

int
state_schedule_next(struct state *state, int64_t now, int64_t *at, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, SCHEDULE_NEXT, &rows, err, "i", now);

	return r < 0 ? r : state_number(rows, at, err);
}
