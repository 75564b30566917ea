/** The published set: timestamp names snapshot, snapshot names targets, root and delegations, each as it is. */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "lib/err.h"

/** Called for each finding with the document's name and words. */
typedef void chain_bad_fn(void *data, const char *name, const char *words);

/**
 * Checks published/current below the folder @repository, all of one set whatever is published meanwhile:
 * versions, and lengths and hashes where they are given. 0 or -errno when it cannot be read.
 */
int chain_check(int repository, chain_bad_fn *bad, void *data, struct err *err);

#endif
