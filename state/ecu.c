#include "state/ecu.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "state/inside.h"
#include "state/notes.h"

static const char ECUS[] = "SELECT serial, hardware, key, installed, installed_sha256, installed_at,"
			   " report_counter, attacks, absent_at FROM ecu WHERE device = ?1"
			   " ORDER BY position, serial";
static const char ECU_PUT[] =
    "INSERT INTO ecu (device, serial, position, hardware, key, installed, installed_sha256, "
    "installed_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, '', '', 0) ON CONFLICT (device, serial) DO UPDATE SET"
    " position = excluded.position, hardware = excluded.hardware, key = excluded.key";
static const char ECU_REMOVE[] = "DELETE FROM ecu WHERE device = ?1 AND serial = ?2";
/* One update for both: each is a walk down the tree and, in the log, a page. */
static const char ECU_INSTALLED[] =
    "UPDATE ecu SET attacks = ?3, report_counter = ?4, absent_at = ?5, installed = ?6, installed_sha256 = ?7,"
    " installed_at = ?8 WHERE device = ?1 AND serial = ?2";
static const char ECU_TOLD[] = "UPDATE ecu SET attacks = ?3, report_counter = ?4, absent_at = ?5"
			       " WHERE device = ?1 AND serial = ?2";

int
state_ecus(struct state *state, const char *device, struct ecu **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	const struct note *note = notes_find(state, device);
	struct rows *s;
	int r;

	*count = 0;
	if ((r = db_query(state->db, ECUS, &s, err, "s", device)) < 0)
		return r;
	while ((r = db_next(s, err)) > 0) {
		struct ecu *ecu = state_grow(&ecus, *count, sizeof(*ecus));

		if (!ecu) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		db_copy(s, 0, ecu->serial, sizeof(ecu->serial));
		db_copy(s, 1, ecu->hardware, sizeof(ecu->hardware));
		db_copy(s, 2, ecu->key, sizeof(ecu->key));
		db_copy(s, 3, ecu->installed, sizeof(ecu->installed));
		db_copy(s, 4, ecu->installed_sha256, sizeof(ecu->installed_sha256));
		ecu->installed_at = db_number(s, 5);
		ecu->report_counter = db_number(s, 6);
		db_copy(s, 7, ecu->attacks, sizeof(ecu->attacks));
		ecu->absent_at = db_number(s, 8);
		(*count)++;
	}
	db_done(s);
	/* The primary is the first. */
	if (note && *count && note->counter > ecus[0].report_counter)
		ecus[0].report_counter = note->counter;
	if (r == 0)
		*out = MOVE(ecus);
	return r;
}

int
state_ecu_put(struct state *state, const char *device, const struct ecu *ecu, int position, struct err *err)
{
	state->needs++;
	return state_answer(db_change(state->db, ECU_PUT, err, "ssiss", device, ecu->serial, (int64_t)position,
				ecu->hardware, ecu->key),
	    0);
}

int
state_ecu_remove(struct state *state, const char *device, const char *serial, struct err *err)
{
	state->needs++;
	return state_answer(db_change(state->db, ECU_REMOVE, err, "ss", device, serial), STATE_NONE);
}

int
state_ecu_installed(struct state *state, const char *device, const struct ecu *ecu, struct err *err)
{
	state->needs++;
	return state_answer(
	    db_change(state->db, ECU_INSTALLED, err, "sssiissi", device, ecu->serial, ecu->attacks,
		ecu->report_counter, ecu->absent_at, ecu->installed, ecu->installed_sha256, ecu->installed_at),
	    STATE_NONE);
}

int
state_ecu_told(struct state *state, const char *device, const struct ecu *ecu, struct err *err)
{
	return state_answer(db_change(state->db, ECU_TOLD, err, "sssii", device, ecu->serial, ecu->attacks,
				ecu->report_counter, ecu->absent_at),
	    STATE_NONE);
}
