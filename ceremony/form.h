/**
 * What a document has to look like so that aktualizr, garage-sign and ota-tuf read it.  (aktualizr-wire 2.3 to
 * 2.9, 6.2)
 */
#ifndef CEREMONY_FORM_H
#define CEREMONY_FORM_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "lib/role.h"

/** Of roots, snapshots, timestamps, and of a director's targets. */
#define FORM_SMALL_MAX (64 * 1024)
/** Of an image repository's targets and delegations; 64 KiB below what devices read, as the server wants it. */
#define FORM_LARGE_MAX (8 * 1024 * 1024 - 64 * 1024)

/** The role of a "signed" part by its _type, as devices read it; -1: none. */
int form_role(const json_t *signed_part);

/** The repository that a "signed" part of type Targets is of, as far as its entries tell; -1: they do not. */
int form_repository(const json_t *signed_part);

/**
 * Checks the form of any envelope: its size as it is (@bytes, 0 for the canonical form), type, version, expiry
 * after @now, ASCII, no reals, and what its type demands. Not its signatures. @what is named in the reason.
 * Returns 0, -EBADMSG, or -ENOMEM.
 */
int form_check(const json_t *envelope, size_t bytes, int64_t now, const char *what, struct err *err);

/** Checks one entry of "targets". @repository: whose, or -1 for either. */
int form_check_target(const char *file, const json_t *target, int repository, struct err *err);

/** The delegation @name of a "signed" part; NULL: it has none. Borrowed. */
json_t *form_delegation(const json_t *signed_part, const char *name);

/** Appends to @out, an array, one text for each thing that is allowed and will be regretted. -ENOMEM. */
int form_warn(const json_t *envelope, int64_t now, json_t *out, struct err *err);

#endif
