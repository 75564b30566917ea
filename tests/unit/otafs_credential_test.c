/* How certificates of a device follow one another and go. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/credential.h"
#include "otafs/device.h"
#include "otafs/node.h"
#include "state/revoked.h"
#include "tests/unit/fixture.h"

#define DAY 86400
#define END INT64_C(4102444800)

static void
add(struct fixture *f, const char *serial, const char *source)
{
	const struct credential credential = { "car7", serial, END, source };
	struct err err = { 0 };

	assert_int_equal(credential_add(&f->core, &credential, "made for a test", "test", &err), 0);
}

static struct certificate_row
row_of(struct fixture *f, const char *serial)
{
	struct certificate_row row = { 0 };
	struct err err = { 0 };

	assert_int_equal(state_certificate_row(f->core.state, "car7", serial, &row, &err), 0);
	return row;
}

static void
use(struct fixture *f, const char *serial, int64_t now)
{
	const struct certificate_row row = row_of(f, serial);
	struct err err = { 0 };

	assert_int_equal(credential_use(&f->core, "car7", serial, &row, now, &err), 0);
}

static bool
is_there(struct fixture *f, const char *serial)
{
	struct certificate_row row;
	struct err err = { 0 };
	int r = state_certificate_row(f->core.state, "car7", serial, &row, &err);

	assert_true(r >= 0);
	return r == 0;
}

static int
set_overlap(void **state)
{
	int r = fixture_setup(state);

	((struct fixture *)*state)->config.certificate_overlap_days = 7;
	return r;
}

static void
a_newer_one_takes_the_place_of_the_old_after_its_first_use(void **state)
{
	struct fixture *f = *state;
	int64_t now = utc_now();

	add(f, "0A", CREDENTIAL_REQUEST);
	add(f, "0B", CREDENTIAL_RENEWAL);
	use(f, "0A", now);
	/* It asked for the next one in the same second as it came, and not the other way round. */
	assert_int_equal(row_of(f, "0B").ends_at, 0);
	assert_int_equal(row_of(f, "0A").ends_at, 0);
	use(f, "0B", now + 5);
	assert_int_equal(row_of(f, "0B").used_at, now + 5);
	assert_int_equal(row_of(f, "0B").ends_at, 0);
	assert_int_equal(row_of(f, "0A").ends_at, now + 5 + 7 * DAY);
	fixture_reopen(f);
	credential_run(&f->core, now + 4 + 7 * DAY);
	assert_true(is_there(f, "0A"));
	credential_run(&f->core, now + 5 + 7 * DAY);
	assert_false(is_there(f, "0A"));
	assert_true(is_there(f, "0B"));
	assert_int_equal(fixture_told(f, "certificate 0B made for a test, expires at 2100-01-01T00:00:00Z"), 1);
	assert_int_equal(fixture_told(f, ": 0B is in use"), 1);
	assert_int_equal(fixture_told(f, "certificate 0A ended: a newer one has taken its place"), 1);
}

static void
only_the_first_use_counts(void **state)
{
	struct fixture *f = *state;
	int64_t now = utc_now();

	add(f, "0A", CREDENTIAL_REQUEST);
	use(f, "0A", now);
	add(f, "0B", CREDENTIAL_RENEWAL);
	use(f, "0B", now);
	use(f, "0B", now + DAY);
	/* The next one does not let the first one live longer. */
	add(f, "0C", CREDENTIAL_RENEWAL);
	use(f, "0C", now + DAY);
	assert_int_equal(row_of(f, "0B").used_at, now);
	assert_int_equal(row_of(f, "0A").ends_at, now + 7 * DAY);
	assert_int_equal(row_of(f, "0B").ends_at, now + 8 * DAY);
	assert_int_equal(fixture_told(f, "is in use"), 2);
}

static void
the_last_one_does_not_end_by_itself(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t now = utc_now();

	add(f, "0A", CREDENTIAL_REQUEST);
	use(f, "0A", now);
	add(f, "0B", CREDENTIAL_RENEWAL);
	use(f, "0B", now);
	add(f, "0C", CREDENTIAL_RENEWAL);
	use(f, "0C", now);
	assert_int_equal(device_certificate_remove(&f->core, &f->device, "0B", "anna", &err), 0);
	assert_true(row_of(f, "0A").ends_at > 0);
	assert_int_equal(fixture_told(f, "what was to end stays"), 0);
	assert_int_equal(device_certificate_remove(&f->core, &f->device, "0C", "anna", &err), 0);
	assert_int_equal(row_of(f, "0A").ends_at, 0);
	assert_int_equal(fixture_told(f, "what was to end stays"), 1);
	credential_run(&f->core, now + 8 * DAY);
	assert_true(is_there(f, "0A"));
}

