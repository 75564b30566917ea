/** The tables of docs/STATES.md, of which tests are made. */
#ifndef TESTS_UNIT_STATES_H
#define TESTS_UNIT_STATES_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/text.h"
#include "tests/unit/unit.h"

#define STATES_FIELDS_MAX 16

/** Gets the fields of a line, without the blanks around them; @number counts from 0. */
typedef void (*states_fn)(char *const *fields, size_t number, void *context);

static inline void
states_line(char *text, size_t number, states_fn each, void *context)
{
	char *fields[STATES_FIELDS_MAX] = { NULL }, *field;

	strsep(&text, "|");
	for (size_t i = 0; i < STATES_FIELDS_MAX && (field = strsep(&text, "|")); i++)
		fields[i] = text_trim(field);
	each(fields, number, context);
}

/** Calls @each for each line of the table behind "<!-- NAME -->"; returns how many there are. */
static inline size_t
states_read(const char *name, states_fn each, void *context)
{
	AUTO(fclose_p) FILE *page = fopen("docs/STATES.md", "re");
	bool is_inside = false;
	char text[1024], mark[64];
	size_t count = 0;

	assert_non_null(page);
	snprintf(mark, sizeof(mark), "<!-- %s -->\n", name);
	while (fgets(text, sizeof(text), page)) {
		bool is_mark = !is_inside && !strcmp(text, mark);

		is_inside = is_mark || (is_inside && text[0] == '|');
		/* The head of the table has two lines. */
		if (is_mark)
			assert_true(fgets(text, sizeof(text), page) && fgets(text, sizeof(text), page));
		else if (is_inside)
			states_line(text, count++, each, context);
	}
	return count;
}

#endif
