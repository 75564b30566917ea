#include "state/certificate.h"

#include <string.h>

#include "lib/cleanup.h"
#include "state/inside.h"

static const char CERTIFICATES[] = "SELECT serial FROM certificate WHERE device = ?1 ORDER BY serial";
static const char CERTIFICATE_NUMBERS[] = "SELECT number FROM certificate WHERE device = ?1 ORDER BY number";
static const char CERTIFICATE_ADD[] = "INSERT INTO certificate (device, serial, added_at, number)"
				      " VALUES (?1, ?2, ?3, (SELECT numbers FROM fleet WHERE one = 1))"
				      " ON CONFLICT (device, serial) DO NOTHING";
static const char CERTIFICATE_REMOVE[] = "DELETE FROM certificate WHERE device = ?1 AND serial = ?2";
static const char CERTIFICATE[] = "SELECT expires_at FROM certificate WHERE device = ?1 AND serial = ?2";
static const char CERTIFICATE_EXPIRES[] =
    "UPDATE certificate SET expires_at = ?3 WHERE device = ?1 AND serial = ?2";
static const char CERTIFICATE_SOURCE[] = "UPDATE certificate SET source = ?3 WHERE device = ?1 AND serial = ?2";
static const char CERTIFICATES_UNUSED[] =
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN source = ?2 AND used_at = 0 THEN 1 ELSE 0 END), 0)"
    " FROM certificate WHERE device = ?1";
static const char CERTIFICATE_ROW[] =
    "SELECT added_at, expires_at, used_at, ends_at, source, number FROM certificate"
    " WHERE device = ?1 AND serial = ?2";
#define SPEAKERS                                                                                               \
	"SELECT " STATE_DEVICE_COLUMNS ", certificate.added_at, certificate.expires_at, certificate.used_at,"  \
	" certificate.ends_at, certificate.source, certificate.number, certificate.serial"                     \
	" FROM certificate JOIN device ON device.id = certificate.device"
#define SERIAL_COLUMN (STATE_DEVICE_COLUMN_COUNT + 6)
static const char SPEAKER[] = SPEAKERS " WHERE certificate.device = ?1 AND certificate.serial = ?2";
static const char SPEAKER_NUMBERED[] = SPEAKERS " WHERE certificate.number = ?1";
static const char CERTIFICATE_SOURCES[] = "SELECT source FROM certificate WHERE device = ?1";
static const char CERTIFICATE_USED[] =
    "UPDATE certificate SET used_at = ?3 WHERE device = ?1 AND serial = ?2 AND used_at = 0";
/* Of one second, those that were used before count as older. */
static const char CERTIFICATES_OLDER[] = "SELECT serial FROM certificate WHERE device = ?1 AND serial <> ?2"
					 " AND (added_at < ?3 OR (added_at = ?3 AND used_at > 0))"
					 " AND (ends_at = 0 OR ends_at > ?4) ORDER BY serial";
static const char CERTIFICATE_ENDS[] = "UPDATE certificate SET ends_at = ?3 WHERE device = ?1 AND serial = ?2";
static const char CERTIFICATES_STAY[] =
    "UPDATE certificate SET ends_at = 0 WHERE device = ?1"
    " AND NOT EXISTS (SELECT 1 FROM certificate WHERE device = ?1 AND ends_at = 0)";
static const char CERTIFICATES_PENDING[] = "SELECT serial FROM certificate WHERE device = ?1 AND source = ?2"
					   " AND used_at = 0 ORDER BY serial";
static const char CERTIFICATES_ENDED[] = "SELECT device, serial, ends_at FROM certificate"
					 " WHERE ends_at > 0 AND ends_at <= ?1 ORDER BY ends_at LIMIT ?2";
/* Each is a range of certificate_expiry. */
static const char EXPIRY_COUNT[] =
    "SELECT (SELECT COUNT(*) FROM certificate),"
    " (SELECT COUNT(*) FROM certificate WHERE expires_at = 0),"
    " (SELECT COUNT(*) FROM certificate WHERE expires_at > 0 AND expires_at <= ?1),"
    " (SELECT COUNT(*) FROM certificate WHERE expires_at > ?1 AND expires_at <= ?2)";
