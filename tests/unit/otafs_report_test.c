/* What devices tell about themselves. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/report.h"
#include "otafs/standing.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static int
send_report(struct fixture *f, const char *kind, const char *body, struct reply *reply)
{
	struct err err = { 0 };

	*reply = (struct reply){ 0 };
	assert_int_equal(report_commit(&f->core, &f->device, kind, body, strlen(body), reply, &err), 0);
	return reply->status;
}

static int
send_events(struct fixture *f, const char *body, struct reply *reply)
{
	struct err err = { 0 };

	*reply = (struct reply){ 0 };
	assert_int_equal(report_events_commit(&f->core, &f->device, body, strlen(body), reply, &err), 0);
	return reply->status;
}

static int
print_events(struct fixture *f, FILE *out, struct err *err)
{
	char cursor[NODE_CURSOR_MAX] = "";
	int r;

	while ((r = report_events_print(&f->core, &f->device, cursor, out, err)) > 0)
		;
	return r;
}

static char *
shown(struct fixture *f, const char *kind)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(
	    kind ? report_print(&f->core, &f->device, kind, out, &err) : print_events(f, out, &err), 0);
	fclose(out);
	return text;
}

static void
shows(struct fixture *f, const char *kind, const char *expected)
{
	AUTO(free_p) char *text = shown(f, kind);

	assert_string_equal(text, expected);
}

static void
keeps_the_last_report_of_each_kind(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	shows(f, "system_info", "");
	assert_int_equal(send_report(f, "system_info", "{\"id\":\"vm\",\"load\":0.5}", &reply), 200);
	assert_int_equal(send_report(f, "network", "{\"hostname\":\"vm\"}", &reply), 200);
	assert_int_equal(send_report(f, "network", "{\"hostname\":\"vm2\"}", &reply), 200);
	shows(f, "network", "{\n  \"hostname\": \"vm2\"\n}\n");
	shows(f, "system_info", "{\n  \"id\": \"vm\",\n  \"load\": 0.5\n}\n");
	fixture_load(f);
	assert_true(f->device.seen_at > 0);
}

static void
refuses_json_that_does_not_parse_and_keeps_what_was(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(send_report(f, "installed", "[]", &reply), 200);
	assert_int_equal(send_report(f, "installed", "[", &reply), 400);
	assert_string_equal(reply.code, "invalid_report");
	assert_non_null(strstr(reply.description, "installed: not JSON: "));
	shows(f, "installed", "[]\n");
}

static void
masks_what_only_the_device_should_know(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(send_report(f, "config", "[p11]\npass = \"geheim\"\nmodule = \"m\"\n", &reply), 200);
	shows(f, "config", "[p11]\npass = \"(masked)\"\nmodule = \"m\"\n");
}

static void
stores_each_event_once_by_its_id(void **state)
{
	struct fixture *f = *state;
	static const char batch[] =
	    "[{\"id\":\"e1\",\"eventType\":{\"id\":\"EcuDownloadStarted\",\"version\":0},"
	    "\"event\":{\"ecu\":\"prim\"}},{\"id\":\"e2\",\"eventType\":{\"id\":\"DevicePaused\"}}]";
	struct reply reply;

	for (int i = 0; i < 3; i++)
		assert_int_equal(send_events(f, batch, &reply), 200);
	assert_int_equal(fixture_told(f, "event EcuDownloadStarted of ECU prim"), 1);
	assert_int_equal(fixture_told(f, "event DevicePaused"), 1);
	shows(f, NULL,
	    "{\"id\":\"e1\",\"eventType\":{\"id\":\"EcuDownloadStarted\",\"version\":0},"
	    "\"event\":{\"ecu\":\"prim\"}}\n{\"id\":\"e2\",\"eventType\":{\"id\":\"DevicePaused\"}}\n");
}

/* Any answer but success makes a device send the same batch for ever. */
static void
never_refuses_an_odd_event(void **state)
{
	static const char *const batches[] = { "[]", "[null,7,\"x\",[],{}]", "[{\"id\":7}]", "[{\"id\":\"\"}]",
		"[{\"id\":\"a\",\"eventType\":7,\"event\":[]}]",
		"[{\"id\":\"b\",\"eventType\":{\"id\":\"\\n\xc3\xa9\"}}]", "[{\"id\":\"c\",\"id\":\"c\"}]",
		"[{\"id\":\"d\",\"x\":\"\\u0000\"}]" };
	struct fixture *f = *state;
	struct reply reply;

	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
		if (send_events(f, batches[i], &reply) != 200)
			fail_msg("%s: %s", batches[i], reply.description);
	assert_int_equal(fixture_told(f, "5 events without an id, or too large, were left out"), 1);
	assert_int_equal(fixture_told(f, "1 events without an id"), 2);
	assert_int_equal(fixture_told(f, "event of no type"), 3);
	assert_int_equal(fixture_told(f, "event \\x0a\\xc3\\xa9"), 1);
}

