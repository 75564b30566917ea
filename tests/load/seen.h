/** What one device was given of its targets.json: each version has the same bytes whoever reads it. */
#ifndef TESTS_LOAD_SEEN_H
#define TESTS_LOAD_SEEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/** A device gets no more versions in one run. */
#define SEEN_VERSIONS_MAX 1000000

struct seen;

/** @root: the root that the documents are signed by, borrowed; @first: no version is below. */
int seen_new(const json_t *root, long first, struct seen **out, struct err *err);
void seen_free(struct seen *seen);

/** The version of @body, at its end as canonical JSON has it; -1: it has none. Verifies nothing. */
long seen_version(const char *body, size_t bytes);

/** Verifies @body: the first time of a version its signature, each time after that that it is the same. For any
 * thread. -EBADMSG. */
int seen_check(struct seen *seen, const char *body, size_t bytes, struct err *err);

/** How many versions were seen. */
size_t seen_count(const struct seen *seen);

#endif
