#include "otafs/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

/** Devices are counted so far; of what has more, the first that the rule names is as good as another. */
#define COST_MAX 5000
/** Names of tags, and values of one, that are looked through for those that differ in upper and lower case. */
#define DIFFERENT_MAX 256

struct choice {
	struct reader *reader;
	struct source *best;
	int64_t cost;
	struct err *err;
};

void
source_done(struct source *source)
{
	free(source->values.list);
}

/* ---- what a term has an index for */

static int
add_value(const struct choice *choice, const struct found_pair *pair, struct found_pairs *values)
{
	struct found_pair *more;

	if (values->count == SOURCE_FINDS_MAX)
		return 1;
	more = realloc(values->list, (values->count + 1) * sizeof(*more));
	if (!more)
		return err_set(choice->err, ENOMEM, "no memory for a query");
	values->list = more;
	more[values->count++] = *pair;
	return 0;
}

/* 1: it has too many entries in the index; so do those below. */
static int
tag_values(const struct choice *choice, const struct term *term, struct found_pair *pair, struct source *out)
{
	const char *after = NULL;
	int r, count = 0;

	while ((r = reader_next_value(choice->reader, pair->first, after, pair->second, sizeof(pair->second),
		    choice->err)) == 0) {
		after = pair->second;
		if (++count > DIFFERENT_MAX)
			return 1;
		if (!strcasecmp(pair->second, term->value) && (r = add_value(choice, pair, &out->values)) != 0)
			return r;
	}
	return r < 0 ? r : 0;
}

static void
find_values(enum find_by by, struct source *out)
{
	for (out->count = 0; out->count < out->values.count; out->count++)
		out->finds[out->count] = (struct find){ .by = by,
			.text = out->values.list[out->count].first,
			.more = out->values.list[out->count].second };
}

static int
folded_value(const struct choice *choice, const struct term *term, struct found_pair *pair, struct source *out)
{
	size_t i;

	for (i = 0; term->value[i] && i < sizeof(pair->second) - 1; i++)
		pair->second[i] = (char)tolower((unsigned char)term->value[i]);
	pair->second[i] = '\0';
	return add_value(choice, pair, &out->values);
}

static int
find_tags(const struct choice *choice, const struct term *term, enum find_by by,
    int (*values)(const struct choice *, const struct term *, struct found_pair *, struct source *),
    struct source *out)
{
	struct found_pair pair = { .first = "" };
	const char *after = NULL;
	int r, count = 0;

	out->values.count = 0;
	while ((r = reader_next_tag(choice->reader, after, pair.first, sizeof(pair.first), choice->err)) == 0) {
		after = pair.first;
		if (++count > DIFFERENT_MAX)
			return 1;
		if (!strcasecmp(pair.first, term->tag) && (r = values(choice, term, &pair, out)) != 0)
			return r;
	}
	find_values(by, out);
	return r < 0 ? r : 0;
}

/* Of what is another for each device, such as a vehicle's number, all values are read each time. */
static int
find_tag(const struct choice *choice, const struct term *term, struct source *out)
{
	int r = find_tags(choice, term, FIND_TAG, tag_values, out);

	return r == 1 ? find_tags(choice, term, FIND_TAG_FOLDED, folded_value, out) : r;
}

static int
find_hardware(const struct choice *choice, const struct term *term, struct source *out)
{
	struct found_pair pair = { .first = "" };
	const char *after = NULL;
	int r, count = 0;

	while ((r = reader_next_hardware(choice->reader, after, pair.first, sizeof(pair.first), choice->err)) ==
	       0) {
		after = pair.first;
		if (++count > DIFFERENT_MAX)
			return 1;
		if (!strcasecmp(pair.first, term->value) && (r = add_value(choice, &pair, &out->values)) != 0)
			return r;
	}
	find_values(FIND_HARDWARE, out);
	return r < 0 ? r : 0;
}

static int
find_files(const struct bound_term *bound, struct source *out)
{
	if (bound->count > SOURCE_FINDS_MAX)
		return 1;
	for (out->count = 0; out->count < bound->count; out->count++)
		out->finds[out->count] =
		    (struct find){ .by = FIND_INSTALLED, .text = bound->files[out->count] };
	return 0;
}

