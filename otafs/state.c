#include "otafs/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "lib/utc.h"

/* Numbered steps; a database says in table schema how many it has taken. A step that was released is never
 * edited. */
static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE fleet (one SMALLINT PRIMARY KEY, epoch BIGINT NOT NULL, raised_at BIGINT NOT NULL);"
	"CREATE TABLE device (id TEXT PRIMARY KEY, counter BIGINT NOT NULL, created_at BIGINT NOT NULL,"
	" changed_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, primary_ecu TEXT NOT NULL, why TEXT NOT NULL,"
	" why_at BIGINT NOT NULL);"
	"CREATE TABLE retired (id TEXT PRIMARY KEY, counter BIGINT NOT NULL);"
	"CREATE TABLE certificate (device TEXT NOT NULL, serial TEXT NOT NULL, added_at BIGINT NOT NULL,"
	" PRIMARY KEY (device, serial));"
	"CREATE TABLE ecu (device TEXT NOT NULL, serial TEXT NOT NULL, position BIGINT NOT NULL, hardware TEXT "
	"NOT NULL,"
	" key TEXT NOT NULL, installed TEXT NOT NULL, installed_sha256 TEXT NOT NULL, installed_at BIGINT NOT "
	"NULL,"
	" PRIMARY KEY (device, serial));"
	"CREATE INDEX ecu_installed ON ecu (installed);"
	"CREATE TABLE assignment (device TEXT NOT NULL, ecu TEXT NOT NULL, hardware TEXT NOT NULL, target TEXT "
	"NOT NULL,"
	" sha256 TEXT NOT NULL, length BIGINT NOT NULL, format TEXT NOT NULL, correlation TEXT NOT NULL,"
	" created_at BIGINT NOT NULL, PRIMARY KEY (device, ecu));"
	"CREATE INDEX assignment_target ON assignment (target);"
	"CREATE TABLE report (device TEXT NOT NULL, kind TEXT NOT NULL, body BYTEA NOT NULL, received_at "
	"BIGINT NOT NULL,"
	" PRIMARY KEY (device, kind));"
	"CREATE TABLE event (device TEXT NOT NULL, id TEXT NOT NULL, number BIGINT NOT NULL, body TEXT NOT "
	"NULL,"
	" received_at BIGINT NOT NULL, PRIMARY KEY (device, id));"
	"CREATE TABLE history (device TEXT NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, text TEXT NOT "
	"NULL,"
	" PRIMARY KEY (device, number));",
	/* 2 */
	"ALTER TABLE fleet ADD COLUMN basis TEXT NOT NULL DEFAULT '';",
	/* 3 */
	"ALTER TABLE device ADD COLUMN failure TEXT NOT NULL DEFAULT '';",
	/* 4 */
	"CREATE INDEX event_number ON event (device, number);",
	/* 5 */
	"CREATE INDEX ecu_running ON ecu (installed_sha256, hardware, device);",
	/* 6 */
	"CREATE INDEX assignment_file ON assignment (target, sha256, device);",
	/* 7; 0 is for what is not known */
	("ALTER TABLE certificate ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;"
	 "CREATE INDEX certificate_expiry ON certificate (expires_at);"),
};

#define MIGRATIONS ((int)(sizeof(migrations) / sizeof(migrations[0])))

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	EPOCH,
	EPOCH_INIT,
	EPOCH_RAISE,
	DEVICE_ADD,
	DEVICE_REMOVE,
	DEVICE_RETIRE,
	DEVICE_REMOVE_CERTIFICATES,
	DEVICE_REMOVE_ECUS,
	DEVICE_REMOVE_ASSIGNMENTS,
	DEVICE_REMOVE_REPORTS,
	DEVICE_REMOVE_EVENTS,
	DEVICE,
	DEVICE_BUMP,
	DEVICE_PRIMARY,
	DEVICE_WHY,
	DEVICE_FAILURE,
	DEVICE_SEEN,
	DEVICES,
	CERTIFICATES,
	CERTIFICATE_ADD,
	CERTIFICATE_REMOVE,
	CERTIFICATE,
	CERTIFICATE_EXPIRES,
	EXPIRY_COUNT,
	EXPIRY_FIRST,
	ECUS,
	ECU_PUT,
	ECU_REMOVE,
	ECU_INSTALLED,
	ASSIGNMENTS,
	ASSIGNMENT_ADD,
	ASSIGNMENT_CLOSE,
	USERS,
	ASSIGNED,
	RUNNING,
	ASSIGNED_DEVICES,
	REPORT_PUT,
	REPORT,
	EVENT_ADD,
	EVENTS,
	EVENT_LAST,
	HISTORY_ADD,
	HISTORY,
	COUNT,
	STATEMENTS
};

