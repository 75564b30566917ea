/* What a drop is to become: the rules of push.json. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "watcher/push.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct source_ref one_ref[] = { { "qemux86-64/app", COMMIT_A } };
static const struct source_ref two_refs[] = { { "app", COMMIT_A }, { "tool", COMMIT_B } };

/* The commit's own words, as JSON: {"version":...,"hardware":[...]} */
static const char *commit_says;

static int
read_commit(void *data, const char *checksum, struct commit_info *info, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;

	(void)data;
	assert_true(digest_is_sha256_hex(checksum));
	assert_int_equal(json_read(commit_says, strlen(commit_says), "commit", &json, err), 0);
	info->version = json_incref(json_object_get(json, "version"));
	info->hardware = json_incref(json_object_get(json, "hardware"));
	return 0;
}

struct result {
	struct releases releases;
	struct err err;
	int r;
};

static void
result_done(struct result *result)
{
	releases_done(&result->releases);
}

static struct result
plan(const char *text, const struct source_ref *refs, size_t count)
{
	struct result result = { 0 };

	result.r = push_plan(
	    text, text ? strlen(text) : 0, refs, count, read_commit, NULL, &result.releases, &result.err);
	return result;
}

#define PLAN(text, refs) plan(text, refs, sizeof(refs) / sizeof(refs[0]))

static void
assert_refused(const char *text, const char *reason)
{
	AUTO(result_done) struct result result = PLAN(text, one_ref);

	if (result.r != DROP_BAD)
		fail_msg("%s: got %d, expected a refusal: %s", text, result.r, reason);
	assert_reason(result.err, reason);
}

static void
assert_hardware(const struct release *release, const char *expected)
{
	AUTO(free_p) char *found = json_write(release->hardware);

	assert_string_equal(found, expected);
}

static void
takes_all_from_ref_and_commit_without_push_json(void **state)
{
	(void)state;
	commit_says = "{\"version\":\"2.1\",\"hardware\":[\"board-a\",\"board-b\",\"board-a\"]}";
	AUTO(result_done) struct result result = PLAN(NULL, one_ref);
	const struct release *release = result.releases.list;

	assert_int_equal(result.r, 0);
	assert_int_equal(result.releases.count, 1);
	assert_string_equal(release->name, "app");
	assert_string_equal(release->version, "2.1");
	assert_string_equal(release->ref, "qemux86-64/app");
	assert_string_equal(release->commit, COMMIT_A);
	assert_hardware(release, "[\"board-a\",\"board-b\"]");
}

static void
falls_back_to_commit_id_and_branch(void **state)
{
	(void)state;
	commit_says = "{}";
	AUTO(result_done) struct result result = PLAN(NULL, one_ref);

	assert_int_equal(result.r, 0);
	assert_string_equal(result.releases.list->version, COMMIT_A);
	assert_hardware(result.releases.list, "[\"qemux86-64\"]");
}

static void
lets_push_json_say_everything(void **state)
{
	(void)state;
	commit_says = "{\"version\":\"9\",\"hardware\":[\"x\"]}";
	AUTO(result_done)
	struct result result =
	    PLAN("{\"name\":\"n\",\"version\":\"1\",\"hardwareIds\":[\"h w\"],\"ref\":\"tool\","
		 "\"commit\":\"" COMMIT_B "\",\"comment\":\"why\"}",
		two_refs);
	const struct release *release = result.releases.list;

	assert_int_equal(result.r, 0);
	assert_int_equal(result.releases.count, 1);
	assert_string_equal(release->name, "n");
	assert_string_equal(release->version, "1");
	assert_string_equal(release->ref, "tool");
	assert_string_equal(release->commit, COMMIT_B);
	assert_hardware(release, "[\"h w\"]");
	assert_string_equal(json_string_value(release->comment), "why");
}

static void
refuses_members_that_it_does_not_know(void **state)
{
	(void)state;
	AUTO(result_done) struct result result = PLAN("{\"hardwareId\":[\"zz\"]}", two_refs);

	assert_int_equal(result.r, DROP_BAD);
	assert_reason(
	    result.err, "push.json: member \"hardwareId\" is not known; known are name version hardwareIds");
	assert_int_not_equal(result.err.text[strlen(result.err.text) - 1], ' ');
}

static void
publishes_every_ref(void **state)
{
	(void)state;
	commit_says = "{\"version\":\"1\"}";
	AUTO(result_done) struct result result = PLAN("{\"hardwareIds\":[\"all\"]}", two_refs);

	assert_int_equal(result.r, 0);
	assert_int_equal(result.releases.count, 2);
	assert_string_equal(result.releases.list[0].name, "app");
	assert_string_equal(result.releases.list[1].name, "tool");
	assert_string_equal(result.releases.list[1].commit, COMMIT_B);
	assert_hardware(&result.releases.list[1], "[\"all\"]");
}

static void
finds_the_ref_of_a_commit(void **state)
{
	(void)state;
	commit_says = "{\"version\":\"1\"}";
	AUTO(result_done) struct result result = PLAN("{\"commit\":\"" COMMIT_B "\",\"name\":\"n\"}", two_refs);

	assert_int_equal(result.r, 0);
	assert_int_equal(result.releases.count, 1);
	assert_string_equal(result.releases.list->ref, "tool");
}

