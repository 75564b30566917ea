/* What a document of the director says, and that it says nothing else. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "sign/form.h"

#define A1 "a100000000000000000000000000000000000000000000000000000000000000"
#define TAIL "},\"version\":7}"
#define HEAD "{\"_type\":\"Targets\",\"custom\":{"
#define NAMED                                                                                                  \
	HEAD "\"correlationId\":\"urn:1\",\"deviceId\":\"car7\"},\"expires\":\"2026-12-01T02:00:00Z\","        \
	     "\"targets\":{"
#define EMPTY HEAD "\"deviceId\":\"car7\"},\"expires\":\"2026-12-01T02:00:00Z\",\"targets\":{"
#define TARGET(name, ecus)                                                                                     \
	"\"" name "\":{\"custom\":{\"ecuIdentifiers\":{" ecus                                                  \
	"},\"targetFormat\":\"OSTREE\",\"uri\":null},\"hashes\":{\"sha256\":\"" A1 "\"},\"length\":12}"
#define ECU(serial) "\"" serial "\":{\"hardwareId\":\"hw\"}"
#define META(file) "\"" file "\":{\"hashes\":{\"sha256\":\"" A1 "\"},\"length\":1,\"version\":2}"
#define DATED(type)                                                                                            \
	"{\"_type\":\"" type                                                                                   \
	"\",\"custom\":{\"deviceId\":\"car7\"},\"expires\":\"2026-12-01T02:00:00Z\",\"meta\":{"

static int
read_text(enum role role, const char *text, char **copy, struct form *form, struct err *err)
{
	*copy = strdup(text);
	return form_read(role, *copy, form, err);
}

static void
reads_targets_with_all_their_ecus(void **state)
{
	AUTO(free_p) char *copy = NULL;
	struct form form;
	struct err err;

	(void)state;
	assert_int_equal(
	    read_text(ROLE_TARGETS,
		NAMED TARGET("a", ECU("e1") "," ECU("e2")) "," TARGET("a\\\"b\\\\", ECU("e0")) TAIL, &copy,
		&form, &err),
	    0);
	assert_string_equal(form.device, "car7");
	assert_int_equal(form.version, 7);
	assert_int_equal(form.expires, 1796090400);
	assert_int_equal(form.count, 2);
	assert_string_equal(form.targets[0].file, "a");
	assert_string_equal(form.targets[0].sha256, A1);
	assert_string_equal(form.targets[0].format, "OSTREE");
	assert_int_equal(form.targets[0].length, 12);
	assert_int_equal(form.targets[0].ecus, 2);
	assert_string_equal(form.targets[1].file, "a\"b\\");
	assert_int_equal(form.targets[1].ecus, 1);
	assert_string_equal(form.targets[1].hardware[0], "hw");
}

static void
reads_what_names_no_target(void **state)
{
	static const struct {
		enum role role;
		const char *text;
	} cases[] = { { ROLE_TARGETS, EMPTY TAIL },
		{ ROLE_SNAPSHOT, DATED("Snapshot") META("root.json") "," META("targets.json") TAIL },
		{ ROLE_TIMESTAMP, DATED("Timestamp") META("snapshot.json") TAIL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free_p) char *copy = NULL;
		struct form form;
		struct err err = { 0 };

		assert_int_equal(read_text(cases[i].role, cases[i].text, &copy, &form, &err), 0);
		assert_int_equal(form.count, 0);
		assert_string_equal(form.device, "car7");
	}
}

/* Each is JSON, and one step from what is taken. */
static void
takes_nothing_that_is_not_canonical_or_says_more(void **state)
{
	static const char *const cases[] = { "", "{}", NAMED TAIL, EMPTY TARGET("a", ECU("e")) TAIL,
		EMPTY TAIL "\n", EMPTY TAIL " ", " " EMPTY TAIL, EMPTY "},\"version\":07}",
		EMPTY "},\"version\":0}", EMPTY "},\"version\":-1}", EMPTY "},\"version\":2147483648}",
		EMPTY "},\"version\":7.0}", EMPTY "},\"version\":99999999999999999999}",
		EMPTY "},\"version\":7,\"x\":1}", NAMED TARGET("a", ECU("e")) "," TARGET("a", ECU("e")) TAIL,
		NAMED TARGET("b", ECU("e")) "," TARGET("a", ECU("e")) TAIL, NAMED TARGET("a", "") TAIL,
		NAMED TARGET("a", ECU("e") "," ECU("e")) TAIL, NAMED TARGET("a", ECU("e2") "," ECU("e1")) TAIL,
		NAMED TARGET("\\u0061", ECU("e")) TAIL, NAMED TARGET("\xc3\xa4", ECU("e")) TAIL,
		NAMED TARGET("a\\/", ECU("e")) TAIL, NAMED TARGET("a", ECU("e") ",") TAIL,
		NAMED TARGET("a", ECU("e")) "," TAIL, NAMED TARGET("a", "\"e\":{}") TAIL,
		DATED("Snapshot") META("root.json") "," META("targets.json") TAIL };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(free_p) char *copy = NULL;
		struct form form;
		struct err err = { 0 };

		if (read_text(ROLE_TARGETS, cases[i], &copy, &form, &err) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
		assert_reason(err, "targets: is not of the form that is signed, from byte ");
	}
}

static void
takes_a_hundred_ecus_and_no_more(void **state)
{
	AUTO(free_p) char *text = NULL;
	struct form form;
	struct err err;
	size_t bytes;

	(void)state;
	for (int count = FORM_ECUS_MAX; count <= FORM_ECUS_MAX + 1; count++) {
		FILE *out = open_memstream(&text, &bytes);

		fputs(NAMED "\"a\":{\"custom\":{\"ecuIdentifiers\":{", out);
		for (int i = 0; i < count; i++)
			fprintf(out, "%s\"e%03d\":{\"hardwareId\":\"hw\"}", i ? "," : "", i);
		fputs("},\"targetFormat\":\"\",\"uri\":null},\"hashes\":{\"sha256\":\"" A1
		      "\"},\"length\":0}" TAIL,
		    out);
		fclose(out);
		assert_int_equal(
		    form_read(ROLE_TARGETS, text, &form, &err), count > FORM_ECUS_MAX ? -EINVAL : 0);
		free(MOVE(text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_targets_with_all_their_ecus),
		cmocka_unit_test(reads_what_names_no_target),
		cmocka_unit_test(takes_nothing_that_is_not_canonical_or_says_more),
		cmocka_unit_test(takes_a_hundred_ecus_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
