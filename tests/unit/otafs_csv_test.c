/* Lines of tables, and the fleet as tables. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/csv.h"
#include "otafs/table.h"
#include "otafs/tag.h"
#include "tests/unit/fixture.h"

static char *fields[CSV_FIELDS_MAX];

static int
split(const char *line, char separator, struct err *err)
{
	static char copy[8192];

	snprintf(copy, sizeof(copy), "%s", line);
	return csv_split(copy, separator, fields, err);
}

static void
a_header_tells_its_separator(void **state)
{
	(void)state;
	assert_int_equal(csv_separator("DeviceID;a,b"), ';');
	assert_int_equal(csv_separator("DeviceID,a;b"), ',');
	assert_int_equal(csv_separator("DeviceID"), ';');
}

static void
a_line_is_split_into_fields(void **state)
{
	static const struct {
		const char *line;
		int count;
		const char *fields[4];
	} lines[] = {
		{ "", 1, { "" } },
		{ "a", 1, { "a" } },
		{ "a;b", 2, { "a", "b" } },
		{ ";", 2, { "", "" } },
		{ " a ;\tb c \r", 2, { "a", "b c" } },
		{ "\"a;b\";c", 2, { "a;b", "c" } },
		{ "\" a \" ; b", 2, { " a ", "b" } },
		{ "\"say \"\"no\"\"\";x", 2, { "say \"no\"", "x" } },
		{ "\"\";x", 2, { "", "x" } },
		{ "5\" disk;x", 2, { "5\" disk", "x" } },
		{ "a,b;c", 2, { "a,b", "c" } },
		{ "a;b;", 3, { "a", "b", "" } },
		{ "a;\"b\"\r", 2, { "a", "b" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err err = { 0 };

		assert_int_equal(split(lines[i].line, ';', &err), lines[i].count);
		for (int k = 0; k < lines[i].count; k++)
			assert_string_equal(fields[k], lines[i].fields[k]);
	}
}

static void
a_line_that_is_none_is_refused(void **state)
{
	struct err err = { 0 };
	char many[CSV_FIELDS_MAX + 8];

	(void)state;
	assert_int_equal(split("a;\"b", ';', &err), -EINVAL);
	assert_reason(err, "a quote is not closed");
	assert_int_equal(split("\"a\"b;c", ';', &err), -EINVAL);
	assert_reason(err, "\"b;c\" follows a closing quote");
	memset(many, ';', CSV_FIELDS_MAX);
	many[CSV_FIELDS_MAX] = '\0';
	assert_int_equal(split(many, ';', &err), -EINVAL);
	assert_reason(err, "there are more than 1000 fields");
	many[CSV_FIELDS_MAX - 1] = '\0';
	assert_int_equal(split(many, ';', &err), CSV_FIELDS_MAX);
}

static void
what_is_printed_is_read_again(void **state)
{
	static const char *const texts[] = { "", "a", " a", "a ", "a;b", "\"", "\"a\"", "\t", "a\"b;c", "\\",
		"\\n", "two\nlines\r\n\n", "\n", "\"\n;" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO(free_p) char *line = NULL;
		struct err err = { 0 };
		size_t bytes;
		FILE *out = open_memstream(&line, &bytes);

		csv_print_escaped(texts[i], ';', out);
		fputc(';', out);
		csv_print("x;\"y\"", ';', out);
		fclose(out);
		assert_null(strchr(line, '\n'));
		assert_int_equal(csv_split(line, ';', fields, &err), 2);
		assert_int_equal(csv_unescape(fields[0], &err), 0);
		assert_string_equal(fields[0], texts[i]);
		assert_string_equal(fields[1], "x;\"y\"");
	}
}

static void
an_unknown_letter_after_a_backslash_is_refused(void **state)
{
	char bad[][8] = { "a\\x", "a\\" };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(csv_unescape(bad[i], &err), -EINVAL);
		assert_reason(err, "after a backslash");
	}
}

/* ---- tables */

static char *
print(struct fixture *f, enum table_kind kind)
{
	char cursor[NODE_CURSOR_MAX] = "", *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int r;

	while ((r = table_print(&f->core, kind, cursor, out, &err)) == 1)
		;
	assert_int_equal(r, 0);
	fclose(out);
	return text;
}

static int
take(struct fixture *f, enum table_kind kind, const char *header, const char *lines, struct err *err)
{
	return table_take(&f->core, kind, header, lines, 2, "uid 7", err);
}

static void
assert_table(struct fixture *f, enum table_kind kind, const char *expected)
{
	AUTO(free_p) char *text = print(f, kind);

	assert_string_equal(text, expected);
}

static void
devices_are_made_and_named_and_tagged(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_table(f, TABLE_DEVICES, "DeviceID;Name;Notes\ncar7;;\n");
	assert_int_equal(take(f, TABLE_DEVICES,
			     "\xef\xbb\xbf"
			     "deviceid,region,Notes,Name\r",
			     "car8,EU,\"a \"\"b\"\";\\nc\",\"Eight, the car\"\r\n\ncar7,US,,Seven\r\n", &err),
	    0);
	assert_table(f, TABLE_DEVICES,
	    "DeviceID;Name;Notes;region\ncar7;Seven;;US\ncar8;Eight, the car;\"a \"\"b\"\";\\nc\";EU\n");
	assert_table(f, TABLE_TAGS, "DeviceID;region\ncar7;US\ncar8;EU\n");
	assert_int_equal(take(f, TABLE_DEVICES, "DeviceID;region", "car7;\n", &err), 0);
	assert_table(f, TABLE_TAGS, "DeviceID;region\ncar7;\ncar8;EU\n");
	assert_int_equal(take(f, TABLE_TAGS, "DeviceID;color;region", "car7;red;\ncar8;;EU", &err), 0);
	assert_table(f, TABLE_DEVICES,
	    "DeviceID;Name;Notes;color;region\ncar7;Seven;;red;\ncar8;Eight, the car;\"a "
	    "\"\"b\"\";\\nc\";;EU\n");
}