static void
leaves_out_an_event_that_is_too_large_and_takes_the_others(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *large = malloc(REPORT_EVENT_BYTES_MAX + 64);
	AUTO(free_p) char *batch = NULL;
	struct reply reply;

	memset(large, 'x', REPORT_EVENT_BYTES_MAX);
	large[REPORT_EVENT_BYTES_MAX] = '\0';
	assert_true(asprintf(&batch, "[{\"id\":\"big\",\"x\":\"%s\"},{\"id\":\"small\"}]", large) > 0);
	assert_int_equal(send_events(f, batch, &reply), 200);
	shows(f, NULL, "{\"id\":\"small\"}\n");
}

static void
refuses_what_is_no_array(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(send_events(f, "{}", &reply), 400);
	assert_string_equal(reply.code, "invalid_events");
	assert_string_equal(reply.description, "events: is no array");
	assert_int_equal(send_events(f, "", &reply), 400);
	shows(f, NULL, "");
}

/* A device halves its batch when it gets 413, and so comes to the one event that it cannot hand in. */
static void
asks_for_fewer_events_when_it_cannot_read_them(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(send_events(f, "[{\"id\":\"e1\"}", &reply), 413);
	assert_string_equal(reply.code, "unreadable_events");
	assert_non_null(strstr(reply.description, "events: not JSON: "));
	shows(f, NULL, "");
}

static void
takes_the_events_around_one_with_odd_bytes(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(send_events(f, "[{\"id\":\"e1\"},{\"id\":\"e2\",\"x\":\"\xff\xfe\"}]", &reply), 200);
	shows(f, NULL, "{\"id\":\"e1\"}\n{\"id\":\"e2\",\"x\":\"??\"}\n");
}

static void
activates_a_device_with_what_it_hands_in_first(void **state)
{
	struct fixture *f = *state;
	struct device car8 = { 0 };
	struct reply reply = { 0 };
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "car8", 1, &err), 0);
	assert_int_equal(state_device(f->core.state, "car8", &car8, &err), 0);
	assert_int_equal(report_events_commit(&f->core, &car8, "[]", 2, &reply, &err), 0);
	assert_int_equal(state_device(f->core.state, "car8", &car8, &err), 0);
	assert_true(car8.activated_at > 1);
	assert_string_equal(car8.status, STANDING_NOT_REGISTERED);
}

/* Events @from to @to, as one batch; to be freed. */
static char *
batch_of(int from, int to)
{
	size_t bytes;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	for (int i = from; i <= to; i++)
		fprintf(out, "%c{\"id\":\"e%d\"}", i == from ? '[' : ',', i);
	fputc(']', out);
	fclose(out);
	return text;
}

static void
keeps_the_newest_events_and_shows_them_piece_by_piece(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct reply reply;

	for (int i = 0; i < 11; i++) {
		AUTO(free_p) char *batch = batch_of(1000 * i + 1, 1000 * i + 1000);

		assert_int_equal(send_events(f, batch, &reply), 200);
	}
	text = shown(f, NULL);
	assert_true(!strncmp(text, "{\"id\":\"e1001\"}\n{\"id\":\"e1002\"}\n", 30));
	assert_string_equal(text + strlen(text) - 16, "{\"id\":\"e11000\"}\n");
}

