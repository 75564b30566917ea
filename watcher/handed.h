/**
 * A drop that is a signed document, made where the keys are: a root of either repository, the image
 * repository's targets, or a supplier's delegation. It is published byte for byte, if those signed it who have
 * to.
 *
 * A root is a draft folder (sign/draft.h) with enough signatures, or, like the others, one file with a
 * push.json that is one of
 *
 *     {"root":"image"}  {"root":"director"}  {"targets":"image"}  {"delegation":"supplier"}
 *
 * Whoever may drop can hand in what the thresholds of the present root signed, and nothing else.
 */
#ifndef WATCHER_HANDED_H
#define WATCHER_HANDED_H

#include <stdbool.h>

#include "sign/client.h"
#include "store/image.h"
#include "store/trust.h"

enum handed_kind { HANDED_NONE, HANDED_ROOT, HANDED_TARGETS, HANDED_DELEGATION };

struct handed {
	enum handed_kind kind;
	enum repository repository;               /**< of a root */
	char delegation[NAME_DELEGATION_MAX + 1]; /**< its name */
	char *text;
	size_t bytes;
	int version;        /**< 0: not known yet */
	const char *result; /**< for the receipt, once it is published */
	char next[512];     /**< what happens now; may be empty */
};

/** Whether the folder @name below @dir is a draft. */
bool handed_is_draft(int dir, const char *name);

/** Whether push.json @push says that the drop is a document. */
bool handed_is_meant(const json_t *push);

/**
 * Reads the draft @name below @dir. 0; DROP_BAD, also when signatures are missing, with words that say whose;
 * or -errno. Ended with handed_done() in every case.
 */
int handed_read_draft(struct handed *handed, int dir, const char *name, struct err *err);

/** Reads @file below @dir, which @push says is a document. 0, DROP_BAD, or -errno. */
int handed_read(struct handed *handed, int dir, const char *file, const json_t *push, struct err *err);
void handed_done(struct handed *handed);

/** Publishes it; the same once more is done already. 0, DROP_BAD, or -errno, when it may be repeated. */
int handed_publish(struct handed *handed, struct image *image, struct client *signer, struct err *err);

/** A new object for the receipt; NULL: no memory. */
json_t *handed_receipt(const struct handed *handed);

/** "root 3 of the director repository", for status and log. */
void handed_summary(const struct handed *handed, char *text, size_t room);

#endif
