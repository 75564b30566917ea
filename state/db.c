#include "state/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "lib/file.h"

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
	struct err trouble;      /* with the disk, last; code 0: none since a commit that wrote */
	int64_t trouble_changes; /* db_changes() then */
};

static bool
is_of_disk(int code)
{
	code &= 0xff; /* of an extended one */
	return code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_READONLY || code == SQLITE_CORRUPT;
}

static int
fail(struct db *db, const char *what, struct err *err)
{
	int code = sqlite3_errcode(db->sqlite);

	err_set(err, code == SQLITE_FULL ? ENOSPC : EIO, "database: %s: %s", what, sqlite3_errmsg(db->sqlite));
	if (is_of_disk(code)) {
		db->trouble = *err;
		db->trouble_changes = db_changes(db);
	}
	return -err->code;
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

/* -- a copy -- */

static int
copy_pages(struct db *db, struct db *to, struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->sqlite, "main", db->sqlite, "main");
	int step;

	if (!backup)
		return fail(to, "copy", err);
	step = sqlite3_backup_step(backup, -1);
	if (sqlite3_backup_finish(backup) != SQLITE_OK)
		return fail(to, "copy", err);
	/* Where the database was busy nothing is copied, and it is no failure to end so. */
	return step == SQLITE_DONE ? 0 : err_set(err, EBUSY, "database: copy: %s", sqlite3_errstr(step));
}

static int
write_copy(struct db *db, const char *path, struct err *err)
{
	AUTO(db_freep) struct db *to = NULL;
	int r;

	unlink(path); /* of an attempt before */
	if ((r = open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err)) < 0)
		return r;
	r = copy_pages(db, to, err);
	if (r < 0)
		unlink(path);
	return r;
}

int
db_copy_beside(struct db *db, const char *suffix, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s%s", sqlite3_db_filename(db->sqlite, "main"), suffix);
	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "%.64s...: name too long", path);
	if ((r = write_copy(db, fresh, err)) < 0)
		return err_context(err, r, "%s", fresh);
	if (rename(fresh, path) < 0)
		return err_sys(err, "%s", path);
	return file_sync_folder(AT_FDCWD, dirname(path), err);
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
		if (kept >= 0) {
			if (db->trouble.code && !db->depth && db_changes(db) > db->trouble_changes)
				db->trouble.code = 0;
			return r;
		}
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

const char *
db_trouble(const struct db *db)
{
	return db->trouble.code ? db->trouble.text : NULL;
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
