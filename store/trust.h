/**
 * Trusted delegations: whom targets.json, and whom a supplier's own document, lets offer which file names.
 * (aktualizr-wire 2.9)
 */
#ifndef STORE_TRUST_H
#define STORE_TRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "store/release.h"

/** aktualizr goes no deeper. */
#define TRUST_DEPTH_MAX 5
/** Of one document; every device reads them at every change. */
#define TRUST_ROLES_MAX 64
#define TRUST_KEYS_MAX 64
/** Patterns of one delegation. */
#define TRUST_PATHS_MAX 64
/** Of all documents together: snapshot.json lists each in 64 KiB. */
#define TRUST_NODES_MAX 256

/** One delegation that can be reached from targets.json. All is borrowed. */
struct trust_node {
	const char *name;
	const json_t *keys;     /**< of the document that delegates */
	const json_t *role;     /**< its entry there */
	const json_t *document; /**< the "signed" part that was pushed, or NULL */
	int parent;             /**< the node whose document delegates; -1: targets.json */
	int depth;              /**< 1: targets.json delegates */
};

struct trust {
	struct trust_node nodes[TRUST_NODES_MAX];
	size_t count;
};

/** Checks {"keys":{},"roles":[]}; @what is named. 0 or DROP_BAD with words, or -ENOMEM. */
int trust_check(const json_t *delegations, const char *what, struct err *err);

/** A copy in which every role says whether it is terminating. NULL: no memory. */
json_t *trust_complete(const json_t *delegations);

/**
 * Finds all that can be reached: @targets is the "signed" part of targets.json, @pushed holds those of
 * delegations by name. The nearest to targets.json that names a delegation delegates it; nobody farther away
 * can take its name.
 */
void trust_walk(const json_t *targets, const json_t *pushed, struct trust *out);

/** The delegation's number, or -1. */
int trust_find(const struct trust *trust, const char *name);

/** Whether @file matches the patterns of delegation @number and of all above it. */
bool trust_allows(const struct trust *trust, int number, const char *file);

/** DROP_BAD, with EKEYREJECTED as the err's code, unless @json is signed as the one who delegates @number
 * demands.
 */
int trust_verify(const struct trust *trust, int number, const json_t *json, struct err *err);

/** DROP_BAD when @document, pushed as delegation @number, delegates a name that another has, or too deep. */
int trust_check_names(const struct trust *trust, int number, const json_t *document, struct err *err);

#endif
