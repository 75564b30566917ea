/* The database itself: transactions, and what outlives a restart. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "state/certificate.h"
#include "state/db.h"
#include "state/device.h"
#include "state/history.h"
#include "state/seen.h"
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
keeps_everything_across_restarts(void **unused)
{
	struct state *state = opened();
	struct device device;
	struct err err = { 0 };
	int64_t epoch, raised_at;
	char basis[STATE_BASIS_SIZE];

	(void)unused;
	assert_int_equal(state_device_add(state, "car7", 5, &err), 0);
	assert_int_equal(state_device_add(state, "car7", 6, &err), STATE_EXISTS);
	assert_int_equal(state_device_bump(state, "car7", 7, &err), 0);
	assert_int_equal(state_device_bump(state, "car8", 7, &err), STATE_NONE);
	assert_int_equal(state_raise_epoch(state, 3, 99, "b", &err), 0);
	state_free(state);
	state = opened();
	assert_int_equal(state_device(state, "car7", &device, &err), 0);
	assert_int_equal(device.counter, 2);
	assert_int_equal(device.created_at, 5);
	assert_int_equal(device.changed_at, 7);
	assert_int_equal(state_epoch(state, &epoch, &raised_at, &err), 0);
	assert_int_equal(epoch, 3);
	assert_int_equal(raised_at, 99);
	assert_int_equal(state_basis(state, basis, &err), 0);
	assert_string_equal(basis, "b");
	state_free(state);
}

/* It is kept in memory between its changes. */
static void
takes_the_epoch_back_with_its_transaction(void **unused)
{
	struct state *state = opened();
	int64_t epoch, raised_at, before;
	struct err err = { 0 };

	(void)unused;
	assert_int_equal(state_epoch(state, &before, &raised_at, &err), 0);
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_raise_epoch(state, 3, 99, "b", &err), 0);
	assert_int_equal(state_epoch(state, &epoch, &raised_at, &err), 0);
	assert_int_equal(epoch, before + 3);
	assert_int_equal(raised_at, 99);
	assert_int_equal(state_end(state, -EIO, &err), -EIO);
	assert_int_equal(state_epoch(state, &epoch, &raised_at, &err), 0);
	assert_int_equal(epoch, before);
	assert_int_equal(state_raise_epoch(state, 1, 100, "b", &err), 0);
	assert_int_equal(state_epoch(state, &epoch, &raised_at, &err), 0);
	assert_int_equal(epoch, before + 1);
	state_free(state);
}

/* Found by his number he is remembered, for who asks by name next. */
static void
finds_nobody_as_he_was(void **unused)
{
	struct state *state = opened();
	char id[NAME_DEVICE_MAX + 1], serial[NAME_SERIAL_MAX + 1];
	struct certificate_row row;
	struct device car7;
	struct err err = { 0 };

	(void)unused;
	assert_int_equal(state_device_add(state, "car7", 1, &err), 0);
	assert_int_equal(state_certificate_add(state, "car7", "0A", 1, &err), 0);
	assert_int_equal(state_certificate_row(state, "car7", "0A", &row, &err), 0);
	assert_int_equal(state_certificate_numbered(state, row.number, id, serial, &err), 0);
	assert_int_equal(state_speaker(state, "car7", "0A", &car7, &row, &err), 0);
	assert_string_equal(car7.why, "");
	/* What is noted, written, taken back, and gone. */
	assert_int_equal(state_device_seen(state, "car7", 77, &err), 0);
	assert_int_equal(state_speaker(state, "car7", "0A", &car7, &row, &err), 0);
	assert_int_equal(car7.seen_at, 77);
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_why(state, "car7", "no", 2, &err), 0);
	assert_int_equal(state_certificate_numbered(state, row.number, id, serial, &err), 0);
	assert_int_equal(state_speaker(state, "car7", "0A", &car7, &row, &err), 0);
	assert_string_equal(car7.why, "no");
	assert_int_equal(state_end(state, -EIO, &err), -EIO);
	assert_int_equal(state_speaker(state, "car7", "0A", &car7, &row, &err), 0);
	assert_string_equal(car7.why, "");
	assert_int_equal(state_certificate_numbered(state, row.number, id, serial, &err), 0);
	assert_int_equal(state_certificate_remove(state, "car7", "0A", &err), 0);
	assert_int_equal(state_speaker(state, "car7", "0A", &car7, &row, &err), STATE_NONE);
	assert_int_equal(state_certificate_numbered(state, row.number, id, serial, &err), STATE_NONE);
	state_free(state);
}

