#include "otafs/grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/standing.h"
#include "otafs/term.h"

/** Longest name or value that has positions, in characters. */
#define POSITION_MAX 200
/** Years ago: longer than any device. */
#define AGE_MAX (INT64_C(100) * 366 * 86400)

static const char *const statuses[] = { STANDING_NOT_SEEN, STANDING_NOT_REGISTERED, STANDING_UP_TO_DATE,
	STANDING_UPDATE_SCHEDULED, STANDING_UPDATE_PENDING, STANDING_IN_FLIGHT, STANDING_UNRESPONSIVE,
	STANDING_ERROR };

static const struct subject {
	const char *word;
	enum term_field field;
	unsigned tests;
} subjects[] = {
	{ "deviceid", FIELD_ID, TEST_IS | TEST_CONTAINS | TEST_POSITION },
	{ "name", FIELD_NAME, TEST_IS | TEST_CONTAINS | TEST_POSITION },
	{ "tag", FIELD_TAG, TEST_IS | TEST_CONTAINS | TEST_POSITION },
	{ "hardware", FIELD_HARDWARE, TEST_IS | TEST_CONTAINS },
	{ "package", FIELD_PACKAGE, TEST_IS },
	{ "version", FIELD_VERSION, TEST_IS },
	{ "status", FIELD_STATUS, TEST_IS },
	{ "group", FIELD_GROUP, TEST_IS },
};

/* Passes the word of the language if it stands here: 1, or 0. */
static int
accept(struct grammar *grammar, const char *word)
{
	int r;

	if (!grammar_is(grammar, word))
		return 0;
	r = grammar_next(grammar);
	return r < 0 ? r : 1;
}

/* "(X)"; @what says what X is. */
static int
read_enclosed(struct grammar *grammar, const char *what, const char **word)
{
	int r;

	if (grammar->token != TOKEN_OPEN)
		return grammar_refuse(grammar, "\"(\"");
	if ((r = grammar_next(grammar)) < 0 || (r = grammar_word(grammar, what, word)) < 0)
		return r;
	return grammar->token == TOKEN_CLOSE ? grammar_next(grammar) : grammar_refuse(grammar, "\")\"");
}

/* ---- terms */

static int
add(struct grammar *grammar, const struct term *term, size_t *place)
{
	struct rule *rule = grammar->rule;
	struct term *more = realloc(rule->terms, (rule->count + 1) * sizeof(*more));

	if (!more)
		return err_set(grammar->err, ENOMEM, "no memory for a rule");
	rule->terms = more;
	more[rule->count] = *term;
	*place = rule->count++;
	return 0;
}

static int
read_number(struct grammar *grammar, int *number)
{
	size_t position = grammar->position;
	const char *word = "";
	char *end;
	long value;
	int r = read_enclosed(grammar, "a number", &word);

	if (r < 0)
		return r;
	value = strtol(word, &end, 10);
	if (*end || *word == '-' || *word == '+' || value < 1 || value > POSITION_MAX)
		return err_set(
		    grammar->err, EINVAL, "position %zu: positions are 1 to %d", position + 1, POSITION_MAX);
	*number = (int)value;
	return 0;
}

