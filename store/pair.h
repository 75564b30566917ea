/**
 * Which static deltas are wanted, and making them: from what devices run to what they are going to be assigned.
 *
 * A function of the publication and of fleet.json: to the newest published version of each package for each
 * hardware id and to every assigned target; from the commits that devices with that hardware id run, most
 * devices first. There is no list of what was done: what is there is looked at. Deltas that turned out to save
 * nothing are remembered, with 0 bytes, in report/deltas.json.
 */
#ifndef STORE_PAIR_H
#define STORE_PAIR_H

#include "lib/config.h"
#include "store/child.h"

/** Starting points for one target: what most devices run. */
#define PAIR_FROM_MAX 8
/** report/deltas.json, below the repository: {"TO":[{"from":HEX or null,"bytes":N,"saved":N}]} */
#define PAIR_REPORT "report/deltas.json"
/** It is read back; a line is some 120 bytes. */
#define PAIR_REPORT_MAX (16 * 1024 * 1024)

struct pairs;

/** Pairs that failed are remembered in memory for as long as the object lives. NULL: no memory. */
struct pairs *pairs_new(const struct config *config);
void pairs_free(struct pairs *pairs);
void pairs_freep(struct pairs **pairs);

/** There is nothing more to be made now. */
#define PAIR_NONE 1

/**
 * Makes the one delta that is wanted most and is not there, or takes away what is too much, and writes the
 * report. To be called again until it returns PAIR_NONE. 0, PAIR_NONE, -ECANCELED when @is_stopped said so, or
 * another -errno.
 */
int pairs_step(struct pairs *pairs, child_stop *is_stopped, void *data, struct err *err);

#endif