static void
takes_a_transaction_back_as_a_whole(void **unused)
{
	struct state *state = opened();
	struct device device;
	struct err err = { 0 };

	(void)unused;
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "car7", 1, &err), 0);
	assert_int_equal(
	    state_happened(state,
		&(struct happening){ .device = "car7", .at = 1, .who = "otafs", .what = "x", .text = "x" },
		&err),
	    0);
	assert_int_equal(state_end(state, -EINVAL, &err), -EINVAL);
	assert_int_equal(state_device(state, "car7", &device, &err), STATE_NONE);
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "car7", 1, &err), 0);
	assert_int_equal(state_end(state, 0, &err), 0);
	assert_int_equal(state_device(state, "car7", &device, &err), 0);
	state_free(state);
}

static void
takes_back_an_inner_transaction_alone(void **unused)
{
	struct state *state = opened();
	struct device device;
	struct err err = { 0 };

	(void)unused;
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "car7", 1, &err), 0);
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "car8", 1, &err), 0);
	assert_int_equal(state_end(state, -EINVAL, &err), -EINVAL);
	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "car9", 1, &err), 0);
	assert_int_equal(state_end(state, 0, &err), 0);
	assert_int_equal(state_end(state, 0, &err), 0);
	state_free(state);
	state = opened();
	assert_int_equal(state_device(state, "car7", &device, &err), 0);
	assert_int_equal(state_device(state, "car8", &device, &err), STATE_NONE);
	assert_int_equal(state_device(state, "car9", &device, &err), 0);
	state_free(state);
}

/* "DEVICE SERIAL TIME;" of each. */
static int
note_expiry(const char *device, const char *serial, int64_t expires_at, void *context)
{
	char *text = context;

	snprintf(text + strlen(text), 100, "%s %s %lld;", device, serial, (long long)expires_at);
	return 0;
}

static void
knows_which_certificates_expire_next(void **unused)
{
	struct state_expiry_counts counts = { 0 };
	struct state *state = opened();
	struct err err = { 0 };
	int64_t at = -1, changes = state_certificate_changes(state);
	char text[500] = "";

	(void)unused;
	for (int i = 0; i < 5; i++) {
		char id[8] = { 'c', (char)('0' + i), 0 };

		assert_int_equal(state_device_add(state, id, 1, &err), 0);
		assert_int_equal(state_certificate_add(state, id, "AB", 1, &err), 0);
	}
	assert_int_equal(state_certificate(state, "c1", "AB", &at, &err), 0);
	assert_int_equal(at, 0);
	assert_int_equal(state_certificate_expires(state, "c1", "AB", 300, &err), 0);
	assert_int_equal(state_certificate_expires(state, "c2", "AB", 200, &err), 0);
	assert_int_equal(state_certificate_expires(state, "c3", "AB", 100, &err), 0);
	assert_int_equal(state_certificate_expires(state, "c3", "CD", 100, &err), STATE_NONE);
	assert_int_equal(state_certificate(state, "c1", "AB", &at, &err), 0);
	assert_int_equal(at, 300);
	assert_true(state_certificate_changes(state) > changes);
	changes = state_certificate_changes(state);
	assert_int_equal(state_expiry_count(state, 100, 200, &counts, &err), 0);
	assert_int_equal(counts.certificates, 5);
	assert_int_equal(counts.not_known, 2);
	assert_int_equal(counts.expired, 1);
	assert_int_equal(counts.expiring, 1);
	assert_int_equal(state_expiry_first(state, 100, 10, note_expiry, text, &err), 0);
	assert_string_equal(text, "c2 AB 200;c1 AB 300;");
	*text = '\0';
	assert_int_equal(state_expiry_first(state, 0, 1, note_expiry, text, &err), 0);
	assert_string_equal(text, "c3 AB 100;");
	assert_int_equal(state_certificate_changes(state), changes);
	assert_int_equal(state_device_remove(state, "c2", &err), 0);
	assert_true(state_certificate_changes(state) > changes);
	assert_int_equal(state_expiry_count(state, 100, 200, &counts, &err), 0);
	assert_int_equal(counts.expiring, 0);
	state_free(state);
}

