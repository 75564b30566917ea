/* The language of rules: what is read, what is refused, and in which words. */
#include "otafs/rule.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"

static const char *const taken[] = {
	"all",
	"  deviceid contains CAR\n",
	"deviceid position(1) is c",
	"DEVICEID POSITION(200) IS NOT C",
	"tag(region) contains EU and tag(region) position(2) is not u",
	"tag(\"a tag\") is 'it has a \"quote\"'",
	"(hardware is qemux86-64 or package is app) and not status is Error",
	"package is app 2.0 and version is not 1.0",
	"package is \"and\" 'or' or group is not field-tests",
	"name contains \"my car\" or name is x",
	"lastseen before 2026-11-01 and lastseen after 2026-10-01T12:00:00Z",
	"lastseen older than 7d or lastseen newer than 90s",
	"not not not all",
	"tag (x) is \"(\"",
};

static const struct {
	const char *text, *words;
} refusals[] = {
	{ "", "position 1: expected deviceid, name, tag(NAME)" },
	{ "frob is x", "position 1: expected deviceid" },
	{ "deviceid", "position 9: expected is, contains or position(N), found the end" },
	{ "deviceid matches x", "position 10: expected is, contains or position(N), found \"matches\"" },
	{ "deviceid contains", "position 18: expected a value, found the end" },
	{ "deviceid contains ''", "position 19: expected a value" },
	{ "deviceid position(0) is c", "position 19: positions are 1 to 200" },
	{ "deviceid position(x) is c", "position 19: positions are 1 to 200" },
	{ "deviceid position 1 is c", "position 19: expected \"(\", found \"1\"" },
	{ "deviceid position(1 is c", "expected \")\", found \"is\"" },
	{ "deviceid position(1) contains c", "position 22: expected is, found \"contains\"" },
	{ "deviceid position(1) is cc", "position 25: expected one character, found \"cc\"" },
	{ "tag is x", "position 5: expected \"(\", found \"is\"" },
	{ "tag() is x", "position 5: expected the name of a tag, found \")\"" },
	{ "hardware position(1) is x", "position 10: expected is or contains" },
	{ "package contains x", "position 9: expected is, found \"contains\"" },
	{ "status is Fine", "position 11: expected NotSeen, NotRegistered, UpToDate, UpdateScheduled, "
			    "UpdatePending, InFlight, Unresponsive or Error, found \"Fine\"" },
	{ "lastseen is 7d", "position 10: expected before, after, older than or newer than" },
	{ "lastseen older 7d", "position 16: expected than, found \"7d\"" },
	{ "lastseen older than 7", "position 21: expected an age as 7d" },
	{ "lastseen older than 0d", "expected an age as 7d" },
	{ "lastseen older than 99999999999999999999w", "expected an age as 7d" },
	{ "lastseen before 2026-02-30", "position 17: expected a time as 2026-11-27" },
	{ "lastseen before yesterday", "position 17: expected a time as 2026-11-27" },
	{ "all all", "position 5: expected and, or, or the end, found \"all\"" },
	{ "all and", "position 8: expected deviceid" },
	{ "not", "position 4: expected deviceid" },
	{ "(all", "position 5: expected and, or, or \")\", found the end" },
	{ "all)", "position 4: expected and, or, or the end, found \")\"" },
	{ "name is 'my car", "position 9: this quote has no end" },
	{ "name is a\x01", "position 10: a control character" },
};

static void
takes_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		AUTO(rule_freep) struct rule *rule = NULL;
		struct err err = { 0 };

		if (rule_parse(taken[i], &rule, &err) != 0)
			fail_msg("%s: %s", taken[i], err.text);
		assert_non_null(rule);
	}
}

static void
says_where_it_does_not_understand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		AUTO(rule_freep) struct rule *rule = NULL;
		struct err err = { 0 };

		if (rule_parse(refusals[i].text, &rule, &err) != -EINVAL)
			fail_msg("%s: was taken", refusals[i].text);
		assert_reason(err, refusals[i].words);
		assert_null(rule);
	}
}

static int
parse_repeated(const char *before, int times, const char *after, struct err *err)
{
	AUTO(rule_freep) struct rule *rule = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	for (int i = 0; i < times; i++)
		fputs(before, out);
	fputs("all", out);
	for (int i = 0; i < times; i++)
		fputs(after, out);
	fclose(out);
	return rule_parse(text, &rule, err);
}

static void
is_bounded(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse_repeated("(", RULE_DEPTH_MAX - 1, ")", &err), 0);
	assert_int_equal(parse_repeated("(", RULE_DEPTH_MAX, ")", &err), -EINVAL);
	assert_reason(err, "position 33: more than 32 deep");
	assert_int_equal(parse_repeated("not ", RULE_DEPTH_MAX, "", &err), -EINVAL);
	assert_reason(err, "more than 32 deep");
	assert_int_equal(parse_repeated("", 124, " or all", &err), 0);
	assert_int_equal(parse_repeated("", 200, " or all", &err), -EINVAL);
	assert_reason(err, "a rule has at most 1000 bytes, this has 1403");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_form),
		cmocka_unit_test(says_where_it_does_not_understand),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