/* Parameters are ?1, ?2, ... by number. */
static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[EPOCH] = "SELECT epoch, raised_at, basis FROM fleet WHERE one = 1",
	[EPOCH_INIT] =
	    "INSERT INTO fleet (one, epoch, raised_at) VALUES (1, 0, ?1) ON CONFLICT (one) DO NOTHING",
	[EPOCH_RAISE] = "UPDATE fleet SET epoch = epoch + ?1, raised_at = ?2, basis = ?3 WHERE one = 1",
	/* A device that was deleted goes on from where it was: versions only grow. */
	[DEVICE_ADD] =
	    "INSERT INTO device (id, counter, created_at, changed_at, seen_at, primary_ecu, why, why_at)"
	    " SELECT ?1, COALESCE(MAX(counter), 0) + 1, ?2, ?2, 0, '', '', 0 FROM retired WHERE id = ?1"
	    " ON CONFLICT (id) DO NOTHING",
	[DEVICE_RETIRE] = "INSERT INTO retired (id, counter) SELECT id, counter FROM device WHERE id = ?1"
			  " ON CONFLICT (id) DO UPDATE SET counter = excluded.counter",
	[DEVICE_REMOVE] = "DELETE FROM device WHERE id = ?1",
	[DEVICE_REMOVE_CERTIFICATES] = "DELETE FROM certificate WHERE device = ?1",
	[DEVICE_REMOVE_ECUS] = "DELETE FROM ecu WHERE device = ?1",
	[DEVICE_REMOVE_ASSIGNMENTS] = "DELETE FROM assignment WHERE device = ?1",
	[DEVICE_REMOVE_REPORTS] = "DELETE FROM report WHERE device = ?1",
	[DEVICE_REMOVE_EVENTS] = "DELETE FROM event WHERE device = ?1",
	[DEVICE] =
	    "SELECT id, counter, created_at, changed_at, seen_at, primary_ecu, why, why_at, failure FROM device"
	    " WHERE id = ?1",
	[DEVICE_BUMP] = "UPDATE device SET counter = counter + 1, changed_at = ?2 WHERE id = ?1",
	[DEVICE_PRIMARY] = "UPDATE device SET primary_ecu = ?2 WHERE id = ?1",
	[DEVICE_WHY] = "UPDATE device SET why = ?2, why_at = ?3, changed_at = ?3 WHERE id = ?1",
	[DEVICE_FAILURE] = "UPDATE device SET failure = ?2 WHERE id = ?1",
	[DEVICE_SEEN] = "UPDATE device SET seen_at = ?2 WHERE id = ?1",
	[DEVICES] = "SELECT id FROM device ORDER BY id",
	[CERTIFICATES] = "SELECT serial FROM certificate WHERE device = ?1 ORDER BY serial",
	[CERTIFICATE_ADD] = "INSERT INTO certificate (device, serial, added_at) VALUES (?1, ?2, ?3)"
			    " ON CONFLICT (device, serial) DO NOTHING",
	[CERTIFICATE_REMOVE] = "DELETE FROM certificate WHERE device = ?1 AND serial = ?2",
	[CERTIFICATE] = "SELECT expires_at FROM certificate WHERE device = ?1 AND serial = ?2",
	[CERTIFICATE_EXPIRES] = "UPDATE certificate SET expires_at = ?3 WHERE device = ?1 AND serial = ?2",
	/* Each is a range of certificate_expiry. */
	[EXPIRY_COUNT] = "SELECT (SELECT COUNT(*) FROM certificate),"
			 " (SELECT COUNT(*) FROM certificate WHERE expires_at = 0),"
			 " (SELECT COUNT(*) FROM certificate WHERE expires_at > 0 AND expires_at <= ?1),"
			 " (SELECT COUNT(*) FROM certificate WHERE expires_at > ?1 AND expires_at <= ?2)",
	[EXPIRY_FIRST] = "SELECT device, serial, expires_at FROM certificate WHERE expires_at > ?1"
			 " ORDER BY expires_at LIMIT ?2",
	[ECUS] =
	    "SELECT serial, hardware, key, installed, installed_sha256, installed_at FROM ecu WHERE device = ?1"
	    " ORDER BY position, serial",
	[ECU_PUT] = "INSERT INTO ecu (device, serial, position, hardware, key, installed, installed_sha256, "
		    "installed_at)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, '', '', 0) ON CONFLICT (device, serial) DO UPDATE SET"
		    " position = excluded.position, hardware = excluded.hardware, key = excluded.key",
	[ECU_REMOVE] = "DELETE FROM ecu WHERE device = ?1 AND serial = ?2",
	[ECU_INSTALLED] = "UPDATE ecu SET installed = ?3, installed_sha256 = ?4, installed_at = ?5"
			  " WHERE device = ?1 AND serial = ?2",
	[ASSIGNMENTS] =
	    "SELECT ecu, hardware, target, sha256, length, format, correlation, created_at FROM assignment"
	    " WHERE device = ?1 ORDER BY ecu",
	[ASSIGNMENT_ADD] =
	    "INSERT INTO assignment (device, ecu, hardware, target, sha256, length, format, correlation,"
	    " created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[ASSIGNMENT_CLOSE] = "DELETE FROM assignment WHERE device = ?1 AND ecu = ?2",
	[USERS] = "SELECT device || ' ' || serial || ' installed' FROM ecu WHERE installed = ?1 UNION ALL"
		  " SELECT device || ' ' || ecu || ' assigned' FROM assignment WHERE target = ?1 ORDER BY 1",
	[ASSIGNED] = "SELECT target, sha256, COUNT(*) FROM assignment GROUP BY target, sha256",
	[RUNNING] =
	    "SELECT installed_sha256, hardware, COUNT(DISTINCT device) FROM ecu WHERE installed_sha256 <> ''"
	    " GROUP BY installed_sha256, hardware",
	[ASSIGNED_DEVICES] = "SELECT DISTINCT device FROM assignment WHERE target = ?1 ORDER BY device",
	[REPORT_PUT] = "INSERT INTO report (device, kind, body, received_at) VALUES (?1, ?2, ?3, ?4)"
		       " ON CONFLICT (device, kind) DO UPDATE SET body = excluded.body,"
		       " received_at = excluded.received_at",
	[REPORT] = "SELECT body, received_at FROM report WHERE device = ?1 AND kind = ?2",
	[EVENT_ADD] = "INSERT INTO event (device, id, number, body, received_at)"
		      " SELECT ?1, ?2, COALESCE(MAX(number), 0) + 1, ?3, ?4 FROM event WHERE device = ?1"
		      " ON CONFLICT (device, id) DO NOTHING",
	[EVENTS] = "SELECT body FROM event WHERE device = ?1 ORDER BY number",
	[EVENT_LAST] = "SELECT body FROM event WHERE device = ?1 ORDER BY number DESC LIMIT 1",
	[HISTORY_ADD] = "INSERT INTO history (device, number, at, text)"
			" SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3 FROM history WHERE device = ?1",
	[HISTORY] = "SELECT at, text FROM history WHERE device = ?1 ORDER BY number",
	[COUNT] = "SELECT (SELECT COUNT(*) FROM device), (SELECT COUNT(*) FROM ecu), (SELECT COUNT(*) FROM "
		  "assignment),"
		  " (SELECT COUNT(*) FROM device WHERE seen_at > ?1)",
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS]; /* prepared at first use */
	int64_t needs;                        /* see state_needs() */
	int64_t certificates;                 /* see state_certificate_changes() */
};

