/**
 * The issuing CA: its private key, made here and never leaving, and what certifies it.
 *
 * Below the folder of the keys: issuer/ID.key (PKCS #8, 0600), ID being the SHA-256 of its public key, and
 * issuer/chain.pem: the issuing CA's certificate, then those above it, the root last. The key of chain.pem
 * issues; the one that issuer/pending names is for a request that was not answered yet, and takes over with its
 * chain. All others are what a crash left: they are deleted.
 * Callers see to it that one call is made at a time.
 */
#ifndef SIGN_ISSUER_H
#define SIGN_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"

/** Its name in the folder of the keys. */
#define ISSUER_FOLDER "issuer"
/** How the CA is called when nobody says. */
#define ISSUER_NAME "otafs issuing CA"
/** A common name (RFC 5280, ub-common-name). */
#define ISSUER_NAME_MAX 64

struct issuer;

/** Opens it below the folder @dir; there need not be one. A damaged or missing key is logged, and then nothing
 * is issued: the rest of ota-signd has to go on. */
int issuer_open(int dir, struct issuer **out, struct err *err);
void issuer_free(struct issuer *issuer);
void issuer_freep(struct issuer **issuer);

/**
 * The request (PKCS #10, PEM) of a CA called @name, for whoever holds the CA above. Asked for again it is for
 * the same key; @is_new_key: for another one than the one that issues now, which goes on until a chain for the
 * new one is installed. The caller frees @pem.
 */
int issuer_request(
    struct issuer *issuer, const char *name, bool is_new_key, char **pem, size_t *bytes, struct err *err);

/**
 * Takes the answer to the request: a chain that x509_chain_check() finds good, whose first certificate is for a
 * key that is here. Other keys are deleted. @told: a line for the log. -EBADMSG; -ENOKEY for another key.
 */
int issuer_install(struct issuer *issuer, const char *pem, size_t bytes, int64_t now,
    char told[static ERR_TEXT_MAX], struct err *err);

/** There is no chain, or its key was lost: the reason is in @err. */
#define ISSUER_NONE 1

/** The chain as it was installed; the caller frees it. 0, ISSUER_NONE or -errno. */
int issuer_chain(const struct issuer *issuer, char **pem, size_t *bytes, struct err *err);

/** A certificate that was made. */
struct issuer_made {
	char *pem; /**< it, and the CAs above without the root */
	size_t bytes;
	char serial[NAME_SERIAL_MAX + 1];
	char sha256[DIGEST_HEX_SIZE]; /**< of its DER */
	int64_t expires_at;
};
void issuer_made_done(struct issuer_made *made);

/** Certifies for @days from @now, or until the first of the CAs ends, that @name holds @public_pem; the caller
 * ends @out with issuer_made_done(). 0; ISSUER_NONE; -EINVAL; -EKEYEXPIRED. */
int issuer_make(const struct issuer *issuer, const char *name, const char *public_pem, int64_t days,
    int64_t now, struct issuer_made *out, struct err *err);

/** A revocation list of @serials (hex, as name_check_serial() has them), of which the next is to come within
 * @days: PEM, which the caller frees. 0; ISSUER_NONE; -EINVAL. */
int issuer_revoke(const struct issuer *issuer, const char *const *serials, size_t count, int64_t days,
    int64_t now, char **pem, size_t *bytes, struct err *err);

#endif
