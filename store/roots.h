/**
 * What somebody may still need: the contents from which everything else in the store is found.
 *
 * Roots are the targets of published/current and of sets that devices may still be reading, top-level and of
 * delegations; all refs; and what the fleet runs and is assigned.
 */
#ifndef STORE_ROOTS_H
#define STORE_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"

/** A device that read a timestamp takes no longer to fetch what it leads to. */
#define ROOTS_SET_SECONDS 600
/** Refs of a store of many years; more are taken for a mistake, and nothing is collected. */
#define ROOTS_REFS_MAX 200000

/** Formats of a root, as bits; where metadata does not say, both. */
enum { ROOT_OSTREE = 1, ROOT_BINARY = 2 };

struct root {
	char sha256[DIGEST_HEX_SIZE];
	unsigned char formats;
	bool is_promised; /**< all of it has to be here: a ref, or a published target without a uri */
	bool is_current;  /**< a target of published/current */
	uint64_t length;  /**< of a published binary */
	char *name;       /**< "target app-1", "ref app", "a device": for a reason */
};

struct roots {
	bool is_published; /**< there is a published/current */
	struct root *list; /**< sorted by sha256, each name once */
	size_t count, room;
};

/**
 * Reads all roots of the folder @repository; @fleet is the folder of fleet.json. Release them with
 * roots_done().
 *
 * What moves on from one kind of root to another (a ref's commit is published, a published target is assigned
 * and then retired) is in both for a while; the kinds are read in that order, so that nothing is missed in
 * between.
 *
 * Returns 0; or -errno when any of it cannot be read or understood: then nobody knows what is needed.
 */
int roots_read(int repository, const char *fleet, struct roots *roots, struct err *err);
void roots_done(struct roots *roots);

/** A mark that changes when a ref, published/current or fleet.json does. */
uint64_t roots_mark(int repository, const char *fleet);

#endif
