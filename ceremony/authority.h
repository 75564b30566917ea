/**
 * Who may sign a document: the keys that a root gives its role, or that a parent gives a delegation.
 */
#ifndef CEREMONY_AUTHORITY_H
#define CEREMONY_AUTHORITY_H

#include <jansson.h>
#include <stdbool.h>

#include "ceremony/arguments.h"
#include "lib/err.h"
#include "lib/role.h"

struct authority {
	json_t *document;     /**< the envelope that says it; owned. NULL: nobody says it, any key may sign */
	const json_t *keys;   /**< id to key */
	const json_t *keyids; /**< array */
	const json_t *delegation; /**< the entry of a delegation, or NULL */
	int threshold;
};

void authority_done(struct authority *authority);

/**
 * Finds who may sign @envelope, which is in @file: of --parent DOC the delegation --delegation NAME (else the
 * name of @file without .json), else of --root ROOT.json the role, else for a root its own keys. A parent has
 * to be signed as --root says, when both are given. -EBADMSG, -ENOENT or -errno with words.
 */
int authority_open(const struct arguments *arguments, const char *file, const json_t *envelope,
    struct authority *out, struct err *err);

/** -EBADMSG unless enough have signed @envelope, and all its targets lie below the delegation's paths. */
int
authority_verify(const struct authority *authority, const json_t *envelope, const char *what, struct err *err);

/** How many different keys have signed @envelope well. */
int authority_count(const struct authority *authority, const json_t *envelope);

/** Whether signature @at of @envelope is good and of one who may sign. */
bool authority_accepts(const struct authority *authority, const json_t *envelope, size_t at);

/** Takes out the signatures that do not fit the content, or are of others. Returns how many. */
int authority_prune(const struct authority *authority, json_t *envelope);

/** Checks that delegation's paths allow every target of @signed_part; 0 when it is no delegation. */
int authority_check_paths(const struct authority *authority, const json_t *signed_part, struct err *err);

#endif
