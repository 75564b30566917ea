/* The schema: what older releases left comes forward, with a copy kept; what a newer one left is refused. */
#include "tests/unit/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "state/assignment.h"
#include "state/certificate.h"
#include "state/device.h"
#include "state/order.h"
#include "state/state.h"
#include "tests/unit/fault.h"

static char path[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/state.db");
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

static struct state *
opened(void)
{
	struct err err = { 0 };
	struct state *state;

	if (state_open(path, &state, &err) < 0)
		fail_msg("%s", err.text);
	return state;
}

/* What an older or newer otafs may have left. */
static void
execute(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
refuses_a_newer_schema_and_touches_nothing(void **unused)
{
	struct err err = { 0 };
	struct state *state = opened();
	int fds;

	(void)unused;
	state_free(state);
	execute("INSERT INTO schema (version) VALUES (1000)");
	fds = fault_open_fds();
	assert_int_equal(state_open(path, &state, &err), -ENOTSUP);
	assert_reason(err, "has schema 1000, this otafs knows up to ");
	assert_reason(err, "install the newer otafs again, or go back to the copy .schema-");
	assert_reason(err, path);
	assert_int_equal(fault_open_fds(), fds);
}

/* A database of the release before. */
static void
load(const char *name)
{
	AUTO(fclose_p) FILE *file = fopen(name, "r");
	char text[16384] = "";

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_true(feof(file));
	execute(text);
}

static void
is_status(struct state *state, const char *id, const char *status)
{
	struct device device;
	struct err err = { 0 };

	assert_int_equal(state_device(state, id, &device, &err), 0);
	assert_string_equal(device.status, status);
}

/* Devices first, certificates on their own: each table counts from 1. */
static void
are_numbered(struct state *state)
{
	char id[NAME_DEVICE_MAX + 1], serial[NAME_SERIAL_MAX + 1];
	struct device device;
	struct err err = { 0 };

	for (int i = 1; i <= 5; i++) {
		assert_int_equal(state_device_numbered(state, i, id, &err), 0);
		assert_int_equal(state_device(state, id, &device, &err), 0);
		assert_int_equal(device.number, i);
	}
	assert_int_equal(state_device_numbered(state, 6, id, &err), STATE_NONE);
	assert_int_equal(state_device_add(state, "new", 10, &err), 0);
	assert_int_equal(state_certificate_add(state, "new", "0A", 10, &err), 0);
	assert_int_equal(state_device(state, "new", &device, &err), 0);
	assert_int_equal(state_certificate_numbered(state, device.number + 1, id, serial, &err), 0);
	assert_string_equal(id, "new");
	assert_string_equal(serial, "0A");
}

static void
takes_over_the_database_of_the_release_before(void **unused)
{
	struct assignment *open;
	struct state *state;
	struct err err = { 0 };
	size_t count;

	(void)unused;
	load("tests/vectors/state-7.sql");
	state = opened();
	is_status(state, "never", "NotSeen");
	is_status(state, "unregistered", "NotRegistered");
	is_status(state, "pending", "InFlight"); /* the device may have read of it */
	is_status(state, "failed", "Error");
	is_status(state, "fine", "UpToDate");
	assert_int_equal(state_assignments(state, "pending", &open, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(open[0].in_flight_at, 8);
	free(open);
	are_numbered(state);
	state_free(state);
}

static int
count_receipt(const char *device, enum receipt_result result, const char *text, void *count)
{
	(void)device;
	(void)result;
	(void)text;
	++*(int *)count;
	return 0;
}

/* Who had not had his part yet is in no receipt, and no device is asked for it again. */
static void
ends_an_order_of_the_release_before(void **unused)
{
	struct group_order order;
	struct device device;
	struct state *state;
	struct err err = { 0 };
	int receipts = 0;

	(void)unused;
	load("tests/vectors/state-9.sql");
	state = opened();
	is_status(state, "pending", "UpdatePending");
	assert_int_equal(state_order_open(state, "eu", &order, &err), STATE_NONE);
	assert_int_equal(state_order_last(state, "us", &order, &err), STATE_NONE);
	assert_int_equal(state_order_last(state, "as", &order, &err), 0);
	assert_int_equal(order.phase, ORDER_FINISHED);
	assert_int_equal(state_order_last(state, "eu", &order, &err), 0);
	assert_int_equal(order.phase, ORDER_STOPPED);
	assert_true(order.finished_at == 0 && order.taken == 1 && order.refused == 1);
	assert_int_equal(state_receipts(state, order.number, "", 10, count_receipt, &receipts, &err), 0);
	assert_int_equal(receipts, 2);
	assert_int_equal(state_order_add(state, &order, &err), 0);
	assert_int_equal(order.number, 5);
	assert_int_equal(state_device(state, "fine", &device, &err), 0);
	assert_true(device.ordered < order.number);
	state_free(state);
}

/* What each step brought, taken away again: the two vectors are of steps 7 and 9. */
static const char *const undo[] = {
	[2] = "ALTER TABLE fleet DROP COLUMN basis",
	[3] = "ALTER TABLE device DROP COLUMN failure",
	[4] = "DROP INDEX event_number",
	[5] = "DROP INDEX ecu_running",
	[6] = "DROP INDEX assignment_file",
	[7] = "DROP INDEX certificate_expiry; ALTER TABLE certificate DROP COLUMN expires_at",
	[9] = "DROP INDEX certificate_end; ALTER TABLE certificate DROP COLUMN used_at;"
	      "ALTER TABLE certificate DROP COLUMN ends_at; ALTER TABLE certificate DROP COLUMN source;"
	      "DROP TABLE token; DROP TABLE blocked; DROP TABLE revoked; DROP TABLE administrator;"
	      "DROP TABLE access_token",
};

/* A database as otafs left it with @step of the schema. */
static void
load_step(int step)
{
	int at = step <= 7 ? 7 : 9;
	char text[64];

	unlink(path);
	load(at == 7 ? "tests/vectors/state-7.sql" : "tests/vectors/state-9.sql");
	for (; at > step; at--) {
		execute(undo[at]);
		snprintf(text, sizeof(text), "DELETE FROM schema WHERE version = %d", at);
		execute(text);
	}
}

/* The first field of the first row of @sql, to be freed. */
static char *
ask(const char *file, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	char *text;

	assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	text = strdup((const char *)sqlite3_column_text(statement, 0) ?: "");
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return text;
}

/* All tables with their columns, and all indexes. */
static char *
shape(void)
{
	return ask(path,
	    "SELECT group_concat(x, char(10)) FROM (SELECT m.type || ' ' || m.name || ' ' ||"
	    " COALESCE(p.name || ' ' || p.type || p.[notnull] || COALESCE(p.dflt_value, ''), m.sql, '')"
	    " AS x FROM sqlite_master AS m LEFT JOIN pragma_table_info(m.name) AS p ON m.type = 'table'"
	    " ORDER BY x)");
}

static void
comes_forward_from_every_schema(void **unused)
{
	AUTO(free_p) char *whole = NULL, *newest = NULL;

	(void)unused;
	state_free(opened());
	whole = shape();
	newest = ask(path, "SELECT MAX(version) FROM schema");
	for (int step = 1; step < atoi(newest); step++) {
		AUTO(free_p) char *found = NULL;
		struct state *state;

		load_step(step);
		state = opened();
		is_status(state, "pending", step <= 7 ? "InFlight" : "UpdatePending");
		is_status(state, "fine", "UpToDate");
		state_free(state);
		found = shape();
		assert_string_equal(found, whole);
	}
}

static void
keeps_a_copy_of_what_was_before_an_upgrade(void **unused)
{
	AUTO(free_p) char *version = NULL, *failure = NULL;
	char copy[128];
	struct stat st;

	(void)unused;
	load_step(3);
	state_free(opened());
	snprintf(copy, sizeof(copy), "%s.schema-3", path);
	version = ask(copy, "SELECT MAX(version) FROM schema");
	assert_string_equal(version, "3");
	failure = ask(copy, "SELECT failure FROM device WHERE id = 'failed'");
	assert_string_equal(failure, "it broke");
	/* Once: there is nothing to go back to after that. */
	unlink(copy);
	state_free(opened());
	assert_int_equal(stat(copy, &st), -1);
}

static void
upgrades_nothing_without_a_copy(void **unused)
{
	AUTO(free_p) char *version = NULL;
	struct err err = { 0 };
	struct state *state;
	char copy[128];

	(void)unused;
	load_step(7);
	snprintf(copy, sizeof(copy), "%s.schema-7", path);
	assert_int_equal(mkdir(copy, 0700), 0);
	assert_true(state_open(path, &state, &err) < 0);
	assert_reason(err, "copy before the upgrade from schema 7");
	version = ask(path, "SELECT MAX(version) FROM schema");
	assert_string_equal(version, "7");
}

static bool is_busy;

int
sqlite3_backup_step(sqlite3_backup *backup, int pages)
{
	int (*step)(sqlite3_backup *, int) = NULL;

	*(void **)(void *)&step = dlsym(RTLD_NEXT, "sqlite3_backup_step");
	return is_busy ? SQLITE_BUSY : step(backup, pages);
}

/* SQLite ends a copy that has not begun as if it were whole. */
static void
takes_no_copy_for_whole_that_found_the_database_busy(void **unused)
{
	AUTO(free_p) char *version = NULL;
	struct err err = { 0 };
	struct state *state;

	(void)unused;
	load_step(7);
	is_busy = true;
	assert_int_equal(state_open(path, &state, &err), -EBUSY);
	is_busy = false;
	assert_reason(err, "copy before the upgrade from schema 7");
	version = ask(path, "SELECT MAX(version) FROM schema");
	assert_string_equal(version, "7");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_a_newer_schema_and_touches_nothing),
		TEST(takes_over_the_database_of_the_release_before),
		TEST(ends_an_order_of_the_release_before),
		TEST(comes_forward_from_every_schema),
		TEST(keeps_a_copy_of_what_was_before_an_upgrade),
		TEST(upgrades_nothing_without_a_copy),
		TEST(takes_no_copy_for_whole_that_found_the_database_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
