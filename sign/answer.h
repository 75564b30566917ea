/**
 * Decides requests of ota-signd: who may ask what, without the socket and its threads. (sign/request.h)
 */
#ifndef SIGN_ANSWER_H
#define SIGN_ANSWER_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"
#include "sign/catalog.h"
#include "sign/issuer.h"
#include "sign/journal.h"
#include "sign/keyring.h"
#include "sign/ledger.h"
#include "sign/policy.h"

/** What answers come from; all borrowed. */
struct book {
	const struct policy *policy;
	struct keyring *keyring;
	struct ledger *ledger;
	struct journal *journal;
	struct catalog *catalog;
	struct issuer *issuer;
	uid_t uid;            /**< whose request it is, for the log */
	size_t request_bytes; /**< its length */
};

/**
 * Decides one request of user @uid, one at a time: the reply's code, and its payload in @payload, which the
 * caller wipes and frees (it may be a private key). A negative code has its reason in @err instead.
 */
int answer(struct book *book, uid_t uid, const char *request, size_t bytes, char **payload,
    size_t *payload_bytes, struct err *err);

#endif
