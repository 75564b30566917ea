/* The counters that show what is not asked and not written. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/expiry.h"
#include "otafs/requests.h"
#include "otafs/status.h"
#include "tests/unit/fixture.h"

static void
metrics(struct fixture *f, char **text)
{
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(text, &bytes);

	assert_int_equal(expiry_open(&f->core, &err), 0);
	assert_int_equal(status_print_metrics(&f->core, out, &err), 0);
	fclose(out);
	expiry_close(&f->core);
}

static void
tells_of_each_mount_what_was_asked(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;

	requests_count(&f->core.www_requests, OPERATION_LOOKUP);
	requests_count(&f->core.www_requests, OPERATION_LOOKUP);
	requests_count(&f->core.full_requests, OPERATION_REFUSED);
	metrics(f, &text);
	assert_non_null(strstr(text, "\notafs_requests_total{view=\"www\",operation=\"lookup\"} 2\n"));
	assert_non_null(strstr(text, "\notafs_requests_total{view=\"full\",operation=\"lookup\"} 0\n"));
	assert_non_null(strstr(text, "\notafs_requests_total{view=\"full\",operation=\"refused\"} 1\n"));
}

static void
tells_how_many_rows_were_written(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	int64_t before;
	char line[64];

	fixture_load(f);
	before = state_changes(f->core.state);
	fixture_load(f);
	assert_int_equal(state_changes(f->core.state), before);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_true(state_changes(f->core.state) > before);
	metrics(f, &text);
	snprintf(line, sizeof(line), "\notafs_database_changes_total %lld\n",
	    (long long)state_changes(f->core.state));
	assert_non_null(strstr(text, line));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    tells_of_each_mount_what_was_asked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    tells_how_many_rows_were_written, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
