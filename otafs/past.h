/** devices/ID/installations: what became of each assignment, one line each, oldest first. */
#ifndef OTAFS_PAST_H
#define OTAFS_PAST_H

#include <stdio.h>

#include "otafs/core.h"
#include "state/installation.h"

/**
 * "TIME installed app-2.0 on ECU prim, assigned TIME, read after 12 s, finished after 4 min 3 s, CORRELATION"
 * and, where there are any, code and words: ": CODE: WORDS". Times count from when it was assigned.
 */
int past_print(struct core *core, const struct device *device, FILE *out, struct err *err);

/** The lines of one ECU, @before in front of each. */
int past_print_ecu(struct core *core, const struct device *device, const char *ecu, const char *before,
    FILE *out, struct err *err);

#endif