static const char EXPIRY_FIRST[] = "SELECT device, serial, expires_at FROM certificate WHERE expires_at > ?1"
				   " ORDER BY expires_at LIMIT ?2";

int
state_certificates(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return state_each_text(state, CERTIFICATES, device, each, context, err);
}

int
state_certificate_numbers(struct state *state, const char *device, int (*each)(int64_t number, void *context),
    void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, CERTIFICATE_NUMBERS, &rows, err, "s", device);

	if (r < 0)
		return r;
	while ((r = db_next(rows, err)) > 0 && (r = each(db_number(rows, 0), context)) == 0)
		;
	db_done(rows);
	return r;
}

int
state_certificate_add(struct state *state, const char *device, const char *serial, int64_t now, struct err *err)
{
	int r;

	state->certificates++;
	if ((r = db_begin(state->db, err)) < 0)
		return r;
	if ((r = state_next_number(state, err)) == 0)
		r = state_answer(
		    db_change(state->db, CERTIFICATE_ADD, err, "ssi", device, serial, now), STATE_EXISTS);
	return db_end(state->db, r, err);
}

int
state_certificate_remove(struct state *state, const char *device, const char *serial, struct err *err)
{
	state->certificates++;
	return state_answer(db_change(state->db, CERTIFICATE_REMOVE, err, "ss", device, serial), STATE_NONE);
}

int
state_certificate(
    struct state *state, const char *device, const char *serial, int64_t *expires_at, struct err *err)
{
	struct rows *statement;
	int r;

	if ((r = db_query(state->db, CERTIFICATE, &statement, err, "ss", device, serial)) < 0)
		return r;
	r = db_next(statement, err);
	if (r > 0)
		*expires_at = db_number(statement, 0);
	db_done(statement);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_certificate_expires(
    struct state *state, const char *device, const char *serial, int64_t expires_at, struct err *err)
{
	state->certificates++;
	return state_answer(
	    db_change(state->db, CERTIFICATE_EXPIRES, err, "ssi", device, serial, expires_at), STATE_NONE);
}

int
state_certificate_source(
    struct state *state, const char *device, const char *serial, const char *source, struct err *err)
{
	return state_answer(
	    db_change(state->db, CERTIFICATE_SOURCE, err, "sss", device, serial, source), STATE_NONE);
}

int
state_certificates_unused(struct state *state, const char *device, const char *source, struct err *err)
{
	struct rows *s;
	bool are_unused = false;
	int r;

	if ((r = db_query(state->db, CERTIFICATES_UNUSED, &s, err, "ss", device, source)) < 0)
		return r;
	if ((r = db_next(s, err)) > 0)
		are_unused = db_number(s, 0) > 0 && db_number(s, 0) == db_number(s, 1);
	db_done(s);
	return r < 0 ? r : are_unused ? 0 : STATE_NONE;
}

static void
read_row(struct rows *rows, int first, struct certificate_row *out)
{
	out->added_at = db_number(rows, first);
	out->expires_at = db_number(rows, first + 1);
	out->used_at = db_number(rows, first + 2);
	out->ends_at = db_number(rows, first + 3);
	db_copy(rows, first + 4, out->source, sizeof(out->source));
	out->number = db_number(rows, first + 5);
}

int
state_certificate_row(
    struct state *state, const char *device, const char *serial, struct certificate_row *out, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, CERTIFICATE_ROW, &rows, err, "ss", device, serial);

	if (r < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0)
		read_row(rows, 0, out);
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

/* What was found by its number is asked for by its name next, with the same lock: nothing was written since. */
static bool
is_last(const struct state *state, const char *id, const char *serial)
{
	const struct state_speaker *last = &state->last;

	return last->changes == db_changes(state->db) && last->rollbacks == db_rollbacks(state->db) &&
	       !strcmp(last->serial, serial) && !strcmp(last->device.id, id);
}

static void
remember(struct state *state, struct rows *rows)
{
	struct state_speaker *last = &state->last;

	last->changes = db_changes(state->db);
	last->rollbacks = db_rollbacks(state->db);
	state_read_device(state, rows, &last->device);
	read_row(rows, STATE_DEVICE_COLUMN_COUNT, &last->certificate);
	db_copy(rows, SERIAL_COLUMN, last->serial, sizeof(last->serial));
}

int
state_speaker(struct state *state, const char *id, const char *serial, struct device *device,
    struct certificate_row *certificate, struct err *err)
{
	struct rows *rows;
	int r;