static int
fail(const struct state *state, const char *what, struct err *err)
{
	int full = sqlite3_errcode(state->db) == SQLITE_FULL;

	return err_set(err, full ? ENOSPC : EIO, "database: %s: %s", what, sqlite3_errmsg(state->db));
}

/* A blob parameter: format letter 'b'. */
struct blob {
	const char *data;
	size_t bytes;
};

/* Prepares (once) and binds: 's' text, 'i' int64_t, 'b' struct blob *. Texts live until the statement is reset.
 */
static int
bind(struct state *state, enum statement which, sqlite3_stmt **out, struct err *err, const char *format,
    va_list args)
{
	sqlite3_stmt *statement = state->statements[which];
	int r = SQLITE_OK;

	if (!statement) {
		if (sqlite3_prepare_v3(
			state->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
			return fail(state, sql[which], err);
		state->statements[which] = statement;
	}
	for (int i = 1; *format && r == SQLITE_OK; i++, format++) {
		if (*format == 's') {
			r = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
		} else if (*format == 'i') {
			r = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
		} else {
			const struct blob *blob = va_arg(args, const struct blob *);

			r = sqlite3_bind_blob64(statement, i, blob->data, blob->bytes, SQLITE_STATIC);
		}
	}
	if (r != SQLITE_OK)
		return fail(state, sql[which], err);
	*out = statement;
	return 0;
}

/* Ready to step; release with done(). */
static int
query(struct state *state, enum statement which, sqlite3_stmt **out, struct err *err, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = bind(state, which, out, err, format, args);
	va_end(args);
	return r;
}

static void
done(sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

/* Whether the statement changes what the fleet runs or should run. */
static int
is_about_needs(enum statement which)
{
	return which == ASSIGNMENT_ADD || which == ASSIGNMENT_CLOSE || which == ECU_INSTALLED ||
	       which == ECU_REMOVE || which == ECU_PUT || which == DEVICE_REMOVE;
}

static int
is_about_certificates(enum statement which)
{
	return which == CERTIFICATE_ADD || which == CERTIFICATE_REMOVE || which == CERTIFICATE_EXPIRES ||
	       which == DEVICE_REMOVE_CERTIFICATES;
}

/* Runs a statement that gives no rows. Returns how many rows it changed, or -errno. */
static int
change(struct state *state, enum statement which, struct err *err, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	int r;

	va_start(args, format);
	r = bind(state, which, &statement, err, format, args);
	va_end(args);
	if (r < 0)
		return r;
	r = sqlite3_step(statement) == SQLITE_DONE ? sqlite3_changes(state->db) : fail(state, sql[which], err);
	done(statement);
	state->needs += is_about_needs(which);
	state->certificates += is_about_certificates(which);
	return r;
}

/* 1: a row, 0: no more, -errno. */
static int
step(struct state *state, sqlite3_stmt *statement, struct err *err)
{
	int r = sqlite3_step(statement);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : fail(state, sqlite3_sql(statement), err);
}

static void
copy_text(sqlite3_stmt *statement, int column, char *out, size_t room)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	snprintf(out, room, "%s", text ? text : "");
}

static int
answer(int changed, int when_none)
{
	return changed < 0 ? changed : changed == 0 ? when_none : 0;
}

static int
execute(struct state *state, const char *text, struct err *err)
{
	return sqlite3_exec(state->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(state, text, err);
}

static int
schema_version(struct state *state, int *version, struct err *err)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(
		state->db, "SELECT COALESCE(MAX(version), 0) FROM schema", -1, &statement, NULL) != SQLITE_OK)
		return fail(state, "schema", err);
	*version = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
	sqlite3_finalize(statement);
	return 0;
}

static int
migrate_one(struct state *state, int number, struct err *err)
{
	char note[64];
	int r;

	snprintf(note, sizeof(note), "INSERT INTO schema (version) VALUES (%d)", number);
	if ((r = execute(state, "BEGIN IMMEDIATE", err)) < 0)
		return r;
	if ((r = execute(state, migrations[number - 1], err)) == 0)
		r = execute(state, note, err);
	if (r < 0) {
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
		return err_context(err, r, "step %d of the schema", number);
	}
	return execute(state, "COMMIT", err);
}

static int
migrate(struct state *state, struct err *err)
{
	int version = 0, r;

	if ((r = execute(state, "CREATE TABLE IF NOT EXISTS schema (version BIGINT PRIMARY KEY)", err)) < 0 ||
	    (r = schema_version(state, &version, err)) < 0)
		return r;
	if (version > MIGRATIONS)
		return err_set(
		    err, ENOTSUP, "database: has schema %d, this otafs knows up to %d", version, MIGRATIONS);
	for (; version < MIGRATIONS; version++)
		if ((r = migrate_one(state, version + 1, err)) < 0)
			return r;
	return 0;
}

int
state_open(const char *path, struct state **out, struct err *err)
{
	AUTO(state_freep) struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return err_set(err, ENOMEM, "no memory for the state");
	if (sqlite3_open_v2(path, &state->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		NULL) != SQLITE_OK)
		return err_set(err, EIO, "%s: %s", path, sqlite3_errmsg(state->db));
	sqlite3_busy_timeout(state->db, 5000);
	if ((r = execute(state, "PRAGMA journal_mode=WAL", err)) < 0 ||
	    (r = execute(state, "PRAGMA synchronous=FULL", err)) < 0 || (r = migrate(state, err)) < 0 ||
	    (r = change(state, EPOCH_INIT, err, "i", utc_now())) < 0)
		return err_context(err, r, "%s", path);
	*out = MOVE(state);
	return 0;
}

void
state_free(struct state *state)
{
	if (!state)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(state->statements[i]);
	sqlite3_close(state->db);
	free(state);
}

void
state_freep(struct state **state)
{
	state_free(*state);
}

int
state_begin(struct state *state, struct err *err)
{
	int r = change(state, BEGIN, err, "");

	return r < 0 ? r : 0;
}

int
state_end(struct state *state, int r, struct err *err)
{
	struct err ignored;
	int committed;

	if (r >= 0) {
		committed = change(state, COMMIT, err, "");
		if (committed >= 0)
			return r;
		r = committed;
	}
	change(state, ROLLBACK, &ignored, "");
	return r;
}

int
state_epoch(struct state *state, int64_t *epoch, int64_t *raised_at, struct err *err)
{
	sqlite3_stmt *statement;
	int r;

	if ((r = query(state, EPOCH, &statement, err, "")) < 0)
		return r;
	r = step(state, statement, err);
	if (r > 0) {
		*epoch = sqlite3_column_int64(statement, 0);
		*raised_at = sqlite3_column_int64(statement, 1);
	}
	done(statement);
	return r > 0 ? 0 : r < 0 ? r : err_set(err, EIO, "database: the fleet has no row");
}

int
state_basis(struct state *state, char basis[static STATE_BASIS_SIZE], struct err *err)
{
	sqlite3_stmt *statement;
	int r;

	if ((r = query(state, EPOCH, &statement, err, "")) < 0)
		return r;
	r = step(state, statement, err);
	if (r > 0)
		copy_text(statement, 2, basis, STATE_BASIS_SIZE);
	done(statement);
	return r > 0 ? 0 : r < 0 ? r : err_set(err, EIO, "database: the fleet has no row");
}

int
state_raise_epoch(struct state *state, int64_t by, int64_t now, const char *basis, struct err *err)
{
	int64_t epoch, raised_at;
	int r = state_epoch(state, &epoch, &raised_at, err);

	if (r < 0)
		return r;
	if (epoch + by > STATE_EPOCH_MAX)
		return err_set(err, EOVERFLOW,
		    "the epoch is %lld and ends at %d: devices count no higher versions", (long long)epoch,
		    STATE_EPOCH_MAX);
	return answer(change(state, EPOCH_RAISE, err, "iis", by, now, basis), STATE_NONE);
}

int
state_device_add(struct state *state, const char *id, int64_t now, struct err *err)
{
	return answer(change(state, DEVICE_ADD, err, "si", id, now), STATE_EXISTS);
}

int
state_device_remove(struct state *state, const char *id, struct err *err)
{
	for (enum statement which = DEVICE_RETIRE; which <= DEVICE_REMOVE_EVENTS; which++) {
		int r = change(state, which, err, "s", id);

		if (r < 0)
			return r;
	}
	return answer(change(state, DEVICE_REMOVE, err, "s", id), STATE_NONE);
}

int
state_device(struct state *state, const char *id, struct device *out, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	if ((r = query(state, DEVICE, &s, err, "s", id)) < 0)
		return r;
	r = step(state, s, err);
	if (r > 0) {
		copy_text(s, 0, out->id, sizeof(out->id));
		out->counter = sqlite3_column_int64(s, 1);
		out->created_at = sqlite3_column_int64(s, 2);
		out->changed_at = sqlite3_column_int64(s, 3);
		out->seen_at = sqlite3_column_int64(s, 4);
		copy_text(s, 5, out->primary_ecu, sizeof(out->primary_ecu));
		copy_text(s, 6, out->why, sizeof(out->why));
		out->why_at = sqlite3_column_int64(s, 7);
		copy_text(s, 8, out->failure, sizeof(out->failure));
	}
	done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_device_bump(struct state *state, const char *id, int64_t now, struct err *err)
{
	return answer(change(state, DEVICE_BUMP, err, "si", id, now), STATE_NONE);
}

int
state_device_primary(struct state *state, const char *id, const char *ecu, struct err *err)
{
	return answer(change(state, DEVICE_PRIMARY, err, "ss", id, ecu), STATE_NONE);
}

int
state_device_why(struct state *state, const char *id, const char *why, int64_t now, struct err *err)
{
	return answer(change(state, DEVICE_WHY, err, "ssi", id, why, now), STATE_NONE);
}

int
state_device_failure(struct state *state, const char *id, const char *failure, struct err *err)
{
	return answer(change(state, DEVICE_FAILURE, err, "ss", id, failure), STATE_NONE);
}

int
state_device_seen(struct state *state, const char *id, int64_t now, struct err *err)
{
	return answer(change(state, DEVICE_SEEN, err, "si", id, now), STATE_NONE);
}

/* Hands column 0 of each row to @each; @argument is bound when it is not NULL. */
static int
each_text(struct state *state, enum statement which, const char *argument, state_name_fn each, void *context,
    struct err *err)
{
	sqlite3_stmt *statement;
	int r;

	if ((r = query(state, which, &statement, err, argument ? "s" : "", argument)) < 0)
		return r;
	while ((r = step(state, statement, err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		r = each(text ? text : "", context);
		if (r)
			break;
	}
	done(statement);
	return r;
}

int
state_devices(struct state *state, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, DEVICES, NULL, each, context, err);
}

int
state_certificates(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, CERTIFICATES, device, each, context, err);
}

int
state_certificate_add(struct state *state, const char *device, const char *serial, int64_t now, struct err *err)
{
	return answer(change(state, CERTIFICATE_ADD, err, "ssi", device, serial, now), STATE_EXISTS);
}

int
state_certificate_remove(struct state *state, const char *device, const char *serial, struct err *err)
{
	return answer(change(state, CERTIFICATE_REMOVE, err, "ss", device, serial), STATE_NONE);
}

int
state_certificate(
    struct state *state, const char *device, const char *serial, int64_t *expires_at, struct err *err)
{
	sqlite3_stmt *statement;
	int r;

	if ((r = query(state, CERTIFICATE, &statement, err, "ss", device, serial)) < 0)
		return r;
	r = step(state, statement, err);
	if (r > 0)
		*expires_at = sqlite3_column_int64(statement, 0);
	done(statement);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_certificate_expires(
    struct state *state, const char *device, const char *serial, int64_t expires_at, struct err *err)
{
	return answer(change(state, CERTIFICATE_EXPIRES, err, "ssi", device, serial, expires_at), STATE_NONE);
}

int
state_expiry_count(
    struct state *state, int64_t now, int64_t until, struct state_expiry_counts *out, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	if ((r = query(state, EXPIRY_COUNT, &s, err, "ii", now, until)) < 0)
		return r;
	r = step(state, s, err);
	if (r > 0) {
		out->certificates = sqlite3_column_int64(s, 0);
		out->not_known = sqlite3_column_int64(s, 1);
		out->expired = sqlite3_column_int64(s, 2);
		out->expiring = sqlite3_column_int64(s, 3);
	}
	done(s);
	return r < 0 ? r : 0;
}

/* Calls @each for each row of @s, two texts and a number, until it returns other than 0. */
static int
each_row(struct state *state, sqlite3_stmt *s, int (*each)(const char *, const char *, int64_t, void *),
    void *context, struct err *err)
{
	int r;

	while ((r = step(state, s, err)) > 0) {
		r = each((const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1),
		    sqlite3_column_int64(s, 2), context);
		if (r)
			break;
	}
	done(s);
	return r;
}

int
state_expiry_first(
    struct state *state, int64_t now, int count, state_expiry_fn each, void *context, struct err *err)
{
	sqlite3_stmt *s;
	int r = query(state, EXPIRY_FIRST, &s, err, "ii", now, (int64_t)count);

	return r < 0 ? r : each_row(state, s, each, context, err);
}

int64_t
state_certificate_changes(const struct state *state)
{
	return state->certificates;
}

/* Makes room for one more element of @size bytes in *@array; NULL: no memory. */
static void *
grow(void *array, size_t count, size_t size)
{
	void *bigger = realloc(*(void **)array, (count + 1) * size);

	if (!bigger)
		return NULL;
	*(void **)array = bigger;
	return memset((char *)bigger + count * size, 0, size);
}

int
state_ecus(struct state *state, const char *device, struct ecu **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	sqlite3_stmt *s;
	int r;

	*count = 0;
	if ((r = query(state, ECUS, &s, err, "s", device)) < 0)
		return r;
	while ((r = step(state, s, err)) > 0) {
		struct ecu *ecu = grow(&ecus, *count, sizeof(*ecus));

		if (!ecu) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		copy_text(s, 0, ecu->serial, sizeof(ecu->serial));
		copy_text(s, 1, ecu->hardware, sizeof(ecu->hardware));
		copy_text(s, 2, ecu->key, sizeof(ecu->key));
		copy_text(s, 3, ecu->installed, sizeof(ecu->installed));
		copy_text(s, 4, ecu->installed_sha256, sizeof(ecu->installed_sha256));
		ecu->installed_at = sqlite3_column_int64(s, 5);
		(*count)++;
	}
	done(s);
	if (r == 0)
		*out = MOVE(ecus);
	return r;
}

int
state_ecu_put(struct state *state, const char *device, const struct ecu *ecu, int position, struct err *err)
{
	return answer(change(state, ECU_PUT, err, "ssiss", device, ecu->serial, (int64_t)position,
			  ecu->hardware, ecu->key),
	    0);
}

int
state_ecu_remove(struct state *state, const char *device, const char *serial, struct err *err)
{
	return answer(change(state, ECU_REMOVE, err, "ss", device, serial), STATE_NONE);
}

int
state_ecu_installed(struct state *state, const char *device, const struct ecu *ecu, struct err *err)
{
	return answer(change(state, ECU_INSTALLED, err, "ssssi", device, ecu->serial, ecu->installed,
			  ecu->installed_sha256, ecu->installed_at),
	    STATE_NONE);
}

int
state_assignments(
    struct state *state, const char *device, struct assignment **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct assignment *list = NULL;
	sqlite3_stmt *s;
	int r;

	*count = 0;
	if ((r = query(state, ASSIGNMENTS, &s, err, "s", device)) < 0)
		return r;
	while ((r = step(state, s, err)) > 0) {
		struct assignment *one = grow(&list, *count, sizeof(*list));

		if (!one) {
			r = err_set(err, ENOMEM, "%s: no memory", device);
			break;
		}
		copy_text(s, 0, one->ecu, sizeof(one->ecu));
		copy_text(s, 1, one->hardware, sizeof(one->hardware));
		copy_text(s, 2, one->target, sizeof(one->target));
		copy_text(s, 3, one->sha256, sizeof(one->sha256));
		one->length = sqlite3_column_int64(s, 4);
		copy_text(s, 5, one->format, sizeof(one->format));
		copy_text(s, 6, one->correlation, sizeof(one->correlation));
		one->created_at = sqlite3_column_int64(s, 7);
		(*count)++;
	}
	done(s);
	if (r == 0)
		*out = MOVE(list);
	return r;
}

int
state_assignment_add(struct state *state, const char *device, const struct assignment *a, struct err *err)
{
	return answer(change(state, ASSIGNMENT_ADD, err, "sssssissi", device, a->ecu, a->hardware, a->target,
			  a->sha256, a->length, a->format, a->correlation, a->created_at),
	    STATE_NONE);
}

int
state_assignment_close(struct state *state, const char *device, const char *ecu, struct err *err)
{
	return answer(change(state, ASSIGNMENT_CLOSE, err, "ss", device, ecu), STATE_NONE);
}

int
state_users(struct state *state, const char *target, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, USERS, target, each, context, err);
}

static int
each_need(struct state *state, enum statement which, state_need_fn each, void *context, struct err *err)
{
	sqlite3_stmt *s;
	int r = query(state, which, &s, err, "");

	return r < 0 ? r : each_row(state, s, each, context, err);
}

int
state_assigned(struct state *state, state_need_fn each, void *context, struct err *err)
{
	return each_need(state, ASSIGNED, each, context, err);
}

int
state_running(struct state *state, state_need_fn each, void *context, struct err *err)
{
	return each_need(state, RUNNING, each, context, err);
}

int64_t
state_needs(const struct state *state)
{
	return state->needs;
}

int
state_assigned_devices(
    struct state *state, const char *target, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, ASSIGNED_DEVICES, target, each, context, err);
}

int
state_report_put(struct state *state, const char *device, const char *kind, const char *body, size_t bytes,
    int64_t now, struct err *err)
{
	struct blob blob = { body, bytes };

	return answer(change(state, REPORT_PUT, err, "ssbi", device, kind, &blob, now), STATE_NONE);
}

int
state_report(struct state *state, const char *device, const char *kind, char **body, size_t *bytes,
    int64_t *received_at, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	if ((r = query(state, REPORT, &s, err, "ss", device, kind)) < 0)
		return r;
	r = step(state, s, err);
	if (r > 0) {
		*bytes = (size_t)sqlite3_column_bytes(s, 0);
		*body = malloc(*bytes + 1);
		if (*body) {
			if (*bytes)
				memcpy(*body, sqlite3_column_blob(s, 0), *bytes);
			(*body)[*bytes] = '\0';
		} else {
			r = err_set(err, ENOMEM, "%s: no memory", kind);
		}
		*received_at = sqlite3_column_int64(s, 1);
	}
	done(s);
	return r > 0 ? 0 : r < 0 ? r : STATE_NONE;
}

int
state_event_add(
    struct state *state, const char *device, const char *id, const char *body, int64_t now, struct err *err)
{
	return answer(change(state, EVENT_ADD, err, "sssi", device, id, body, now), STATE_EXISTS);
}

int
state_events(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, EVENTS, device, each, context, err);
}

