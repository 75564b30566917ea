/** The requests of ota-signd that concern the issuing CA: who may ask, what is logged. (sign/issuer.h) */
#ifndef SIGN_CERTIFY_H
#define SIGN_CERTIFY_H

#include <jansson.h>

#include "sign/answer.h"

/** Ten years; a list that is over keeps every device out. */
#define CERTIFY_CRL_DAYS_MAX 3650

/** Each decides one request as answer() does: a code, and its payload. */

/** "issue" with "name", "public" and "days": for the director's signer alone. The chain. */
int certify_issue(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

/** "issuer": the CAs, for everybody; they are public. */
int certify_show(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

/** "issuer_request" with "name" and "new_key": for the administrator. */
int certify_request(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

/** "issuer_install" with "chain": for the administrator. Nothing. */
int certify_install(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

/** "issuer_crl" with "serials" and "days": for the administrator. The revocation list. */
int certify_revoke(
    struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

#endif
