/**
 * What reading a file "assign.check" shows: the last command that was written there, when and by whom, and what
 * it would have done, or why it would have been refused. Only the newest TRIALS_MAX of all such files are
 * remembered, and none beyond a restart.
 */
#ifndef OTAFS_TRIAL_H
#define OTAFS_TRIAL_H

#include <stdio.h>

#include "otafs/core.h"

/** Collects what a trial tells. */
struct trial {
	struct core *core;
	const char *path; /**< of the file */
	char *text;
	size_t bytes;
	FILE *told; /**< to be written to */
};

/** Starts one: @who writes @command. */
int trial_open(struct core *core, const char *path, const char *who, const char *command, struct trial *out,
    struct err *err);
/** Remembers it; @r and @err are how it ended. Returns @r. */
int trial_close(struct trial *trial, int r, const struct err *err);

int trial_print(const struct core *core, const char *path, FILE *out);
void trials_free(struct core *core);

#endif