int
state_event_last(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	return each_text(state, EVENT_LAST, device, each, context, err);
}

int
state_history_add(struct state *state, const char *device, const char *text, int64_t now, struct err *err)
{
	return answer(change(state, HISTORY_ADD, err, "sis", device, now, text), STATE_NONE);
}

int
state_history(struct state *state, const char *device, state_name_fn each, void *context, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	if ((r = query(state, HISTORY, &s, err, "s", device)) < 0)
		return r;
	while ((r = step(state, s, err)) > 0) {
		char line[UTC_TEXT_SIZE + ERR_TEXT_MAX + 512], time[UTC_TEXT_SIZE];

		utc_format(sqlite3_column_int64(s, 0), time);
		snprintf(line, sizeof(line), "%s %s", time, (const char *)sqlite3_column_text(s, 1));
		r = each(line, context);
		if (r)
			break;
	}
	done(s);
	return r;
}

int
state_count(struct state *state, int64_t now, struct state_counts *out, struct err *err)
{
	sqlite3_stmt *s;
	int r;

	if ((r = query(state, COUNT, &s, err, "i", now - 86400)) < 0)
		return r;
	r = step(state, s, err);
	if (r > 0) {
		out->devices = sqlite3_column_int64(s, 0);
		out->ecus = sqlite3_column_int64(s, 1);
		out->assignments = sqlite3_column_int64(s, 2);
		out->seen_last_day = sqlite3_column_int64(s, 3);
	}
	done(s);
	return r < 0 ? r : 0;
}
