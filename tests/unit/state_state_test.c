/* The database itself: its schema, transactions, and what outlives a restart. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "state/assignment.h"
#include "state/certificate.h"
#include "state/device.h"
#include "state/history.h"
#include "state/order.h"
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
		TEST(refuses_a_newer_schema_and_touches_nothing),
		TEST(takes_over_the_database_of_the_release_before),
		TEST(ends_an_order_of_the_release_before),
		TEST(names_a_file_that_is_no_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
