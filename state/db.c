#include "state/db.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/cleanup.h"

/** Statements are found by a hash of their address; there are some hundred. */
#define BUCKETS 64
/** Of the database's pages, in KiB, for who writes: of a million devices each lookup needs some that the 2 MiB
 * of SQLite's own default have no room for. */
#define CACHE_KIB "8192"
/** Another connection is in the way for moments only. */
#define BUSY_MS 5000

struct rows {
	struct db *db;
	const char *sql;
	sqlite3_stmt *statement;
	bool is_open; /* between db_query() and db_done() */
	struct rows *next;
};

struct db {
	sqlite3 *sqlite;
	struct rows *statements[BUCKETS];
	int depth;          /* of transactions */
	bool may_be_behind; /* the outermost need not wait for the disk */
	bool is_behind;     /* that is how SQLite commits now */
	int64_t rollbacks;
};

static int
fail(const struct db *db, const char *what, struct err *err)
{
	int full = sqlite3_errcode(db->sqlite) == SQLITE_FULL;

	return err_set(err, full ? ENOSPC : EIO, "database: %s: %s", what, sqlite3_errmsg(db->sqlite));
}

/* -- opening -- */

static void
db_freep(struct db **db)
{
	db_free(*db);
}

static int
open_as(const char *path, int flags, struct db **out, struct err *err)
{
	AUTO(db_freep) struct db *db = calloc(1, sizeof(*db));

	if (!db)
		return err_set(err, ENOMEM, "no memory for the state");
	/* Before the first is opened: each malloc would take a lock to be counted, and nobody asks for that. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open_v2(path, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return err_set(err, EIO, "%s: %s", path, sqlite3_errmsg(db->sqlite));
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	*out = MOVE(db);
	return 0;
}

int
db_open(const char *path, struct db **out, struct err *err)
{
	AUTO(db_freep) struct db *db = NULL;
	int r;

	if ((r = open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, err)) < 0 ||
	    (r = db_script(db, "PRAGMA journal_mode=WAL", err)) < 0 ||
	    (r = db_script(db, "PRAGMA synchronous=FULL", err)) < 0 ||
	    (r = db_script(db, "PRAGMA cache_size=-" CACHE_KIB, err)) < 0)
		return r;
	*out = MOVE(db);
	return 0;
}

int
db_open_reader(const char *path, struct db **out, struct err *err)
{
	return open_as(path, SQLITE_OPEN_READONLY, out, err);
}

void
db_free(struct db *db)
{
	struct rows *next;

	if (!db)
		return;
	for (int i = 0; i < BUCKETS; i++)
		for (struct rows *rows = db->statements[i]; rows; rows = next) {
			next = rows->next;
			sqlite3_finalize(rows->statement);
			free(rows);
		}
	sqlite3_close(db->sqlite);
	free(db);
}

int
db_script(struct db *db, const char *text, struct err *err)
{
	return sqlite3_exec(db->sqlite, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, text, err);
}

/* -- statements -- */

static int
find(struct db *db, const char *sql, struct rows **out, struct err *err)
{
	struct rows **bucket = &db->statements[((uintptr_t)sql >> 4) % BUCKETS], *rows;

	for (rows = *bucket; rows; rows = rows->next)
		if (rows->sql == sql) {
			*out = rows;
			return 0;
		}
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return err_set(err, ENOMEM, "database: no memory for a statement");
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &rows->statement, NULL) !=
	    SQLITE_OK) {
		free(rows);
		return fail(db, sql, err);
	}
	rows->db = db;
	rows->sql = sql;
	rows->next = *bucket;
	*bucket = *out = rows;
	return 0;
}

