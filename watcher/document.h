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
#ifndef WATCHER_DOCUMENT_H
#define WATCHER_DOCUMENT_H

#include <stdbool.h>

#include "sign/client.h"
#include "store/image.h"
#include "store/trust.h"

enum document_kind { DOCUMENT_NONE, DOCUMENT_ROOT, DOCUMENT_TARGETS, DOCUMENT_DELEGATION };

struct document {
	enum document_kind kind;
	enum repository repository;          /**< of a root */
	char delegation[TRUST_NAME_MAX + 1]; /**< its name */
	char *text;
	size_t bytes;
	int version;        /**< 0: not known yet */
	const char *result; /**< for the receipt, once it is published */
	char next[512];     /**< what happens now; may be empty */
};

/** Whether the folder @name below @dir is a draft. */
bool document_is_draft(int dir, const char *name);

/** Whether push.json @push says that the drop is a document. */
bool document_is_meant(const json_t *push);

/**
 * Reads the draft @name below @dir. 0; DROP_BAD, also when signatures are missing, with words that say whose;
 * or -errno. Ended with document_done() in every case.
 */
int document_read_draft(struct document *document, int dir, const char *name, struct err *err);

/** Reads @file below @dir, which @push says is a document. 0, DROP_BAD, or -errno. */
int document_read(struct document *document, int dir, const char *file, const json_t *push, struct err *err);
void document_done(struct document *document);

/** Publishes it; the same once more is done already. 0, DROP_BAD, or -errno, when it may be repeated. */
int document_publish(struct document *document, struct image *image, struct client *signer, struct err *err);

/** A new object for the receipt; NULL: no memory. */
json_t *document_receipt(const struct document *document);

/** "root 3 of the director repository", for status and log. */
void document_summary(const struct document *document, char *text, size_t room);

#endif
