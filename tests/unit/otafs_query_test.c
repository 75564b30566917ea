/* query/: the forms of an answer, its pages, and what is refused. */
#include "otafs/query.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "otafs/standing.h"
#include "state/group.h"
#include "state/seen.h"
#include "state/standing.h"
#include "state/tag.h"
#include "tests/unit/fixture.h"

/** More than two slices. */
#define BIKES 2100

static int
setup(void **state)
{
	int r = fixture_setup(state);
	struct fixture *f = *state;
	struct err err = { 0 };
	char id[16];

	assert_int_equal(state_begin(f->core.state, &err), 0);
	for (int i = 0; i < BIKES; i++) {
		snprintf(id, sizeof(id), "bike%04d", i);
		assert_int_equal(state_device_add(f->core.state, id, 1, &err), 0);
	}
	assert_int_equal(state_group_add(f->core.state, "fleet", 1, &err), 0);
	assert_int_equal(state_member_add(f->core.state, "fleet", "car7", &err), 0);
	assert_int_equal(state_tag_put(f->core.state, "car7", "region", "EU \"west\"", &err), 0);
	assert_int_equal(state_standing(f->core.state, "car7", f->device.status, "UpToDate", &err), 0);
	assert_int_equal(state_end(f->core.state, 0, &err), 0);
	/* It was seen when it registered; at a time that does not change it is easier to find. */
	assert_int_equal(state_device_seen(f->core.state, "car7", 1000000000, &err), 0);
	assert_int_equal(state_seen_flush(f->core.state, &err), 0);
	return r;
}

/* The whole answer; NULL when it is refused. To be freed. */
static char *
ask(struct fixture *f, enum query_form form, const char *text, int *pieces, struct err *err)
{
	char cursor[NODE_CURSOR_MAX] = "", *answer = NULL;
	size_t bytes;
	FILE *out = open_memstream(&answer, &bytes);
	int r;

	*pieces = 0;
	do {
		r = query_print(&f->core, form, text, cursor, out, err);
		++*pieces;
	} while (r == 1);
	fclose(out);
	if (r == 0)
		return answer;
	assert_int_equal(r, -EINVAL);
	assert_int_equal(bytes, 0);
	free(answer);
	return NULL;
}

static void
assert_answer(struct fixture *f, enum query_form form, const char *text, const char *expected)
{
	struct err err = { 0 };
	int pieces;
	AUTO(free_p) char *answer = ask(f, form, text, &pieces, &err);

	if (!answer)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(answer, expected);
}

static void
counts_across_slices(void **state)
{
	assert_answer(*state, QUERY_COUNT, "all", "2101\n");
	assert_answer(*state, QUERY_COUNT, "deviceid contains 'e1'", "1000\n");
	assert_answer(*state, QUERY_COUNT, "tag(region) is nowhere", "0\n");
	assert_answer(*state, QUERY_COUNT, "after bike2097", "3\n");
	assert_answer(*state, QUERY_COUNT, "all limit 1500", "1500\n");
}

static void
prints_lines_in_order_and_pages(void **state)
{
	assert_answer(*state, QUERY_TEXT, "limit 2", "bike0000 NotSeen never\nbike0001 NotSeen never\n");
	assert_answer(
	    *state, QUERY_TEXT, "deviceid contains bike after bike0001 limit 1", "bike0002 NotSeen never\n");
	assert_answer(*state, QUERY_TEXT, "limit 5 after bike2098",
	    "bike2099 NotSeen never\ncar7 UpToDate 2001-09-09T01:46:40Z\n");
	assert_answer(*state, QUERY_TEXT, "status is uptodate", "car7 UpToDate 2001-09-09T01:46:40Z\n");
	assert_answer(*state, QUERY_TEXT, "after zoo", "");
}

static void
an_answer_comes_in_pieces(void **state)
{
	struct err err = { 0 };
	int pieces, lines = 0;
	AUTO(free_p) char *answer = ask(*state, QUERY_TEXT, "all limit 2100", &pieces, &err);

	assert_non_null(answer);
	for (const char *p = answer; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2100);
	assert_true(pieces >= 5);
	assert_non_null(strstr(answer, "bike2099 NotSeen never\n"));
	assert_null(strstr(answer, "car7"));
}

static void
prints_json(void **state)
{
	assert_answer(*state, QUERY_JSON, "group is fleet",
	    "{\"ecus\":[{\"hardwareId\":\"hw-a\",\"installed\":{\"file\":null}},{\"hardwareId\":\"hw-b\","
	    "\"installed\":{\"file\":null}},"
	    "{\"hardwareId\":\"hw-b\",\"installed\":{\"file\":null}}],\"groups\":[\"fleet\"],\"id\":\"car7\","
	    "\"lastSeen\":\"2001-09-09T01:46:40Z\",\"name\":null,\"status\":\"UpToDate\",\"tags\":{\"region\":"
	    "\"EU "
	    "\\\"west\\\"\"}}\n");
}

static void
says_when_a_device_was_seen_that_is_seen_just_now(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(state_device_seen(f->core.state, "car7", 1000000060, &err), 0);
	assert_answer(f, QUERY_TEXT, "deviceid is car7", "car7 UpToDate 2001-09-09T01:47:40Z\n");
	assert_int_equal(state_device_seen(f->core.state, "car7", 1000000120, &err), 0);
	assert_answer(
	    f, QUERY_COUNT, "lastseen after 2001-09-09T01:48:00Z and deviceid is car7 after bike0001", "1\n");
}

static void
refuses_with_words(void **state)
{
	static const struct {
		const char *text, *words;
	} refusals[] = {
		{ "frob", "position 1: expected deviceid, name" },
		{ "all frob", "position 5: expected and, or, after, limit or the end, found \"frob\"" },
		{ "all limit", "position 10: expected a number from 1, found the end" },
		{ "all limit -1", "position 11: expected a number from 1, found \"-1\"" },
		{ "all limit 0", "expected a number from 1" },
		{ "all after .x", "position 11: expected the id of a device, found \".x\"" },
		{ "group is nowhere", "there is no group nowhere" },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct err err = { 0 };
		int pieces;
		AUTO(free_p) char *answer = ask(*state, QUERY_TEXT, refusals[i].text, &pieces, &err);

		if (answer)
			fail_msg("%s: was answered", refusals[i].text);
		assert_reason(err, refusals[i].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_across_slices),
		cmocka_unit_test(prints_lines_in_order_and_pages),
		cmocka_unit_test(an_answer_comes_in_pieces),
		cmocka_unit_test(prints_json),
		cmocka_unit_test(says_when_a_device_was_seen_that_is_seen_just_now),
		cmocka_unit_test(refuses_with_words),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
