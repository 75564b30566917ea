/**
 * A thread's way into the tree: a series of its own (docs/otafs.8, gate/.series/), which stays open, so that a
 * request is one call of it (lib/exchange.h), or a write and reads if it is a long one. What the tree lacks is
 * looked for again with each request, so it may come and go.
 */
#ifndef GATEWAY_TREE_H
#define GATEWAY_TREE_H

#include <stddef.h>

#include "gateway/refusal.h"

/** A reply's body has at most 64 KiB, which is what devices read, and a head before it. */
#define TREE_REPLY_MAX ((64 + 4) * 1024)

struct tree;

/** @mount: the full tree, borrowed. @number: another one for each thread. NULL: no memory. */
struct tree *tree_new(const char *mount, int number);
void tree_free(struct tree *tree);

/** Nothing has that name. */
#define TREE_UNKNOWN 1

/**
 * Hands @body in to the transaction file @path, "ID/SERIAL/NAME" or another below gate/, which takes as long as
 * the tree takes. Returns 0 and how the answer begins, which is in CGI form; TREE_UNKNOWN; or -1 with @refusal
 * set.
 */
int tree_hand_in(struct tree *tree, const char *path, const char *body, size_t bytes, const char **answer,
    struct refusal *refusal);

/** The whole answer of the last tree_hand_in(), which the caller frees: it is committed, so there is one,
 * memory or not. */
char *tree_take_answer(struct tree *tree, size_t *bytes);

#endif
