#include "state/order.h"

#include "state/inside.h"

#define COLUMNS                                                                                                \
	"number, name, rule, text, who, correlation, phase, started_at, finished_at, taken, refused, cursor"

static const char NUMBER_TAKE[] = "UPDATE fleet SET orders = orders + 1 WHERE one = 1";
static const char NUMBER[] = "SELECT orders FROM fleet WHERE one = 1";
static const char ADD[] = "INSERT INTO group_order (" COLUMNS ")"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, '')";
static const char END[] = "UPDATE group_order SET phase = ?2, finished_at = ?3 WHERE number = ?1";
static const char CURSOR[] = "UPDATE group_order SET cursor = ?2 WHERE number = ?1";
static const char REMOVE[] = "DELETE FROM group_order WHERE number = ?1";
static const char ORDER[] = "SELECT " COLUMNS " FROM group_order WHERE number = ?1";
static const char OPEN[] = "SELECT " COLUMNS " FROM group_order WHERE name = ?1 AND phase = 1"
			   " ORDER BY number DESC LIMIT 1";
static const char LAST[] = "SELECT " COLUMNS " FROM group_order WHERE name = ?1 AND phase <> 3"
			   " ORDER BY number DESC LIMIT 1";
static const char NEXT[] =
    "SELECT " COLUMNS " FROM group_order WHERE phase = ?1 AND number > ?2 ORDER BY number LIMIT 1";
static const char STALE[] = "UPDATE group_order SET phase = 3 WHERE name = ?1 AND number <> ?2";
static const char RENAME[] = "UPDATE group_order SET name = ?2 WHERE name = ?1";

static const char RECEIPT_ADD[] = "INSERT INTO receipt (number, device, result, text) VALUES (?1, ?2, ?3, ?4)"
				  " ON CONFLICT (number, device) DO UPDATE SET result = ?3, text = ?4";
static const char COUNT_TAKEN[] = "UPDATE group_order SET taken = taken + 1 WHERE number = ?1";
static const char COUNT_REFUSED[] = "UPDATE group_order SET refused = refused + 1 WHERE number = ?1";
static const char RECEIPTS[] = "SELECT device, text, result FROM receipt WHERE number = ?1 AND device > ?2"
			       " ORDER BY device LIMIT ?3";
static const char RECEIPTS_REMOVE[] =
    "DELETE FROM receipt WHERE number = ?1 AND device IN"
    " (SELECT device FROM receipt WHERE number = ?1 ORDER BY device LIMIT ?2)";

/* Numbers are not used again, whatever was removed: devices remember the last one. */
static int
take_number(struct state *state, int64_t *number, struct err *err)
{
	struct rows *rows;
	int r;

	if ((r = db_change(state->db, NUMBER_TAKE, err, "")) < 0 ||
	    (r = db_query(state->db, NUMBER, &rows, err, "")) < 0)
		return r;
	return state_number(rows, number, err);
}

int
state_order_add(struct state *state, struct group_order *order, struct err *err)
{
	int r;

	if ((r = take_number(state, &order->number, err)) < 0)
		return r;
	r = db_change(state->db, ADD, err, "isssssii", order->number, order->name, order->rule, order->text,
	    order->who, order->correlation, (int64_t)order->phase, order->started_at);
	return r < 0 ? r : 0;
}

int
state_order_end(struct state *state, int64_t number, enum order_phase phase, int64_t now, struct err *err)
{
	return state_answer(db_change(state->db, END, err, "iii", number, (int64_t)phase, now), STATE_NONE);
}

int
state_order_cursor(struct state *state, int64_t number, const char *cursor, struct err *err)
{
	return state_answer(db_change(state->db, CURSOR, err, "is", number, cursor), STATE_NONE);
}

int
state_order_remove(struct state *state, int64_t number, struct err *err)
{
	return state_answer(db_change(state->db, REMOVE, err, "i", number), STATE_NONE);
}

static int
read_order(struct rows *rows, struct group_order *out, struct err *err)
{
	int r = db_next(rows, err);

	if (r > 0) {
		out->number = db_number(rows, 0);
		db_copy(rows, 1, out->name, sizeof(out->name));
		db_copy(rows, 2, out->rule, sizeof(out->rule));
		db_copy(rows, 3, out->text, sizeof(out->text));
		db_copy(rows, 4, out->who, sizeof(out->who));
		db_copy(rows, 5, out->correlation, sizeof(out->correlation));
		out->phase = (enum order_phase)db_number(rows, 6);
		out->started_at = db_number(rows, 7);
		out->finished_at = db_number(rows, 8);
		out->taken = db_number(rows, 9);
		out->refused = db_number(rows, 10);
		db_copy(rows, 11, out->cursor, sizeof(out->cursor));
	}
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_order(struct state *state, int64_t number, struct group_order *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, ORDER, &rows, err, "i", number);

	return r < 0 ? r : read_order(rows, out, err);
}

static int
find_by_name(struct state *state, const char *sql, const char *name, struct group_order *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, sql, &rows, err, "s", name);

	return r < 0 ? r : read_order(rows, out, err);
}

int
state_order_open(struct state *state, const char *name, struct group_order *out, struct err *err)
{
	return find_by_name(state, OPEN, name, out, err);
}

int
state_order_last(struct state *state, const char *name, struct group_order *out, struct err *err)
{
	return find_by_name(state, LAST, name, out, err);
}

int
state_order_next(
    struct state *state, enum order_phase phase, int64_t after, struct group_order *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, NEXT, &rows, err, "ii", (int64_t)phase, after);

	return r < 0 ? r : read_order(rows, out, err);
}

int
state_orders_stale(struct state *state, const char *name, int64_t number, struct err *err)
{
	int r = db_change(state->db, STALE, err, "si", name, number);

	return r < 0 ? r : 0;
}

int
state_orders_rename(struct state *state, const char *name, const char *as, struct err *err)
{
	int r = db_change(state->db, RENAME, err, "ss", name, as);

	return r < 0 ? r : 0;
}

/* ---- receipts */

int
state_receipt_add(struct state *state, int64_t number, const char *device, enum receipt_result result,
    const char *text, struct err *err)
{
	int r = db_change(state->db, RECEIPT_ADD, err, "isis", number, device, (int64_t)result, text);

	if (r >= 0)
		r = db_change(
		    state->db, result == RECEIPT_TAKEN ? COUNT_TAKEN : COUNT_REFUSED, err, "i", number);
	return r < 0 ? r : 0;
}

int
state_receipts(struct state *state, int64_t number, const char *after, int64_t most, state_receipt_fn each,
    void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, RECEIPTS, &rows, err, "isi", number, after, most);

	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0) {
		r = each(db_text(rows, 0), (enum receipt_result)db_number(rows, 2), db_text(rows, 1), context);
		if (r)
			break;
	}
	db_done(rows);
	return r;
}

int
state_receipts_remove(struct state *state, int64_t number, int64_t most, struct err *err)
{
	return db_change(state->db, RECEIPTS_REMOVE, err, "ii", number, most);
}