static void
refuses_what_is_no_push_json(void **state)
{
	(void)state;
	commit_says = "{}";
	assert_refused("", "push.json: not JSON");
	assert_refused("{\"name\":\"app\"", "push.json: not JSON");
	assert_refused("{} x", "push.json: not JSON");
	assert_refused("[]", "push.json: is no JSON object");
	assert_refused("{\"name\":\"a\",\"name\":\"b\"}", "push.json: not JSON: duplicate");
	assert_refused("{\"name\":\"a\\u0000b\"}", "push.json: not JSON");
}

static void
refuses_members_of_the_wrong_kind(void **state)
{
	(void)state;
	commit_says = "{}";
	assert_refused("{\"name\":1}", "member \"name\" is no text");
	assert_refused("{\"version\":2.1}", "member \"version\" is no text");
	assert_refused("{\"version\":null}", "member \"version\" is no text");
	assert_refused("{\"hardwareIds\":\"a\"}", "member \"hardwareIds\" is no list");
	assert_refused("{\"hardwareIds\":[]}", "list of hardware ids is empty");
	assert_refused("{\"hardwareIds\":[1]}", "hardware id 1 is no text");
	assert_refused("{\"commit\":\"abc\"}", "member \"commit\" is no commit id");
}

static void
refuses_names_that_cannot_be_signed(void **state)
{
	char text[3000];

	(void)state;
	commit_says = "{}";
	assert_refused("{\"name\":\"\"}", "push.json: package name is empty");
	assert_refused("{\"name\":\"a/b\"}", "push.json: package name \"a/b\": character 2 (0x2f)");
	assert_refused("{\"name\":\"..\"}", "push.json: package name \"..\"");
	assert_refused("{\"name\":\"a\\nb\"}", "member \"name\" is not printable ASCII");
	assert_refused("{\"version\":\"1 2\"}", "push.json: package version \"1 2\"");
	assert_refused("{\"hardwareIds\":[\"a/b\"]}", "push.json: hardware id \"a/b\"");
	assert_refused("{\"comment\":\"\\u00fc\"}", "member \"comment\" is not printable ASCII");
	snprintf(text, sizeof(text), "{\"name\":\"%0300d\"}", 1);
	assert_refused(text, "has 300 bytes, at most 128 are allowed");
	snprintf(text, sizeof(text), "{\"comment\":\"%01025d\"}", 1);
	assert_refused(text, "\"comment\" has 1025 bytes, at most 1024");
	snprintf(text, sizeof(text), "{\"ref\":\"%0300d\",\"commit\":\"" COMMIT_A "\"}", 1);
	assert_refused(text, "ref has 300 bytes");
}

static void
refuses_words_of_the_commit_that_cannot_be_signed(void **state)
{
	(void)state;
	commit_says = "{\"version\":\"1/2\"}";
	assert_refused("{}", "commit's metadata; push.json can give another: package version \"1/2\"");
	commit_says = "{\"version\":\"1\",\"hardware\":[\"\"]}";
	assert_refused("{}", "commit's ota.hardware-ids: hardware id is empty");
}

static void
refuses_more_hardware_ids_than_fit(void **state)
{
	char text[2048] = "{\"hardwareIds\":[";
	size_t n = strlen(text);

	(void)state;
	commit_says = "{}";
	for (int i = 0; i <= RELEASE_HARDWARE_MAX; i++)
		n += (size_t)sprintf(text + n, "%s\"b%d\"", i ? "," : "", i);
	strcpy(text + n, "]}");
	assert_refused(text, "more than 64 hardware ids");
}

static void
refuses_what_the_drop_does_not_have(void **state)
{
	(void)state;
	commit_says = "{}";
	assert_refused("{\"ref\":\"none\"}", "ref \"none\" is not in the drop");
	assert_refused("{\"commit\":\"" COMMIT_B "\"}", "no ref of the drop names commit " COMMIT_B);
	assert_refused("{\"ref\":\"qemux86-64/app\",\"commit\":\"" COMMIT_B "\"}",
	    "but ref qemux86-64/app names " COMMIT_A);

	AUTO(result_done) struct result none = plan(NULL, NULL, 0);
	assert_int_equal(none.r, DROP_BAD);
	assert_reason(none.err, "there is no ref below refs/heads");
	AUTO(result_done) struct result both = PLAN("{\"name\":\"n\"}", two_refs);
	assert_int_equal(both.r, DROP_BAD);
	assert_reason(both.err, "gives one name to 2 refs (app, tool ...)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_all_from_ref_and_commit_without_push_json),
		cmocka_unit_test(falls_back_to_commit_id_and_branch),
		cmocka_unit_test(lets_push_json_say_everything),
		cmocka_unit_test(refuses_members_that_it_does_not_know),
		cmocka_unit_test(publishes_every_ref),
		cmocka_unit_test(finds_the_ref_of_a_commit),
		cmocka_unit_test(refuses_what_is_no_push_json),
		cmocka_unit_test(refuses_members_of_the_wrong_kind),
		cmocka_unit_test(refuses_names_that_cannot_be_signed),
		cmocka_unit_test(refuses_words_of_the_commit_that_cannot_be_signed),
		cmocka_unit_test(refuses_more_hardware_ids_than_fit),
		cmocka_unit_test(refuses_what_the_drop_does_not_have),
	};

	return cmocka_run_group_tests_name("watcher/push", tests, NULL, NULL);
}
