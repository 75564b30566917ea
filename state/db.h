/**
 * The database under the fleet's state. The only file that knows SQLite; a twin for PostgreSQL may come beside
 * it.
 *
 * A statement is a constant text in the part of SQL that both share, with parameters ?1, ?2, ... by number; it
 * is prepared at first use and kept, known by its address. Not for several threads at once.
 */
#ifndef STATE_DB_H
#define STATE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct db;
struct rows;

/** A parameter of bytes. */
struct db_blob {
	const char *data;
	size_t bytes;
};

/** Opens or creates the database at @path. A commit is on disk before db_end() returns (WAL, synchronous=FULL).
 */
int db_open(const char *path, struct db **out, struct err *err);
/** Opens another connection to a database that is open already, which only reads, and only what was committed.
 */
int db_open_reader(const char *path, struct db **out, struct err *err);
void db_free(struct db *db);

/** Writes what is committed to a file beside the database, its path and @suffix, in place of an older one; it
 * is on disk and whole when this returns 0. -ENOSPC: the disk is full. */
int db_copy_beside(struct db *db, const char *suffix, struct err *err);

/** Runs several statements without parameters: what a schema is made of. */
int db_script(struct db *db, const char *text, struct err *err);

/**
 * A transaction around several calls; db_end() keeps it when @r >= 0, else takes it back, and returns @r or its
 * own failure. They nest: what is within another transaction is on disk with the outermost one, and can be
 * taken back alone.
 */
int db_begin(struct db *db, struct err *err);
int db_end(struct db *db, int r, struct err *err);
/** The same for what may be lost with the power: its commit does not wait for the disk, the next one that does
 * has it too. Within another transaction it is a part of that. */
int db_begin_behind(struct db *db, struct err *err);

/** What the disk had against the database, of which nothing could be written since; NULL: nothing. */
const char *db_trouble(const struct db *db);

/** How many transactions were taken back, nested ones too: what was remembered of the database may be wrong
 * then. */
int64_t db_rollbacks(const struct db *db);

/** How many rows this connection has changed, also those that were taken back. */
int64_t db_changes(const struct db *db);

/** Runs a statement that gives no rows. @format has a letter for each parameter: 's' text (const char *), 'i'
 * int64_t, 'b' const struct db_blob *. Returns how many rows it changed, or -errno; -ENOSPC: the disk is full.
 */
int db_change(struct db *db, const char *sql, struct err *err, const char *format, ...);

/** Starts a statement that gives rows, to be ended by db_done(); texts and blobs of @... live until then. */
int db_query(struct db *db, const char *sql, struct rows **out, struct err *err, const char *format, ...);
/** 1: there is a next row, 0: no more, or -errno. */
int db_next(struct rows *rows, struct err *err);
void db_done(struct rows *rows);

/** Columns of the row, counted from 0. Texts and bytes are borrowed until the next row; a missing text is "".
 */
const char *db_text(struct rows *rows, int column);
int64_t db_number(struct rows *rows, int column);
const char *db_bytes(struct rows *rows, int column, size_t *bytes);
/** Copies a text into @room bytes. */
void db_copy(struct rows *rows, int column, char *out, size_t room);

#endif