	if (is_last(state, id, serial)) {
		*device = state->last.device;
		state_overlay_device(state, device);
		*certificate = state->last.certificate;
		return 0;
	}
	if ((r = db_query(state->db, SPEAKER, &rows, err, "ss", id, serial)) < 0)
		return r;
	r = db_next(rows, err);
	if (r > 0) {
		state_read_device(state, rows, device);
		read_row(rows, STATE_DEVICE_COLUMN_COUNT, certificate);
	}
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_certificate_numbered(struct state *state, int64_t number, char device[static NAME_DEVICE_MAX + 1],
    char serial[static NAME_SERIAL_MAX + 1], struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, SPEAKER_NUMBERED, &rows, err, "i", number);

	if (r < 0)
		return r;
	if ((r = db_next(rows, err)) > 0) {
		remember(state, rows);
		memcpy(device, state->last.device.id, NAME_DEVICE_MAX + 1);
		memcpy(serial, state->last.serial, NAME_SERIAL_MAX + 1);
	}
	db_done(rows);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_certificate_sources(
    struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return state_each_text(state, CERTIFICATE_SOURCES, device, each, context, err);
}

int
state_certificate_used(
    struct state *state, const char *device, const char *serial, int64_t now, struct err *err)
{
	return state_answer(
	    db_change(state->db, CERTIFICATE_USED, err, "ssi", device, serial, now), STATE_EXISTS);
}

int
state_certificates_older(struct state *state, const char *device, const char *serial,
    const struct certificate_row *than, int64_t ends_at, state_name_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(
	    state->db, CERTIFICATES_OLDER, &rows, err, "ssii", device, serial, than->added_at, ends_at);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int
state_certificate_ends(
    struct state *state, const char *device, const char *serial, int64_t ends_at, struct err *err)
{
	return state_answer(
	    db_change(state->db, CERTIFICATE_ENDS, err, "ssi", device, serial, ends_at), STATE_NONE);
}

int
state_certificates_stay(struct state *state, const char *device, struct err *err)
{
	return state_answer(db_change(state->db, CERTIFICATES_STAY, err, "s", device), STATE_NONE);
}

int
state_certificates_pending(struct state *state, const char *device, const char *source, state_name_fn each,
    void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, CERTIFICATES_PENDING, &rows, err, "ss", device, source);

	return r < 0 ? r : state_each_name(rows, each, context, err);
}

int
state_certificates_ended(
    struct state *state, int64_t now, int most, state_expiry_fn each, void *context, struct err *err)
{
	struct rows *rows;
	int r = db_query(state->db, CERTIFICATES_ENDED, &rows, err, "ii", now, (int64_t)most);

	return r < 0 ? r : state_each_row(rows, each, context, err);
}

static int
count(struct db *db, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(db, EXPIRY_COUNT, &s, err, "ii", now, until)) < 0)
		return r;
	r = db_next(s, err);
	if (r > 0) {
		out->certificates = db_number(s, 0);
		out->not_known = db_number(s, 1);
		out->expired = db_number(s, 2);
		out->expiring = db_number(s, 3);
	}
	db_done(s);
	return r < 0 ? r : 0;
}

static int
name_first(struct db *db, int64_t now, int most, state_expiry_fn each, void *context, struct err *err)
{
	struct rows *s;
	int r;

	if ((r = db_query(db, EXPIRY_FIRST, &s, err, "ii", now, (int64_t)most)) < 0)
		return r;
	return state_each_row(s, each, context, err);
}

int
state_expiry_count(
    struct state *state, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err)
{
	return count(state->db, now, until, out, err);
}

int
state_expiry_first(
    struct state *state, int64_t now, int most, state_expiry_fn each, void *context, struct err *err)
{
	return name_first(state->db, now, most, each, context, err);
}

int
reader_expiry_count(
    struct reader *reader, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err)
{
	return count(reader->db, now, until, out, err);
}

int
reader_expiry_first(
    struct reader *reader, int64_t now, int most, state_expiry_fn each, void *context, struct err *err)
{
	return name_first(reader->db, now, most, each, context, err);
}

int64_t
state_certificate_changes(const struct state *state)
{
	return state->certificates;
}
