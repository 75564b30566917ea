/**
 * What the image repository offers, as ota-signd was shown it: so that no director document is signed that
 * names anything else.  (Uptane 2.1, 5.4.4.6; aktualizr-wire 2.8, 2.9)
 *
 * Everything that counts is verified here: targets.json with a root that the signer holds, delegated documents
 * with the keys that the document above gives them. Who shows it needs no trust. It shows "targets" first, then
 * each delegated document after one that delegates it, and then says that this is all; until then the set
 * before counts.
 *
 * A target is looked for as aktualizr does: in targets.json, then down the delegations in their order, as far
 * as the paths match the name; never below a terminating one, nor deeper than five; expired ones are passed
 * over.
 */
#ifndef SIGN_CATALOG_H
#define SIGN_CATALOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "sign/form.h"

/** Text of one set: targets.json has at most 8 MiB. */
#define CATALOG_BYTES_MAX (64 * 1024 * 1024)
/** Documents of one set, and those that are looked into for one target. */
#define CATALOG_ROLES_MAX 1024
/** aktualizr follows delegations so deep. */
#define CATALOG_DEPTH_MAX 5
/** What was shown may be older than what the newest snapshot offers for so long: a publication takes its time.
 */
#define CATALOG_BEHIND_SECONDS 600

struct catalog;

/** NULL: no memory. */
struct catalog *catalog_new(void);
void catalog_free(struct catalog *catalog);
void catalog_freep(struct catalog **catalog);

/** The roots of the image repository that targets.json may be under. */
struct catalog_roots {
	int newest, oldest;
	/** Reads the root @version; the caller releases the whole envelope. */
	int (*read)(void *context, int version, json_t **envelope, struct err *err);
	void *context;
};

/**
 * Begins a set with targets.json, the envelope @file of @bytes: verified with the newest of @roots that bears
 * it out. -EBADMSG; -ESTALE when its version is below one that was shown before; -E2BIG.
 */
int catalog_begin(struct catalog *catalog, const json_t *file, size_t bytes, const struct catalog_roots *roots,
    struct err *err);

/** Adds the delegated document @name, which a document of the set delegates. The same again is no error: others
 * that delegate it too may have come since. */
int catalog_add(struct catalog *catalog, const char *name, const json_t *file, size_t bytes, struct err *err);

/** From here on that set counts. */
int catalog_end(struct catalog *catalog, struct err *err);

/** The version of the targets.json that counts, and of its root; 0: nothing was shown yet. */
int catalog_version(const struct catalog *catalog);
int catalog_root(const struct catalog *catalog);

/**
 * Holds director targets against the set: each of them is there with the same length, sha256 and format, and
 * for each of its hardware ids. Returns 0, or -EPERM naming @form's device, the target and what does not fit.
 * None is always right.
 */
int catalog_check(const struct catalog *catalog, const struct form *form, int64_t now, struct err *err);

#endif
