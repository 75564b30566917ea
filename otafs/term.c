#include "otafs/term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The character at @position, counted from 1 in UTF-8; "" behind the end. */
static const char *
at(const char *text, int position)
{
	while (*text && --position > 0)
		do
			text++;
		while ((*text & 0xc0) == 0x80);
	return text;
}

static bool
begins(const char *text, const char *with)
{
	return !strncasecmp(text, with, strlen(with));
}

static bool
is_text(const struct term *term, const char *text)
{
	switch (term->test) {
	case TEST_IS:
		return !strcasecmp(text, term->value);
	case TEST_CONTAINS:
		return strcasestr(text, term->value) != NULL;
	case TEST_POSITION:
		return begins(at(text, term->position), term->value);
	}
	return false;
}

static int
compare_files(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_running(const struct bound_term *bound, const struct found *found)
{
	for (size_t i = 0; bound->count > 0 && i < found->ecus.count; i++) {
		const char *file = found->ecus.list[i].second;

		if (bsearch(&file, bound->files, bound->count, sizeof(*bound->files), compare_files))
			return true;
	}
	return false;
}

static bool
is_hardware(const struct term *term, const struct found *found)
{
	for (size_t i = 0; i < found->ecus.count; i++)
		if (is_text(term, found->ecus.list[i].first))
			return true;
	return false;
}

static bool
is_member(const struct term *term, const struct found *found)
{
	for (size_t i = 0; i < found->groups.count; i++)
		if (!strcmp(found->groups.list[i].first, term->value))
			return true;
	return false;
}

/* Of a device without the tag neither "is" nor "is not" is true. */
static bool
is_tag(const struct term *term, const struct found *found)
{
	for (size_t i = 0; i < found->tags.count; i++)
		if (!strcasecmp(found->tags.list[i].first, term->tag) &&
		    is_text(term, found->tags.list[i].second) != term->is_not)
			return true;
	return false;
}

static bool
is_field(const struct term *term, const struct bound_term *bound, const struct found *found)
{
	switch (term->field) {
	case FIELD_ID:
		return is_text(term, found->id);
	case FIELD_NAME:
		return is_text(term, found->name);
	case FIELD_STATUS:
		return is_text(term, found->status);
	case FIELD_HARDWARE:
		return is_hardware(term, found);
	case FIELD_PACKAGE:
	case FIELD_VERSION:
		return is_running(bound, found);
	case FIELD_GROUP:
		return is_member(term, found);
	case FIELD_TAG:
		break;
	}
	return false;
}

int64_t
term_time(const struct bound *bound, const struct term *term)
{
	return term->is_age ? bound->now - term->time : term->time;
}

static bool
holds(const struct bound *bound, size_t place, const struct bound_term *sure, const struct found *found)
{
	const struct term *term = &bound->rule->terms[place];
	const struct bound_term *here = &bound->terms[place];

	if (here == sure)
		return true;
	switch (term->kind) {
	case TERM_ALL:
		return true;
	case TERM_AND:
		return holds(bound, term->left, sure, found) && holds(bound, term->right, sure, found);
	case TERM_OR:
		return holds(bound, term->left, sure, found) || holds(bound, term->right, sure, found);
	case TERM_NOT:
		return !holds(bound, term->left, sure, found);
	case TERM_SEEN:
		return (found->seen_at < term_time(bound, term)) != term->is_not;
	case TERM_FIELD:
		break;
	}
	if (term->field == FIELD_TAG)
		return is_tag(term, found);
	if (here->group)
		return term_holds(here->group, sure, found) != term->is_not;
	return is_field(term, here, found) != term->is_not;
}

bool
term_holds(const struct bound *bound, const struct bound_term *sure, const struct found *found)
{
	return holds(bound, bound->rule->root, sure, found);
}

static unsigned
needs(const struct term *term)
{
	static const unsigned of_field[] = {
		[FIELD_NAME] = FOUND_ROW,
		[FIELD_STATUS] = FOUND_ROW,
		[FIELD_TAG] = FOUND_TAGS,
		[FIELD_HARDWARE] = FOUND_ECUS,
		[FIELD_PACKAGE] = FOUND_ECUS,
		[FIELD_VERSION] = FOUND_ECUS,
		[FIELD_GROUP] = FOUND_GROUPS,
	};

	return term->kind == TERM_SEEN ? FOUND_ROW : term->kind == TERM_FIELD ? of_field[term->field] : 0;
}

unsigned
term_needs(const struct bound *bound, const struct bound_term *sure)
{
	unsigned all = 0;

	for (size_t i = 0; i < bound->rule->count; i++) {
		const struct bound_term *here = &bound->terms[i];

		if (here != sure)
			all |= here->group ? term_needs(here->group, sure) : needs(&bound->rule->terms[i]);
	}
	return all;
}
