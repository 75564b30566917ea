/**
 * Room for what comes in: nothing is taken that would leave less free on the disk than disk_reserve_mb, or let
 * the repository grow beyond store_quota_mb. What is under way is counted as if it were there, so that several
 * at once keep the bounds as well. May be used from several threads.
 *
 * With a quota a thread measures the repository at the start and every few minutes; between, what is claimed is
 * added. Without one nothing is measured.
 */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"
#include "lib/err.h"

/** What is deleted or added behind our back shows after so long. */
#define SPACE_MEASURE_SECONDS 180

struct space;

/** What somebody writes or is going to; zeroed: nothing yet. */
struct space_claim {
	struct space *space; /**< NULL: no bounds */
	uint64_t left;       /**< claimed and not written yet */
	uint64_t written;
};

/** Bounds @repository by disk_reserve_mb and store_quota_mb of @config. Starts a thread if there is a quota. */
int space_new(const char *repository, const struct config *config, struct space **out, struct err *err);
void space_free(struct space *space);
void space_freep(struct space **space);

/**
 * Claims @bytes more for @claim. Returns 0; -ENOSPC or -EDQUOT with words; waits for the first measurement if
 * it is still under way. A claim without space always succeeds.
 */
int space_claim(struct space_claim *claim, uint64_t bytes, struct err *err);

/** @bytes are about to be written: of what was claimed, and beyond it as space_claim() does. */
int space_spend(struct space_claim *claim, uint64_t bytes, struct err *err);

/** What was written stays; the rest of the claim is given up. */
void space_keep(struct space_claim *claim);

/** What was written is gone again; all of the claim is given up. */
void space_release(struct space_claim *claim);

/** @bytes were removed from the repository. */
void space_removed(struct space *space, uint64_t bytes);

#endif