static void
one_that_was_accepted_by_its_number_takes_nobodys_place(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	add(f, "0A", CREDENTIAL_REQUEST);
	assert_int_equal(device_certificate_add(&f->core, &f->device, "0B", "test", &err), 0);
	use(f, "0B", utc_now());
	assert_true(row_of(f, "0B").used_at > 0);
	assert_int_equal(row_of(f, "0A").ends_at, 0);
}

static void
what_was_asked_for_and_never_used_gives_way(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	add(f, "0A", CREDENTIAL_RENEWAL);
	use(f, "0A", utc_now());
	add(f, "0B", CREDENTIAL_RENEWAL);
	add(f, "0C", CREDENTIAL_REQUEST);
	assert_int_equal(credential_drop_pending(&f->core, "car7", CREDENTIAL_RENEWAL, &err), 0);
	assert_true(is_there(f, "0A"));
	assert_false(is_there(f, "0B"));
	assert_true(is_there(f, "0C"));
	assert_int_equal(fixture_told(f, "certificate 0B ended: it was never used"), 1);
}

static void
what_a_fleets_ca_has_made_is_remembered_when_it_goes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t now = utc_now();

	add(f, "0A", "fleet CN=a");
	use(f, "0A", now);
	add(f, "0B", CREDENTIAL_RENEWAL);
	use(f, "0B", now);
	add(f, "0C", CREDENTIAL_RENEWAL);
	use(f, "0C", now);
	credential_run(&f->core, now + 7 * DAY);
	assert_int_equal(state_revoked(f->core.state, "car7", "0A", &err), 0);
	/* Nobody could bring back what was made here. */
	assert_int_equal(state_revoked(f->core.state, "car7", "0B", &err), STATE_NONE);
	assert_int_equal(device_certificate_remove(&f->core, &f->device, "0C", "test", &err), 0);
	assert_int_equal(state_revoked(f->core.state, "car7", "0C", &err), 0);
	assert_int_equal(device_certificate_add(&f->core, &f->device, "0C", "test", &err), 0);
	assert_int_equal(state_revoked(f->core.state, "car7", "0C", &err), STATE_NONE);
}

static void
refuses_one_that_is_known_and_numbers_that_are_none(void **state)
{
	struct fixture *f = *state;
	const struct credential again = { "car7", "0A", END, CREDENTIAL_REQUEST };
	const struct credential bad = { "car7", "../0A", END, CREDENTIAL_REQUEST };
	struct err err = { 0 };

	add(f, "0A", CREDENTIAL_REQUEST);
	assert_int_equal(credential_add(&f->core, &again, "made", "test", &err), -EEXIST);
	assert_reason(err, "car7: certificate 0A is known");
	assert_int_equal(credential_add(&f->core, &bad, "made", "test", &err), -EINVAL);
	assert_reason(err, "serial");
}

static void
handing_in_is_what_counts_as_use(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct reply reply = { 0 };
	struct node node;

	add(f, "0A", CREDENTIAL_REQUEST);
	assert_int_equal(node_find(&f->core, VIEW_WWW, "devices/car7/0A", 0, &node, &err), 0);
	assert_int_equal(row_of(f, "0A").used_at, 0);
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car7/in/events", 0, &node, &err), 0);
	assert_int_equal(node_commit(&node, "[]", 2, &reply, &err), 0);
	assert_int_equal(row_of(f, "0A").used_at, 0);
	assert_int_equal(node_find(&f->core, VIEW_FULL, "gate/car7/0A/events", 0, &node, &err), 0);
	assert_int_equal(node_commit(&node, "[]", 2, &reply, &err), 0);
	assert_true(row_of(f, "0A").used_at > 0);
}

static void
tells_of_one_what_is_known(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	add(f, "0A", CREDENTIAL_REQUEST);
	assert_int_equal(credential_print(&f->core, "car7", "0A", out, &err), 0);
	fclose(out);
	assert_non_null(strstr(text, "source: request\nsince: 20"));
	assert_non_null(strstr(text, "\nused: not yet\nexpires: 2100-01-01T00:00:00Z\ngoes: -\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_overlap, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_newer_one_takes_the_place_of_the_old_after_its_first_use),
		TEST(only_the_first_use_counts),
		TEST(the_last_one_does_not_end_by_itself),
		TEST(one_that_was_accepted_by_its_number_takes_nobodys_place),
		TEST(what_was_asked_for_and_never_used_gives_way),
		TEST(what_a_fleets_ca_has_made_is_remembered_when_it_goes),
		TEST(refuses_one_that_is_known_and_numbers_that_are_none),
		TEST(handing_in_is_what_counts_as_use),
		TEST(tells_of_one_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