static int
bind(struct rows *rows, const char *format, va_list args)
{
	int r = SQLITE_OK;

	for (int i = 1; *format && r == SQLITE_OK; i++, format++) {
		if (*format == 's') {
			r = sqlite3_bind_text(
			    rows->statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
		} else if (*format == 'i') {
			r = sqlite3_bind_int64(rows->statement, i, va_arg(args, int64_t));
		} else {
			const struct db_blob *blob = va_arg(args, const struct db_blob *);

			r = sqlite3_bind_blob64(rows->statement, i, blob->data, blob->bytes, SQLITE_STATIC);
		}
	}
	return r;
}

/* Not to be set within a transaction. */
static int
set_behind(struct db *db, bool is_behind, struct err *err)
{
	int r = db_script(db, is_behind ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", err);

	if (r == 0)
		db->is_behind = is_behind;
	return r;
}

static int
start(struct db *db, const char *sql, struct rows **out, struct err *err, const char *format, va_list args)
{
	int r = find(db, sql, out, err);

	/* A commit that has to wait never does not, whatever went wrong after the last one that had not to. */
	if (r == 0 && db->is_behind && !db->may_be_behind)
		r = set_behind(db, false, err);
	if (r < 0)
		return r;
	assert(!(*out)->is_open); /* a statement within itself would lose its place */
	if (bind(*out, format, args) != SQLITE_OK)
		return fail(db, sql, err);
	(*out)->is_open = true;
	return 0;
}

int
db_query(struct db *db, const char *sql, struct rows **out, struct err *err, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = start(db, sql, out, err, format, args);
	va_end(args);
	return r;
}

int
db_change(struct db *db, const char *sql, struct err *err, const char *format, ...)
{
	struct rows *rows;
	va_list args;
	int r;

	va_start(args, format);
	r = start(db, sql, &rows, err, format, args);
	va_end(args);
	if (r < 0)
		return r;
	r = sqlite3_step(rows->statement) == SQLITE_DONE ? sqlite3_changes(db->sqlite) : fail(db, sql, err);
	db_done(rows);
	return r;
}

int
db_next(struct rows *rows, struct err *err)
{
	int r = sqlite3_step(rows->statement);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : fail(rows->db, rows->sql, err);
}

void
db_done(struct rows *rows)
{
	sqlite3_reset(rows->statement);
	sqlite3_clear_bindings(rows->statement);
	rows->is_open = false;
}

/* -- columns -- */

const char *
db_text(struct rows *rows, int column)
{
	const char *text = (const char *)sqlite3_column_text(rows->statement, column);

	return text ? text : "";
}

int64_t
db_number(struct rows *rows, int column)
{
	return sqlite3_column_int64(rows->statement, column);
}

const char *
db_bytes(struct rows *rows, int column, size_t *bytes)
{
	const char *data = sqlite3_column_blob(rows->statement, column);

	*bytes = (size_t)sqlite3_column_bytes(rows->statement, column);
	return data;
}

void
db_copy(struct rows *rows, int column, char *out, size_t room)
{
	const char *text = db_text(rows, column);
	size_t bytes = (size_t)sqlite3_column_bytes(rows->statement, column),
	       n = bytes < room ? bytes : room - 1;

	memcpy(out, text, n);
	out[n] = '\0';
}

/* -- transactions -- */

static const char BEGIN[] = "BEGIN IMMEDIATE";
static const char COMMIT[] = "COMMIT";
static const char ROLLBACK[] = "ROLLBACK";
/* The name means the innermost one. */
static const char SAVEPOINT[] = "SAVEPOINT nested";
static const char RELEASE[] = "RELEASE SAVEPOINT nested";
static const char ROLLBACK_TO[] = "ROLLBACK TO SAVEPOINT nested";

int
db_begin(struct db *db, struct err *err)
{
	int r;

	/* A full disk, for one, takes all of it back at once: what is nested must not begin another. */
	if (db->depth && sqlite3_get_autocommit(db->sqlite))
		return err_set(err, EIO, "database: the transaction was taken back");
	if ((r = db_change(db, db->depth ? SAVEPOINT : BEGIN, err, "")) < 0)
		return r;
	db->depth++;
	return 0;
}

int
db_begin_behind(struct db *db, struct err *err)
{
	int r;

	if (db->depth)
		return db_begin(db, err);
	if ((r = set_behind(db, true, err)) < 0)
		return r;
	db->may_be_behind = true;
	if ((r = db_begin(db, err)) < 0)
		db->may_be_behind = false;
	return r;
}

static void
take_back(struct db *db)
{
	struct err ignored;

	db->rollbacks++;
	if (db->depth == 0) {
		db_change(db, ROLLBACK, &ignored, "");
	} else {
		db_change(db, ROLLBACK_TO, &ignored, "");
		db_change(db, RELEASE, &ignored, "");
	}
}

static int
end(struct db *db, int r, struct err *err)
{
	int kept;

	if (r >= 0) {
		kept = db_change(db, db->depth ? RELEASE : COMMIT, err, "");
		if (kept >= 0)
			return r;
		r = kept;
	}
	take_back(db);
	return r;
}

int
db_end(struct db *db, int r, struct err *err)
{
	assert(db->depth > 0);
	db->depth--;
	r = end(db, r, err);
	if (db->depth == 0)
		db->may_be_behind = false;
	return r;
}

int64_t
db_rollbacks(const struct db *db)
{
	return db->rollbacks;
}

int64_t
db_changes(const struct db *db)
{
	return sqlite3_total_changes64(db->sqlite);
}