/* How many bytes the first character of UTF-8 has. */
static size_t
first_bytes(const char *text)
{
	size_t n = *text != '\0';

	while ((text[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static int
read_character(struct grammar *grammar, const char **word)
{
	if (grammar->token == TOKEN_WORD && first_bytes(grammar->word) != strlen(grammar->word))
		return grammar_refuse(grammar, "one character");
	return grammar_word(grammar, "one character", word);
}

static int
read_status(struct grammar *grammar, const char **word)
{
	size_t n = sizeof(statuses) / sizeof(statuses[0]), used = 0;
	char list[200];

	for (size_t i = 0; grammar->token == TOKEN_WORD && i < n; i++)
		if (!strcasecmp(grammar->word, statuses[i])) {
			*word = statuses[i];
			return grammar_next(grammar);
		}
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
		    i == 0      ? ""
		    : i + 1 < n ? ", "
				: " or ",
		    statuses[i]);
	return grammar_refuse(grammar, list);
}

/* The word that a version would be, if it is none of those that go on after a term. */
static bool
is_version_here(const struct grammar *grammar)
{
	static const char *const others[] = { "and", "or", "after", "limit" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (grammar_is(grammar, others[i]))
			return false;
	return grammar->token == TOKEN_WORD;
}

static int
read_value(struct grammar *grammar, struct term *term)
{
	int r;

	if (term->test == TEST_POSITION)
		return read_character(grammar, &term->value);
	if (term->field == FIELD_STATUS)
		return read_status(grammar, &term->value);
	r = grammar_word(grammar, "a value", &term->value);
	if (r == 0 && term->field == FIELD_PACKAGE && is_version_here(grammar))
		r = grammar_word(grammar, "a version", &term->version);
	return r;
}

/* What is said: "is", "is not", "contains", "position(N) is", "position(N) is not". */
static int
read_test(struct grammar *grammar, unsigned tests, struct term *term)
{
	int r;

	term->test = TEST_IS;
	if ((tests & TEST_CONTAINS) && (r = accept(grammar, "contains")) != 0) {
		term->test = TEST_CONTAINS;
		return r < 0 ? r : 0;
	}
	if ((tests & TEST_POSITION) && (r = accept(grammar, "position")) != 0) {
		term->test = TEST_POSITION;
		if (r < 0 || (r = read_number(grammar, &term->position)) < 0)
			return r;
		tests = 0;
	}
	if ((r = accept(grammar, "is")) <= 0)
		return r < 0                   ? r
		       : tests & TEST_POSITION ? grammar_refuse(grammar, "is, contains or position(N)")
		       : tests & TEST_CONTAINS ? grammar_refuse(grammar, "is or contains")
					       : grammar_refuse(grammar, "is");
	r = accept(grammar, "not");
	term->is_not = r > 0;
	return r < 0 ? r : 0;
}

static int
read_field(struct grammar *grammar, const struct subject *subject, size_t *place)
{
	struct term term = { .kind = TERM_FIELD, .field = subject->field };
	int r = 0;

	if (subject->field == FIELD_TAG)
		r = read_enclosed(grammar, "the name of a tag", &term.tag);
	if (r < 0 || (r = read_test(grammar, subject->tests, &term)) < 0 ||
	    (r = read_value(grammar, &term)) < 0)
		return r;
	return add(grammar, &term, place);
}

static int
read_time(struct grammar *grammar, int64_t *time)
{
	char text[UTC_TEXT_SIZE];
	bool is_day = grammar->token == TOKEN_WORD && strlen(grammar->word) == strlen("2026-11-27");

	snprintf(text, sizeof(text), "%.20s%s", grammar->token == TOKEN_WORD ? grammar->word : "",
	    is_day ? "T00:00:00Z" : "");
	if (grammar->token != TOKEN_WORD || strlen(grammar->word) > 20 || utc_parse(text, time) < 0)
		return grammar_refuse(grammar, "a time as 2026-11-27 or 2026-11-27T12:00:00Z");
	return grammar_next(grammar);
}

static int
read_age(struct grammar *grammar, int64_t *age)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	const char *word = grammar->token == TOKEN_WORD ? grammar->word : "";
	int64_t number = 0;

	while (*word >= '0' && *word <= '9' && number < AGE_MAX)
		number = number * 10 + (*word++ - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (number > 0 && word[0] == units[i].unit && !word[1] &&
		    number <= AGE_MAX / units[i].seconds) {
			*age = number * units[i].seconds;
			return grammar_next(grammar);
		}
	return grammar_refuse(grammar, "an age as 7d; units are s, m, h, d and w");
}

static int
read_seen(struct grammar *grammar, size_t *place)
{
	struct term term = { .kind = TERM_SEEN };
	int r;

	if (grammar_is(grammar, "before") || grammar_is(grammar, "after")) {
		term.is_not = grammar_is(grammar, "after");
		if ((r = grammar_next(grammar)) == 0)
			r = read_time(grammar, &term.time);
	} else if (grammar_is(grammar, "older") || grammar_is(grammar, "newer")) {
		term.is_not = grammar_is(grammar, "newer");
		term.is_age = true;
		if ((r = grammar_next(grammar)) == 0 && (r = accept(grammar, "than")) == 0)
			return grammar_refuse(grammar, "than");
		if (r > 0)
			r = read_age(grammar, &term.time);
	} else {
		return grammar_refuse(grammar, "before, after, older than or newer than");
	}
	return r < 0 ? r : add(grammar, &term, place);
}

static int read_or(struct grammar *grammar, size_t *place);

static int
read_within(struct grammar *grammar, size_t *place)
{
	int r = grammar_next(grammar);

	if (r < 0 || (r = read_or(grammar, place)) < 0)
		return r;
	return grammar->token == TOKEN_CLOSE ? grammar_next(grammar)
					     : grammar_refuse(grammar, "and, or, or \")\"");
}

static int
read_term(struct grammar *grammar, size_t *place)
{
	int r;

	if (grammar->token == TOKEN_OPEN)
		return read_within(grammar, place);
	if ((r = accept(grammar, "all")) != 0)
		return r < 0 ? r : add(grammar, &(struct term){ .kind = TERM_ALL }, place);
	if ((r = accept(grammar, "lastseen")) != 0)
		return r < 0 ? r : read_seen(grammar, place);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if ((r = accept(grammar, subjects[i].word)) != 0)
			return r < 0 ? r : read_field(grammar, &subjects[i], place);
	return grammar_refuse(grammar, "deviceid, name, tag(NAME), hardware, package, version, status, group, "
				       "lastseen, not, all or \"(\"");
}

static int
read_not(struct grammar *grammar, size_t *place)
{
	struct term term = { .kind = TERM_NOT };
	int r;

	if (++grammar->depth > RULE_DEPTH_MAX)
		return err_set(
		    grammar->err, EINVAL, "position %zu: more than %d deep", grammar->position, RULE_DEPTH_MAX);
	r = accept(grammar, "not");
	if (r > 0 && (r = read_not(grammar, &term.left)) == 0)
		r = add(grammar, &term, place);
	else if (r == 0)
		r = read_term(grammar, place);
	grammar->depth--;
	return r;
}

static int
read_joined(struct grammar *grammar, const char *word, enum term_kind kind,
    int (*part)(struct grammar *, size_t *), size_t *place)
{
	struct term term = { .kind = kind };
	int r = part(grammar, place);

	while (r == 0 && (r = accept(grammar, word)) > 0) {
		term.left = *place;
		if ((r = part(grammar, &term.right)) == 0)
			r = add(grammar, &term, place);
	}
	return r;
}

static int
read_and(struct grammar *grammar, size_t *place)
{
	return read_joined(grammar, "and", TERM_AND, read_not, place);
}

static int
read_or(struct grammar *grammar, size_t *place)
{
	return read_joined(grammar, "or", TERM_OR, read_and, place);
}

/* ---- rules */

int
grammar_rule(struct grammar *grammar)
{
	return read_or(grammar, &grammar->rule->root);
}

int
grammar_all(struct grammar *grammar)
{
	return add(grammar, &(struct term){ .kind = TERM_ALL }, &grammar->rule->root);
}

struct rule *
grammar_take(struct grammar *grammar)
{
	grammar->rule->words = MOVE(grammar->words);
	return MOVE(grammar->rule);
}
