/**
 * The expiry guardian: says of all that expires (lifetime.h) how long it still lives, who renews it and how, in
 * status/expiring, the metrics, health.json and the log.
 *
 * States: fine; soon and due, at most 30 and 7 days before the end of what somebody has to renew; due also for
 * what the programs renew and have not, an hour after they should have; EXPIRED; and "not known".
 */
#ifndef OTAFS_EXPIRY_H
#define OTAFS_EXPIRY_H

#include <jansson.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "otafs/core.h"

/** Files are read at most once in so many seconds. */
#define EXPIRY_SECONDS 60
/** So long after it was due a renewal by the programs counts as missed. */
#define EXPIRY_OVERDUE_SECONDS 3600
/** Device certificates are counted again after so long when none has changed: counting takes a moment. */
#define EXPIRY_COUNT_SECONDS 600
/** From so many certificates on, who asks is told a count that is at most so old, and not to the last one. */
#define EXPIRY_MANY 20000
#define EXPIRY_MANY_SECONDS 120

/** Makes core->expiry, which knows nothing before the first look. */
int expiry_open(struct core *core, struct err *err);
void expiry_close(struct core *core);

/** Reads what is in files, before anybody can ask. The devices' certificates are left for the first look, or
 * who asks before it: a start does not wait until a fleet is counted. */
void expiry_begin(struct core *core, int64_t now);

/**
 * Reads what is in files when that is due, and logs what has come nearer: once each at 30, 14, 7, 3 and 1 days,
 * and at the end; of what the programs renew when that is overdue at two looks, a minute apart. To be called
 * now and then. Files are read, the signer is asked and devices' certificates are counted without the core's
 * lock; only one thread may call this.
 */
void expiry_look(struct core *core, int64_t now);

/** status/expiring for people, and for programs. */
int expiry_print(struct core *core, int64_t now, FILE *out, struct err *err);
int expiry_print_json(struct core *core, int64_t now, FILE *out, struct err *err);

/** Its part of status/metrics. */
int expiry_print_metrics(struct core *core, int64_t now, FILE *out, struct err *err);

/** Appends sentences: to @problems what devices suffer from, to @warnings what they will. */
int expiry_tell(struct core *core, int64_t now, json_t *problems, json_t *warnings, struct err *err);

#endif
