/** What a rule is made of, for the files that read and follow it: others include otafs/rule.h. */
#ifndef OTAFS_TERM_H
#define OTAFS_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/find.h"

enum term_kind {
	TERM_ALL,
	TERM_AND, /**< left, right */
	TERM_OR,
	TERM_NOT,   /**< left */
	TERM_FIELD, /**< field and test */
	TERM_SEEN,  /**< seen before time, or with is_not: then or later */
};

enum term_field {
	FIELD_ID,
	FIELD_NAME,
	FIELD_TAG, /**< the one called tag */
	FIELD_HARDWARE,
	FIELD_PACKAGE, /**< value is its name; version may be NULL */
	FIELD_VERSION,
	FIELD_STATUS,
	FIELD_GROUP,
};

enum term_test { TEST_IS = 1, TEST_CONTAINS = 2, TEST_POSITION = 4 };

struct term {
	enum term_kind kind;
	size_t left, right; /**< places in rule->terms */
	enum term_field field;
	enum term_test test;
	bool is_not;
	bool is_age;  /**< time is how many seconds ago */
	int position; /**< of a character, from 1 */
	const char *tag, *value, *version;
	int64_t time;
};

struct rule {
	struct term *terms;
	size_t count, root;
	char *words; /* what the terms' texts point into */
};

struct bound;

/** What a term's value stands for at the moment. */
struct bound_term {
	char **files; /**< of a package or version: the target files, in order */
	size_t count;
	struct bound
	    *group; /**< of a group with a rule: that rule; NULL: its members were put in, or there is none */
};

/** A rule with what its names stand for. */
struct bound {
	const struct rule *rule;
	struct rule *own; /* of a group, freed with it */
	struct bound_term *terms;
	bool is_seen;   /**< it asks when devices were seen */
	bool is_status; /**< it asks what status devices have */
	int64_t now;
};

/** What a TERM_SEEN compares with. */
int64_t term_time(const struct bound *bound, const struct term *term);

/** What has to be read of a device to follow the rule, FOUND_... @sure is what is known to be true: the place
 * of a term, or NULL. */
unsigned term_needs(const struct bound *bound, const struct bound_term *sure);

/** Whether the rule is true of a device of which that was read. */
bool term_holds(const struct bound *bound, const struct bound_term *sure, const struct found *found);

#endif