/* What the kernel remembers by a number is of nobody else, ever. */
static void
gives_a_number_once(void **unused)
{
	struct device device = { 0 };
	struct certificate_row certificate = { 0 };
	struct state *state = opened();
	struct err err = { 0 };
	int64_t last = 0;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(state_device_add(state, "car7", 10, &err), 0);
		assert_int_equal(state_device_add(state, "car7", 10, &err), STATE_EXISTS);
		assert_int_equal(state_device(state, "car7", &device, &err), 0);
		assert_true(device.number > last);
		assert_int_equal(state_certificate_add(state, "car7", "0A", 10, &err), 0);
		assert_int_equal(state_certificate_row(state, "car7", "0A", &certificate, &err), 0);
		assert_true(certificate.number > device.number);
		last = certificate.number;
		assert_int_equal(state_device_remove(state, "car7", &err), 0);
	}
	state_free(state);
	execute("UPDATE fleet SET numbers = 1073741823");
	state = opened();
	assert_int_equal(state_device_add(state, "car7", 10, &err), -EOVERFLOW);
	assert_reason(err, "the end of numbers");
	assert_int_equal(state_device(state, "car7", &device, &err), STATE_NONE);
	state_free(state);
}

static void
names_a_file_that_is_no_database(void **unused)
{
	struct err err = { 0 };
	struct state *state;
	FILE *file = fopen(path, "w");

	(void)unused;
	for (int i = 0; i < 1000; i++)
		fputs("no database ", file);
	fclose(file);
	assert_int_equal(state_open(path, &state, &err), -EIO);
	assert_reason(err, "file is not a database");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int
add_a_page(struct db *db, struct err *err)
{
	static const char sql[] = "INSERT INTO large(bytes) VALUES(zeroblob(4096))";
	int r = db_begin(db, err);

	return r < 0 ? r : db_end(db, db_change(db, sql, err, ""), err);
}

static void
tells_of_a_full_disk_until_it_takes_something(void **unused)
{
	struct err err = { 0 };
	struct db *db;
	int r = 0;

	(void)unused;
	assert_int_equal(db_open(path, &db, &err), 0);
	assert_int_equal(db_script(db, "CREATE TABLE large(bytes); PRAGMA max_page_count=20", &err), 0);
	assert_null(db_trouble(db));
	for (int i = 0; r >= 0 && i < 40; i++)
		r = add_a_page(db, &err);
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(db_trouble(db), "is full"));
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_end(db, 0, &err), 0);
	assert_non_null(db_trouble(db)); /* nothing was written */
	assert_int_equal(db_script(db, "PRAGMA max_page_count=1000", &err), 0);
	assert_return_code(add_a_page(db, &err), 0);
	assert_null(db_trouble(db));
	db_free(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_everything_across_restarts),
		TEST(takes_the_epoch_back_with_its_transaction),
		TEST(gives_a_number_once),
		TEST(finds_nobody_as_he_was),
		TEST(takes_a_transaction_back_as_a_whole),
		TEST(takes_back_an_inner_transaction_alone),
		TEST(knows_which_certificates_expire_next),
		TEST(names_a_file_that_is_no_database),
		TEST(tells_of_a_full_disk_until_it_takes_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
