/* The history: lines that only grow, who it was, and the log of all from any byte. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "state/history.h"
#include "state/state.h"

static char path[64];

static struct state *
opened(void)
{
	struct err err = { 0 };
	struct state *state;

	if (state_open(path, &state, &err) < 0)
		fail_msg("%s", err.text);
	return state;
}

static int
setup(void **state)
{
	strcpy(path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/state.db");
	*state = opened();
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	state_free(*state);
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

static void
note(struct state *state, const char *device, const char *who, const char *what, const char *text)
{
	struct err err = { 0 };

	if (state_happened(state,
		&(struct happening){ .device = device, .at = 1, .who = who, .what = what, .text = text },
		&err) != 0)
		fail_msg("%s", err.text);
}

static int
gather(const char *line, void *context)
{
	char *text = context;

	sprintf(text + strlen(text), "%s\n", line);
	return 0;
}

/* The log read in pieces of @room bytes. */
static void
read_log(struct state *state, size_t room, char *out)
{
	struct err err = { 0 };
	size_t got = 0;
	ssize_t n;

	while ((n = state_log_read(state, (int64_t)got, out + got, room, &err)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(got, state_log_size(state, &err));
	out[got] = '\0';
}

static void
tells_who_where_the_text_does_not(void **unused)
{
	struct state *state = *unused;
	struct err err = { 0 };
	char text[1000] = "";

	note(state, "car7", "uid 7 (anna)", "named", "name is now Bus 7");
	note(state, "car7", "uid 7 (anna)", "made", "device made by uid 7 (anna)");
	note(state, "car7", STATE_WHO_DEVICE, "runs", "ECU a runs app-1");
	assert_int_equal(state_history(state, "car7", gather, text, &err), 0);
	assert_string_equal(text, "1970-01-01T00:00:01Z name is now Bus 7 by uid 7 (anna)\n"
				  "1970-01-01T00:00:01Z device made by uid 7 (anna)\n"
				  "1970-01-01T00:00:01Z ECU a runs app-1\n");
}

static void
writes_a_line_for_programs(void **unused)
{
	struct state *state = *unused;
	struct err err = { 0 };
	char text[2000] = "";
	struct happening all = { .device = "car7",
		.at = 1,
		.who = "uid 7",
		.what = "assigned",
		.text = "a \"b\" \xc3\xb6",
		.ecu = "e",
		.target = "t",
		.correlation = "urn:1" };

	assert_int_equal(state_happened(state, &all, &err), 0);
	note(state, "car7", "otafs", "x", "no UTF-8: \xff");
	assert_int_equal(state_history_json(state, "car7", gather, text, &err), 0);
	assert_string_equal(text,
	    "{\"at\":\"1970-01-01T00:00:01Z\",\"device\":\"car7\",\"what\":\"assigned\",\"who\":\"uid 7\","
	    "\"text\":\"a \\\"b\\\" \\u00F6\",\"ecu\":\"e\",\"target\":\"t\",\"correlation\":\"urn:1\"}\n"
	    "{\"at\":\"1970-01-01T00:00:01Z\",\"device\":\"car7\",\"what\":\"x\",\"who\":\"otafs\","
	    "\"text\":\"no UTF-8: \\\\xff\"}\n");
}

static void
gives_the_log_of_all_from_any_byte(void **unused)
{
	struct state *state = *unused;
	struct err err = { 0 };
	char whole[4000], part[4000];
	ssize_t n;

	assert_int_equal(state_log_size(state, &err), 0);
	assert_int_equal(state_log_read(state, 0, part, 10, &err), 0);
	for (int i = 0; i < 10; i++)
		note(state, i % 2 ? "car7" : "", "otafs", "x", "text");
	read_log(state, sizeof(whole), whole);
	assert_int_equal(strncmp(whole, "{\"at\":\"1970-01-01T00:00:01Z\",\"what\":\"x\"", 39), 0);
	for (size_t room = 1; room < 200; room += 7) {
		read_log(state, room, part);
		assert_string_equal(part, whole);
	}
	for (size_t from = 0; from <= strlen(whole); from++) {
		n = state_log_read(state, (int64_t)from, part, sizeof(part) - 1, &err);
		assert_int_equal(n, strlen(whole) - from);
		part[n] = '\0';
		assert_string_equal(part, whole + from);
	}
	assert_int_equal(state_log_read(state, (int64_t)strlen(whole) + 1000, part, 10, &err), 0);
	assert_int_equal(state_log_read(state, -1, part, 10, &err), -EINVAL);
}

static void
leaves_no_gap_when_a_transaction_is_taken_back(void **unused)
{
	struct state *state = *unused;
	struct err err = { 0 };
	char whole[4000];

	note(state, "car7", "otafs", "x", "first");
	assert_int_equal(state_begin(state, &err), 0);
	note(state, "car7", "otafs", "x", "outer");
	assert_int_equal(state_begin(state, &err), 0);
	note(state, "car7", "otafs", "x", "inner, which is longer");
	assert_int_equal(state_end(state, -EINVAL, &err), -EINVAL);
	note(state, "car7", "otafs", "x", "after");
	assert_int_equal(state_end(state, 0, &err), 0);
	assert_int_equal(state_begin(state, &err), 0);
	note(state, "car7", "otafs", "x", "gone");
	assert_int_equal(state_end(state, -EINVAL, &err), -EINVAL);
	note(state, "car7", "otafs", "x", "last");
	read_log(state, sizeof(whole), whole);
	assert_null(strstr(whole, "inner"));
	assert_null(strstr(whole, "gone"));
	assert_non_null(strstr(whole, "outer"));
	assert_non_null(strstr(whole, "last"));
	/* Every byte belongs to a line: each is JSON. */
	for (char *rest = whole, *line; *rest && (line = strsep(&rest, "\n"));) {
		AUTO(json_decref_p) json_t *json = NULL;

		if (json_read(line, strlen(line), "line", &json, &err) < 0)
			fail_msg("%s: %s", line, err.text);
	}
}

static void
goes_on_after_a_restart(void **unused)
{
	struct err err = { 0 };
	char before[1000], after[1000];

	note(*unused, "car7", "otafs", "x", "first");
	read_log(*unused, sizeof(before), before);
	state_free(*unused);
	*unused = opened();
	assert_int_equal(state_log_size(*unused, &err), strlen(before));
	note(*unused, "car8", "otafs", "x", "second");
	read_log(*unused, sizeof(after), after);
	assert_int_equal(strncmp(after, before, strlen(before)), 0);
	assert_non_null(strstr(after + strlen(before), "second"));
}

/* What schema 7 left has no line, and is no part of the log. */
static void
shows_what_was_noted_before_there_was_a_log(void **unused)
{
	struct err err = { 0 };
	char text[1000] = "";
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "INSERT INTO history (device, number, at, text) VALUES ('car7', 1, 1, 'old')",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(state_log_size(*unused, &err), 0);
	assert_int_equal(state_history_json(*unused, "car7", gather, text, &err), 0);
	assert_string_equal(text, "{\"at\":\"1970-01-01T00:00:01Z\",\"text\":\"old\"}\n");
	note(*unused, "car7", "otafs", "x", "new");
	read_log(*unused, sizeof(text), text);
	assert_null(strstr(text, "old"));
}

static void
chat(struct state *state, int64_t at, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(state_happened(state,
			     &(struct happening){ .device = "car7",
				 .at = at,
				 .who = "device",
				 .what = "event",
				 .text = text,
				 .is_chatter = true },
			     &err),
	    0);
}

static int
count(const char *line, void *lines)
{
	(void)line;
	++*(int *)lines;
	return 0;
}

/* It could fill the disk, and the memory of who reads it. What is done about the device is told all the same.
 */
static void
leaves_out_what_a_device_says_ten_thousand_times_a_day(void **unused)
{
	struct err err = { 0 };
	char text[2 * 1024 * 1024] = "";
	int lines = 0;

	state_begin(*unused, &err);
	for (int i = 0; i <= STATE_CHATTER_MAX + 100; i++)
		chat(*unused, 1000, "x");
	note(*unused, "car7", "otafs", "failed", "the update failed");
	chat(*unused, 1000, "y");
	chat(*unused, 1000, "y");
	note(*unused, "car8", "device", "event", "another device");
	state_end(*unused, 0, &err);
	assert_int_equal(state_history(*unused, "car7", count, &lines, &err), 0);
	assert_int_equal(lines, STATE_CHATTER_MAX + 1 + 3);
	assert_int_equal(state_history(*unused, "car7", gather, text, &err), 0);
	assert_non_null(strstr(text,
	    "1970-01-01T00:16:40Z x\n1970-01-01T00:16:40Z more than 10000 lines in a day: what the device says "
	    "of itself is left out\n1970-01-01T00:00:01Z the update failed\n"));
	assert_null(strstr(text, " y\n"));
	/* The next day. */
	chat(*unused, 1000 + 86400, "z");
	text[0] = '\0';
	assert_int_equal(state_history(*unused, "car7", gather, text, &err), 0);
	assert_non_null(strstr(text, " z\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_who_where_the_text_does_not),
		TEST(writes_a_line_for_programs),
		TEST(gives_the_log_of_all_from_any_byte),
		TEST(leaves_no_gap_when_a_transaction_is_taken_back),
		TEST(goes_on_after_a_restart),
		TEST(leaves_out_what_a_device_says_ten_thousand_times_a_day),
		TEST(shows_what_was_noted_before_there_was_a_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
