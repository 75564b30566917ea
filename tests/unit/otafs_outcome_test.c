/* What becomes of an open assignment, against the table of docs/STATES.md: every state with every event. */
#include "tests/unit/unit.h"

#include "otafs/outcome.h"
#include "tests/unit/states.h"

#define LINES_MAX 32
enum { RUNS, NEW, UPDATE, ECU, OLD, IN_FLIGHT, FIELDS };

/* Words of each field, in the order of their values. */
static const char *const words[FIELDS][6] = {
	[RUNS] = { "not told", "other", "target" },
	[NEW] = { "no", "yes" },
	[UPDATE] = { "none", "success", "failure", "cancelled", "unfinished" },
	[ECU] = { "none", "success", "failure", "cancelled", "unfinished" },
	[OLD] = { "none", "success", "failure", "cancelled", "unfinished" },
	[IN_FLIGHT] = { "no", "yes" },
};
static const char *const outcomes[] = { "open", "doubted", "installed", "failed", "cancelled", NULL };

struct line {
	int fields[FIELDS]; /* -1: any */
	int outcome;
};

static int
value_of(const char *const *list, const char *text)
{
	for (int i = 0; list[i]; i++)
		if (!strcmp(list[i], text))
			return i;
	fail_msg("\"%s\" is no word of this field", text);
	return -1;
}

static void
read_line(char *const *fields, size_t number, void *context)
{
	struct line *out = context;

	assert_true(number < LINES_MAX);
	out += number;
	for (int i = 0; i < FIELDS; i++)
		out->fields[i] = *fields[i] ? value_of(words[i], fields[i]) : -1;
	out->outcome = value_of(outcomes, fields[FIELDS]);
}

static bool
fits(const struct line *line, const int values[FIELDS])
{
	for (int i = 0; i < FIELDS; i++)
		if (line->fields[i] >= 0 && line->fields[i] != values[i])
			return false;
	return true;
}

static void
check(const struct line *lines, size_t count, const int v[FIELDS], bool *is_used)
{
	struct outcome_facts facts = { .runs = (enum outcome_runs)v[RUNS],
		.is_new = v[NEW],
		.update = (enum outcome_result)v[UPDATE],
		.ecu = (enum outcome_result)v[ECU],
		.old = (enum outcome_result)v[OLD],
		.is_in_flight = v[IN_FLIGHT] };
	size_t i = 0;

	while (i < count && !fits(&lines[i], v))
		i++;
	assert_true(i < count);
	is_used[i] = true;
	if ((int)outcome_of(&facts) != lines[i].outcome)
		fail_msg("runs %s, new %s, update %s, ecu %s, old %s, in flight %s: %s, the page says %s",
		    words[RUNS][v[RUNS]], words[NEW][v[NEW]], words[UPDATE][v[UPDATE]], words[ECU][v[ECU]],
		    words[OLD][v[OLD]], words[IN_FLIGHT][v[IN_FLIGHT]], outcomes[outcome_of(&facts)],
		    outcomes[lines[i].outcome]);
}

/* The next combination, as a number counts up; false after the last. */
static bool
next(int values[FIELDS])
{
	static const int limits[FIELDS] = { 3, 2, 5, 5, 5, 2 };

	for (int i = 0; i < FIELDS; i++) {
		if (++values[i] < limits[i])
			return true;
		values[i] = 0;
	}
	return false;
}

static void
is_what_the_table_says_for_every_state_and_event(void **state)
{
	struct line lines[LINES_MAX];
	bool is_used[LINES_MAX] = { 0 };
	size_t count = states_read("outcome", read_line, lines);
	int values[FIELDS] = { 0 };

	(void)state;
	assert_int_equal(count, 17);
	do
		check(lines, count, values, is_used);
	while (next(values));
	for (size_t i = 0; i < count; i++)
		if (!is_used[i])
			fail_msg("line %zu of the table fits nothing", i + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_the_table_says_for_every_state_and_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
