/**
 * Which metadata of one repository is believed: roots in a chain, then what they vouch for. No files, no
 * network, no clock, so that tests can ask anything.  (aktualizr-wire 2.2 to 2.9; Uptane 2.1, 5.4.4)
 *
 * A document is taken first and its expiry asked afterwards, as the real client does: a document that is good
 * but expired is remembered, and an older one is a rollback from then on.
 *
 * Every function gives -EBADMSG for what the real client refuses, naming document and cause.
 */
#ifndef TESTS_DEVICE_TRUST_H
#define TESTS_DEVICE_TRUST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"

/** Limits of aktualizr's fetcher. */
#define TRUST_SMALL_MAX (64 * 1024)
#define TRUST_IMAGE_TARGETS_MAX (8 * 1024 * 1024)
/** Delegations are followed that deep. */
#define TRUST_DEPTH_MAX 5

struct trust {
	enum repository repository;
	json_t *document[ROLE_COUNT]; /**< the last one taken, whole; NULL: none */
	json_t *latest;               /**< director: the targets last seen, also when they are empty */
	bool is_unstorable; /**< director: other content under a version that is stored; nothing comes of it */
};

void trust_init(struct trust *trust, enum repository repository);
void trust_done(struct trust *trust);

/** Forgets all but the root. */
void trust_forget(struct trust *trust);

/** Most bytes that may be fetched for @role; the snapshot's come from the timestamp that was taken. */
size_t trust_limit(const struct trust *trust, enum role role);

/** The version of what was taken for @role, 0 for nothing. */
int trust_version(const struct trust *trust, enum role role);

/** Takes the first root, which has to be signed by itself. */
int trust_first_root(struct trust *trust, const char *text, size_t bytes, struct err *err);

/** Takes the next root: version exactly one more, signed by the old keys and the new. Forgets the rest. */
int trust_next_root(struct trust *trust, const char *text, size_t bytes, struct err *err);

/**
 * Takes the director's targets. Empty ones leave the ones that were taken before in use.
 *
 * @is_news: to be stored; an equal version is not.
 */
int trust_director_targets(struct trust *trust, const char *text, size_t bytes, bool *is_news, struct err *err);

int trust_timestamp(struct trust *trust, const char *text, size_t bytes, struct err *err);

/** Takes the snapshot that the timestamp names, by hash, version and length. */
int trust_snapshot(struct trust *trust, const char *text, size_t bytes, struct err *err);

/** Takes the image targets that the snapshot names, by version and, where it has one, by hash. */
int trust_image_targets(struct trust *trust, const char *text, size_t bytes, struct err *err);

/**
 * Reads a delegation, which @role (an entry of delegations.roles of @parent, a "signed" part) describes and the
 * snapshot has to list. @out is the whole document; expiry is the caller's question.
 */
int trust_delegation(const struct trust *trust, const json_t *parent, const json_t *role, const char *text,
    size_t bytes, json_t **out, struct err *err);

/** Whether the snapshot or image targets taken are the ones that are listed now, so that no other is needed. */
bool trust_is_current(const struct trust *trust, enum role role);

/** Whether what was taken last for @role is still in its time at @now. */
int trust_check_expiry(const struct trust *trust, enum role role, int64_t now, struct err *err);

/** The same for any document. */
int trust_check_document_expiry(const json_t *document, const char *what, int64_t now, struct err *err);

/** "targets" of what was taken for the targets role: file name to entry, borrowed. NULL: none. */
json_t *trust_targets(const struct trust *trust);

/** The "signed" part of what was taken for @role; NULL: nothing. */
const json_t *trust_signed(const struct trust *trust, enum role role);

/** signed.custom.correlationId of the director's targets in use; "" for none. */
const char *trust_correlation(const struct trust *trust);

#endif
