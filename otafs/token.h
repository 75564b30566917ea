/**
 * enroll/tokens/NAME/: certificates that many devices share until each has its own.  (aktualizr-wire 1.2)
 *
 * A token speaks as long as it is there: rmdir takes it from all who have it, at once. Its certificate is made
 * from a request that is handed in; another request replaces it.
 */
#ifndef OTAFS_TOKEN_H
#define OTAFS_TOKEN_H

#include <stdio.h>

#include "otafs/core.h"
#include "otafs/reply.h"
#include "state/token.h"

/** The expiry of all is looked at once a minute. */
#define TOKENS_MAX 1000
/** Most bytes of a write to limit and group. */
#define TOKEN_BYTES_MAX 256

/** mkdir: a token that never expires, for any number of devices. -EEXIST, -EINVAL for a bad name, -ENOSPC. */
int token_add(struct core *core, const char *name, const char *who, struct err *err);
/** rmdir: -ENOENT. Devices that it has made stay. */
int token_remove(struct core *core, const char *name, const char *who, struct err *err);
/** Finds it; -ENOENT. */
int token_find(struct core *core, const char *name, struct token *out, struct err *err);
/** Whether the certificate @serial is that of token @name: 0, or -ENOENT. */
int token_check_serial(struct core *core, const char *name, const char *serial, struct err *err);

/** Control files. expires: a form of moment.h, or "never"; limit: how many devices, or "none"; group: one
 * without a rule, or nothing; tags: all of them, as lines "NAME=VALUE". -EINVAL, -ENOENT with the cause. */
int
token_write_expires(struct core *core, const char *name, const char *text, const char *who, struct err *err);
int token_write_limit(struct core *core, const char *name, const char *text, const char *who, struct err *err);
int token_write_group(struct core *core, const char *name, const char *text, const char *who, struct err *err);
int token_write_tags(struct core *core, const char *name, const char *text, const char *who, struct err *err);

void token_print_expires(const struct token *token, FILE *out);
void token_print_limit(const struct token *token, FILE *out);
/** One line: whether devices come in by it, how many have, until when, which certificate it has. */
void token_print_status(const struct token *token, FILE *out);

/**
 * csr: a request (csr.h) with the token's name or none as its subject is answered with a chain of certificates,
 * the first of which is the token's from then on. Refused: 400 bad_request, wrong_subject; 503 no_issuing_ca.
 *
 * token_prepare() is called without the core's lock and asks the signer; 1: @reply is the answer already.
 */
int token_prepare(struct core *core, const char *name, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err);
int token_take(
    struct core *core, const char *name, void *work, const char *who, struct reply *reply, struct err *err);
void token_finish(void *work);

#endif
