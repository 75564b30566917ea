#include "state/installation.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "state/inside.h"

static const char INSTALLATION_ADD[] =
    "INSERT INTO installation (device, number, correlation, ecu, target, sha256, assigned_at, in_flight_at,"
    " finished_at, result, code, text)"
    " SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM installation"
    " WHERE device = ?1";
#define COLUMNS                                                                                                \
	"SELECT correlation, ecu, target, sha256, assigned_at, in_flight_at, finished_at, result, code, text"  \
	" FROM installation WHERE device = ?1"
static const char INSTALLATIONS[] = COLUMNS " ORDER BY number";
/* An update may end ECU by ECU, with another one's rows between them. */
static const char INSTALLATION_LAST[] =
    COLUMNS " AND correlation = (SELECT correlation FROM installation WHERE device = ?1"
	    " ORDER BY number DESC LIMIT 1) ORDER BY ecu, number";
static const char IS_KNOWN[] = "SELECT COUNT(*) FROM installation WHERE correlation = ?2 AND device = ?1";
static const char WAS_REFUSED[] =
    "SELECT COUNT(*) FROM installation WHERE device = ?1 AND ecu = ?2 AND target = ?3 AND sha256 = ?4"
    " AND result IN ('failed', 'cancelled') AND code <> 'WITHDRAWN'";

int
state_installation_add(struct state *state, const char *device, const struct installation *i, struct err *err)
{
	return state_answer(db_change(state->db, INSTALLATION_ADD, err, "sssssiiisss", device, i->correlation,
				i->ecu, i->target, i->sha256, i->assigned_at, i->in_flight_at, i->finished_at,
				i->result, i->code, i->text),
	    STATE_NONE);
}

static void
read_row(struct rows *rows, struct installation *out)
{
	db_copy(rows, 0, out->correlation, sizeof(out->correlation));
	db_copy(rows, 1, out->ecu, sizeof(out->ecu));
	db_copy(rows, 2, out->target, sizeof(out->target));
	db_copy(rows, 3, out->sha256, sizeof(out->sha256));
	out->assigned_at = db_number(rows, 4);
	out->in_flight_at = db_number(rows, 5);
	out->finished_at = db_number(rows, 6);
	db_copy(rows, 7, out->result, sizeof(out->result));
	db_copy(rows, 8, out->code, sizeof(out->code));
	db_copy(rows, 9, out->text, sizeof(out->text));
}

int
state_installations(
    struct state *state, const char *device, state_installation_fn each, void *context, struct err *err)
{
	struct installation one;
	struct rows *rows;
	int r = db_query(state->db, INSTALLATIONS, &rows, err, "s", device);

	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		read_row(rows, &one);
		if ((r = each(&one, context)) != 0)
			break;
	}
	db_done(rows);
	return r;
}

int
state_installation_last(
    struct state *state, const char *device, struct installation **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct installation *list = NULL;
	struct rows *rows;
	int r = db_query(state->db, INSTALLATION_LAST, &rows, err, "s", device);

	*count = 0;
	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		struct installation *one = state_grow(&list, *count, sizeof(*list));

		if (!one) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		read_row(rows, one);
		(*count)++;
	}
	db_done(rows);
	if (r == 0)
		*out = MOVE(list);
	return r;
}

int
state_installation_was_refused(struct state *state, const char *device, const char *ecu, const char *target,
    const char *sha256, bool *was, struct err *err)
{
	struct rows *rows;
	int64_t count;
	int r = db_query(state->db, WAS_REFUSED, &rows, err, "ssss", device, ecu, target, sha256);

	if (r < 0 || (r = state_number(rows, &count, err)) < 0)
		return r;
	*was = count > 0;
	return 0;
}

int
state_installation_is_known(
    struct state *state, const char *device, const char *correlation, bool *is_known, struct err *err)
{
	struct rows *rows;
	int64_t count;
	int r = db_query(state->db, IS_KNOWN, &rows, err, "ss", device, correlation);

	if (r < 0 || (r = state_number(rows, &count, err)) < 0)
		return r;
	*is_known = count > 0;
	return 0;
}
