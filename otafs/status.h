/** README, keys/ and status/: what the instance is and how it does. */
#ifndef OTAFS_STATUS_H
#define OTAFS_STATUS_H

#include <stdio.h>

#include "otafs/core.h"

#define STATUS_VERSION "0.1"

int status_print_readme(struct core *core, FILE *out, struct err *err);

/** Roles, key ids, thresholds and expiry of one repository; never a private key. */
int status_print_keys(struct core *core, enum repository repository, FILE *out, struct err *err);

/** Prints report/@name (gc, limits) as ota-watcher wrote it last; nothing when it has not yet. */
int status_print_report(struct core *core, const char *name, FILE *out, struct err *err);
/** The last refusals of writes, oldest first: "TIME WHO PATH: CAUSE". @who: those of one; NULL: of all. */
int status_print_why(struct core *core, const char *who, FILE *out, struct err *err);

/** JSON: counts, the publication, the signer. */
int status_print_health(struct core *core, FILE *out, struct err *err);

/** Prometheus text format, version 0.0.4. */
int status_print_metrics(struct core *core, FILE *out, struct err *err);

#endif