static int
find_one(enum find_by by, const char *text, int64_t time, struct source *out)
{
	out->finds[0] = (struct find){ .by = by, .text = text, .time = time };
	out->count = 1;
	return 0;
}

static int
find_term(const struct choice *choice, const struct bound *bound, size_t place, struct source *out)
{
	const struct term *term = &bound->rule->terms[place];

	out->sure = &bound->terms[place];
	if (term->kind == TERM_SEEN)
		return find_one(
		    term->is_not ? FIND_SEEN_SINCE : FIND_SEEN_BEFORE, NULL, term_time(bound, term), out);
	if (term->kind != TERM_FIELD || term->is_not || term->test != TEST_IS)
		return 1;
	switch (term->field) {
	case FIELD_STATUS:
		return find_one(FIND_STATUS, term->value, 0, out);
	case FIELD_GROUP:
		return find_one(FIND_MEMBER, term->value, 0, out);
	case FIELD_TAG:
		return find_tag(choice, term, out);
	case FIELD_PACKAGE:
	case FIELD_VERSION:
		return find_files(&bound->terms[place], out);
	case FIELD_HARDWARE:
		return find_hardware(choice, term, out);
	case FIELD_ID:
	case FIELD_NAME:
		break;
	}
	return 1;
}

/* ---- which is the best */

static int
weigh(struct choice *choice, struct source *source)
{
	bool is_sorted = source->count > 0 && source->finds[0].by >= FIND_TAG_FOLDED;
	int64_t cost = 0;

	for (size_t i = 0; i < source->count && cost < COST_MAX; i++) {
		int64_t count = reader_count(choice->reader, &source->finds[i], COST_MAX, choice->err);

		if (count < 0)
			return (int)count;
		cost += count;
	}
	if (cost >= choice->cost || (is_sorted && cost >= COST_MAX))
		return 0;
	source_done(choice->best);
	*choice->best = *source;
	source->values.list = NULL;
	choice->cost = cost;
	return 0;
}

/* Of what is true for all devices that are meant, so not below "or" and "not". */
static int
consider(struct choice *choice, const struct bound *bound, size_t place)
{
	AUTO(source_done) struct source source = { .count = 0 };
	const struct term *term = &bound->rule->terms[place];
	const struct bound *group = bound->terms[place].group;
	int r;

	if (term->kind == TERM_AND) {
		r = consider(choice, bound, term->left);
		return r < 0 ? r : consider(choice, bound, term->right);
	}
	if (group && term->is_not)
		return 0;
	if (group)
		return consider(choice, group, group->rule->root);
	r = find_term(choice, bound, place, &source);
	return r == 0 ? weigh(choice, &source) : r < 0 ? r : 0;
}

int
source_choose(struct reader *reader, const struct bound *bound, struct source *out, struct err *err)
{
	struct choice choice = { reader, out, COST_MAX + 1, err };

	*out = (struct source){ .count = 0 };
	find_one(FIND_ALL, NULL, 0, out);
	return consider(&choice, bound, bound->rule->root);
}

/* ---- ids */

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
merge(struct ids *ids, size_t most)
{
	size_t kept = 0;

	if (ids->count > 1)
		qsort(ids->list, ids->count, sizeof(*ids->list), compare);
	for (size_t i = 0; i < ids->count && kept < most; i++)
		if (kept == 0 || strcmp(ids->list[kept - 1], ids->list[i]) != 0) {
			if (kept != i)
				memcpy(ids->list[kept], ids->list[i], sizeof(ids->list[0]));
			kept++;
		}
	ids->count = kept;
}

int
source_next(struct reader *reader, const struct source *source, const char *after, size_t most, struct ids *out,
    struct err *err)
{
	int r = 0;

	out->count = 0;
	for (size_t i = 0; r == 0 && i < source->count; i++) {
		r = reader_ids(reader, &source->finds[i], after, (int64_t)most, ids_add, out, err);
		merge(out, most);
	}
	return r;
}
