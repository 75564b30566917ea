#include "state/history.h"

#include <stdio.h>

#include "lib/utc.h"
#include "state/inside.h"

static const char HISTORY_ADD[] =
    "INSERT INTO history (device, number, at, text, who)"
    " SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4 FROM history WHERE device = ?1";
static const char HISTORY[] = "SELECT at, text FROM history WHERE device = ?1 ORDER BY number";

int
state_happened(struct state *state, const struct happening *h, struct err *err)
{
	return state_answer(
	    db_change(state->db, HISTORY_ADD, err, "siss", h->device, h->at, h->text, h->who), STATE_NONE);
}

int
state_history_add(struct state *state, const char *device, const char *text, int64_t now, struct err *err)
{
	return state_happened(
	    state, &(struct happening){ .device = device, .at = now, .who = "otafs", .text = text }, err);
}

int
state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(state->db, HISTORY, &s, err, "s", device)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0) {
		char line[UTC_TEXT_SIZE + ERR_TEXT_MAX + 512], time[UTC_TEXT_SIZE];

		utc_format(db_number(s, 0), time);
		snprintf(line, sizeof(line), "%s %s", time, db_text(s, 1));
		r = each(line, context);
		if (r)
			break;
	}
	db_done(s);
	return r;
}
