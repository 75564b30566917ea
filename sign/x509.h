/**
 * Certificates as ota-signd makes and checks them.  (RFC 5280; PEM of RFC 7468, requests of RFC 2986)
 *
 * Private keys come from libcrypto here, since a CA of a TLS server's clients has to be EC or RSA: they lie in
 * its locked heap.
 */
#ifndef SIGN_X509_H
#define SIGN_X509_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"

/** Certificates of a chain, the root included; more no TLS server follows as it is set here. */
#define X509_CHAIN_MAX 4
/** Four certificates of RSA-4096 with a page of extensions each have 12 KiB. */
#define X509_CHAIN_BYTES_MAX (32 * 1024)

void x509_key_freep(EVP_PKEY **key);
void x509_freep(X509 **x509);

/** To be called once before there are private keys. */
void x509_start(void);

/** Makes a private key, EC P-256. */
int x509_key_new(EVP_PKEY **out, struct err *err);
/** Reads and writes a private key without a passphrase (PKCS #8); the caller wipes and frees @pem. @what is
 * named in the reason. */
int x509_key_read(const char *pem, size_t bytes, const char *what, EVP_PKEY **out, struct err *err);
int x509_key_write(const EVP_PKEY *key, char **pem, size_t *bytes, struct err *err);
/** SHA-256 of the key's SubjectPublicKeyInfo. */
int x509_key_id(const EVP_PKEY *key, char id[static DIGEST_HEX_SIZE], struct err *err);

/** Reads a public key (SPKI): EC P-256 or P-384, RSA of 2048 to 4096 bits, or Ed25519; -EINVAL for others. */
int x509_public_read(const char *pem, EVP_PKEY **out, struct err *err);

/** CA certificates, each signed by the next. */
struct x509_chain {
	X509 *list[X509_CHAIN_MAX];
	int count;
};

/** Reads what is in @pem, whatever it is; blocks of other kinds are skipped. -EBADMSG when there is no
 * certificate, a damaged one, or more than X509_CHAIN_MAX. */
int x509_chain_read(const char *pem, size_t bytes, struct x509_chain *out, struct err *err);
void x509_chain_done(struct x509_chain *chain);

/**
 * Whether the first of @chain may issue certificates of clients at @now: it has pathlen 0, each is signed by
 * the next, the last one by itself, none has expired, and none forbids what is below it. -EBADMSG with words.
 */
int x509_chain_check(const struct x509_chain *chain, int64_t now, struct err *err);

/** When the first one of them ends. */
int64_t x509_chain_end(const struct x509_chain *chain);

/** "CN=...,O=..." in printable ASCII. */
#define X509_NAME_SIZE 160
const char *x509_name(const X509 *x509, char name[static X509_NAME_SIZE]);
/** notAfter in seconds. */
int64_t x509_end(const X509 *x509);

/** Writes @count certificates as PEM, with a 0 after the last byte; the caller frees it. */
int x509_write(X509 *const *list, int count, char **pem, size_t *bytes, struct err *err);

/** A request (PKCS #10) for an issuing CA called @name that holds @key, as PEM; the caller frees it. */
int x509_request(EVP_PKEY *key, const char *name, char **pem, size_t *bytes, struct err *err);

/** A certificate that is to be made. */
struct x509_wish {
	const char *name; /**< becomes the subject, as its only common name */
	EVP_PKEY *key;    /**< whom it speaks of, public */
	int64_t from, end;
	X509 *issuer;
	EVP_PKEY *issuer_key;
};

/** Makes the certificate of a TLS client: digitalSignature, clientAuth, no CA, and a serial number of 16 random
 * octets. */
int x509_make(const struct x509_wish *wish, X509 **out, struct err *err);

/** A revocation list that is to be made. */
struct x509_revocation {
	const char *const *serials; /**< hex */
	size_t count;
	int64_t now, next; /**< made, and the next one by then */
	X509 *issuer;
	EVP_PKEY *issuer_key;
};

/** Makes a revocation list (CRL) as PEM, numbered by its time; the caller frees it. -EINVAL for a CA that
 * may not sign any. */
int x509_revoke(const struct x509_revocation *list, char **pem, size_t *bytes, struct err *err);

/** The serial number as upper-case hex, at most NAME_SERIAL_MAX digits. */
int x509_serial(const X509 *x509, char *serial, size_t room, struct err *err);
/** SHA-256 of the whole certificate. */
int x509_digest(const X509 *x509, char hex[static DIGEST_HEX_SIZE], struct err *err);

#endif