static void
a_table_can_be_written_back_as_it_was_read(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	char *rows;

	assert_int_equal(
	    take(f, TABLE_DEVICES, "DeviceID;Notes;a;b", "car7;x\\ny\\\\;\"; x\";q\"\ncar9;;1;\n", &err), 0);
	text = print(f, TABLE_DEVICES);
	rows = strchr(text, '\n');
	*rows++ = '\0';
	assert_int_equal(take(f, TABLE_DEVICES, text, rows, &err), 0);
	rows[-1] = '\n';
	assert_table(f, TABLE_DEVICES, text);
}

static void
what_is_refused_is_named_by_its_line_and_what_is_before_it_stays(void **state)
{
	static const struct {
		enum table_kind kind;
		const char *header, *lines, *reason;
	} bad[] = {
		{ TABLE_DEVICES, "Device;a", "",
		    "line 1: the first column is \"Device\", expected \"DeviceID\"" },
		{ TABLE_DEVICES, "", "", "line 1: the first column is \"\"" },
		{ TABLE_TAGS, "DeviceID;a;b;a", "", "line 1: there are two columns \"a\"" },
		{ TABLE_DEVICES, "DeviceID;name;Name", "", "line 1: there are two columns \"Name\"" },
		{ TABLE_TAGS, "DeviceID;a/b", "", "line 1: tag: character 2 of the name is not allowed" },
		{ TABLE_TAGS, "DeviceID;", "", "line 1: tag: the name has 0 characters" },
		{ TABLE_TAGS, "DeviceID;\"a", "", "line 1: a quote is not closed" },
		{ TABLE_TAGS, "DeviceID;a", "car7;1\ncar9;2\n", "line 3: there is no device \"car9\"" },
		{ TABLE_TAGS, "DeviceID;a", "car7;1\n\ncar 9;2\n", "line 4: device id \"car 9\": character 4" },
		{ TABLE_TAGS, "DeviceID;a", "car7;1\ncar7\n", "line 3: has 1 fields, the header has 2" },
		{ TABLE_TAGS, "DeviceID;a", "car7;1\ncar7;\x01\n", "line 3: tag: the value" },
		{ TABLE_TAGS, "DeviceID;a", "car7;1\ncar7;\"2\n", "line 3: a quote is not closed" },
		{ TABLE_DEVICES, "DeviceID;a;Notes", "car7;1;\ncar7;2;\\x\n", "line 3: after a backslash" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char value[STATE_TAG_VALUE_MAX + 1] = "";
		struct err err = { 0 };

		assert_int_equal(take(f, bad[i].kind, bad[i].header, bad[i].lines, &err), -EINVAL);
		assert_reason(err, bad[i].reason);
		assert_int_equal(
		    state_tag(f->core.state, "car7", "a", value, &err), *bad[i].lines ? 0 : STATE_NONE);
		assert_string_equal(value, *bad[i].lines ? "1" : "");
		assert_int_equal(tag_set(&f->core, "car7", "a", "", "uid 7", &err), 0);
	}
}

static void
a_line_is_taken_whole_or_not(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct err err = { 0 };

	assert_int_equal(take(f, TABLE_DEVICES, "DeviceID;Name;a", "car9;Nine;\x01\n", &err), -EINVAL);
	assert_int_equal(state_device(f->core.state, "car9", &device, &err), STATE_NONE);
}

static void
a_table_whose_columns_change_while_it_is_read_is_none(void **state)
{
	struct fixture *f = *state;
	char cursor[NODE_CURSOR_MAX] = "";
	struct err err = { 0 };
	FILE *out = fopen("/dev/null", "w");

	assert_int_equal(table_print(&f->core, TABLE_TAGS, cursor, out, &err), 1);
	assert_int_equal(tag_set(&f->core, "car7", "new", "1", "uid 7", &err), 0);
	assert_int_equal(table_print(&f->core, TABLE_TAGS, cursor, out, &err), -ESTALE);
	assert_reason(err, "other tags than a moment ago");
	fclose(out);
}

static void
tags_that_are_called_like_a_column_are_in_one_table(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(take(f, TABLE_TAGS, "DeviceID;Name;z", "car7;Seven;1\n", &err), 0);
	assert_table(f, TABLE_TAGS, "DeviceID;Name;z\ncar7;Seven;1\n");
	assert_table(f, TABLE_DEVICES, "DeviceID;Name;Notes;z\ncar7;;;1\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_tells_its_separator),
		cmocka_unit_test(a_line_is_split_into_fields),
		cmocka_unit_test(a_line_that_is_none_is_refused),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(an_unknown_letter_after_a_backslash_is_refused),
#define WITH_FLEET(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
		WITH_FLEET(devices_are_made_and_named_and_tagged),
		WITH_FLEET(a_table_can_be_written_back_as_it_was_read),
		WITH_FLEET(what_is_refused_is_named_by_its_line_and_what_is_before_it_stays),
		WITH_FLEET(a_line_is_taken_whole_or_not),
		WITH_FLEET(a_table_whose_columns_change_while_it_is_read_is_none),
		WITH_FLEET(tags_that_are_called_like_a_column_are_in_one_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
