#include "state/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/inside.h"

static const char REPORT_PUT[] = "INSERT INTO report (device, kind, body, received_at) VALUES (?1, ?2, ?3, ?4)"
				 " ON CONFLICT (device, kind) DO UPDATE SET body = excluded.body,"
				 " received_at = excluded.received_at";
static const char REPORT[] = "SELECT body, received_at FROM report WHERE device = ?1 AND kind = ?2";
static const char REPORTS[] = "SELECT kind, '', received_at FROM report WHERE device = ?1 ORDER BY kind";
static const char EVENT_ADD[] =
    "INSERT INTO event (device, id, number, body, received_at)"
    " SELECT ?1, ?2, COALESCE(MAX(number), 0) + 1, ?3, ?4 FROM event WHERE device = ?1"
    " ON CONFLICT (device, id) DO NOTHING";
static const char EVENTS[] =
    "SELECT body, '', number FROM event WHERE device = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
static const char EVENTS_TRIM[] = "DELETE FROM event WHERE device = ?1 AND number <="
				  " (SELECT MAX(number) FROM event WHERE device = ?1) - ?2";
static const char EVENT_LAST[] = "SELECT body FROM event WHERE device = ?1 ORDER BY number DESC LIMIT 1";

int
state_report_put(struct state *state, const char *device, const char *kind, const char *body, size_t bytes,
    int64_t now, struct err *err)
{
	struct db_blob blob = { body, bytes };

	return state_answer(
	    db_change(state->db, REPORT_PUT, err, "ssbi", device, kind, &blob, now), STATE_NONE);
}

int
state_report(struct state *state, const char *device, const char *kind, char **body, size_t *bytes,
    int64_t *received_at, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, REPORT, &s, err, "ss", device, kind)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0) {
		const char *data = db_bytes(s, 0, bytes);

		*body = malloc(*bytes + 1);
		if (*body) {
			if (*bytes)
				memcpy(*body, data, *bytes);
			(*body)[*bytes] = '\0';
		} else {
			r = err_set(err, ENOMEM, "%s: no memory", kind);
		}
		*received_at = db_number(s, 1);
	}
	db_done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_reports(struct state *state, const char *device,
    int (*each)(const char *kind, const char *unused, int64_t received_at, void *context), void *context,
    struct err *err)
{
	struct rows *s;
	int r = db_query(state->db, REPORTS, &s, err, "s", device);

	return r < 0 ? r : state_each_row(s, each, context, err);
}

int
state_event_add(
    struct state *state, const char *device, const char *id, const char *body, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, EVENT_ADD, err, "sssi", device, id, body, now), STATE_EXISTS);
}

int
state_events_trim(struct state *state, const char *device, struct err *err)
{
	int r = db_change(state->db, EVENTS_TRIM, err, "si", device, (int64_t)STATE_EVENTS_MAX);

	return r < 0 ? r : 0;
}

int
state_events(struct state *state, const char *device, int64_t after, int64_t most, state_event_fn each,
    void *context, struct err *err)
{
	struct rows *s;
	int r = db_query(state->db, EVENTS, &s, err, "sii", device, after, most);

	return r < 0 ? r : state_each_row(s, each, context, err);
}

int
state_event_last(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return state_each_text(state, EVENT_LAST, device, each, context, err);
}