static int
check_short(const char *line, void *unused)
{
	(void)unused;
	assert_true(strlen(line) < 300);
	return 0;
}

static void
a_line_of_history_is_short_whatever_stands_in_an_event(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *batch = NULL;
	struct err err = { 0 };
	struct reply reply;

	assert_true(
	    asprintf(&batch, "[{\"id\":\"e1\",\"event\":{\"ecu\":\"%0*d\",\"correlationId\":\"%0*d\"}}]", 5000,
		1, 5000, 1) > 0);
	assert_int_equal(send_events(f, batch, &reply), 200);
	assert_int_equal(fixture_told(f, "event of no type of ECU 0000"), 1);
	assert_int_equal(state_history_json(f->core.state, "car7", check_short, NULL, &err), 0);
}

/* A flood: too many at once, and too deep. Both stay cheap, and are told in words. */
static void
bounds_what_a_device_can_make_it_do(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *out = NULL;
	struct reply reply = { 0 };
	struct err err = { 0 };
	size_t bytes;

	out = open_memstream(&text, &bytes);
	fputs("[{}", out);
	for (int i = 0; i < REPORT_EVENTS_MAX; i++)
		fputs(",{}", out);
	fputs("]", out);
	fflush(out);
	assert_int_equal(send_events(f, text, &reply), 413);
	assert_string_equal(reply.description, "events: 4097 at once, at most 4096 are taken");
	rewind(out);
	for (int i = 0; i < 65; i++)
		fputc('[', out);
	for (int i = 0; i < 65; i++)
		fputc(']', out);
	fflush(out);
	assert_int_equal(report_commit(&f->core, &f->device, "system_info", text, 130, &reply, &err), 0);
	assert_int_equal(reply.status, 400);
	assert_non_null(strstr(reply.description, "nested deeper than 64"));
}

static void
shows_nothing_that_a_terminal_obeys(void **state)
{
	static const char config[] = "[x]\ny = \"\x1b[2J\x7f\"\n";
	struct fixture *f = *state;
	struct reply reply;
	struct err err;

	assert_int_equal(
	    report_commit(&f->core, &f->device, "config", config, strlen(config), &reply, &err), 0);
	shows(f, "config", "[x]\ny = \"\\x1b[2J\\x7f\"\n");
}

static void
stores_all_events_of_a_batch_or_none_whatever_fails(void **state)
{
	static const char batch[] = "[{\"id\":\"e1\"},{\"id\":\"e2\"},{}]";
	struct fixture *f = *state;
	int calls;

	for (calls = 0;; calls++) {
		struct reply reply = { 0 };
		struct err err = { 0 };
		int r;

		fault_after(calls);
		r = report_events_commit(&f->core, &f->device, batch, strlen(batch), &reply, &err);
		if (!fault_stop() || (r == 0 && reply.status == 200))
			break;
		shows(f, NULL, "");
	}
	shows(f, NULL, "{\"id\":\"e1\"}\n{\"id\":\"e2\"}\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_the_last_report_of_each_kind),
		TEST(refuses_json_that_does_not_parse_and_keeps_what_was),
		TEST(masks_what_only_the_device_should_know),
		TEST(stores_each_event_once_by_its_id),
		TEST(never_refuses_an_odd_event),
		TEST(leaves_out_an_event_that_is_too_large_and_takes_the_others),
		TEST(refuses_what_is_no_array),
		TEST(asks_for_fewer_events_when_it_cannot_read_them),
		TEST(takes_the_events_around_one_with_odd_bytes),
		TEST(activates_a_device_with_what_it_hands_in_first),
		TEST(keeps_the_newest_events_and_shows_them_piece_by_piece),
		TEST(a_line_of_history_is_short_whatever_stands_in_an_event),
		TEST(bounds_what_a_device_can_make_it_do),
		TEST(shows_nothing_that_a_terminal_obeys),
		TEST(stores_all_events_of_a_batch_or_none_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
