/** RSA public keys as libcrypto has them, for sign/key.c alone. */
#ifndef SIGN_RSA_H
#define SIGN_RSA_H

#include <stddef.h>

#include <openssl/evp.h>

#include "lib/digest.h"
#include "lib/err.h"

/**
 * Reads SubjectPublicKeyInfo in PEM: of 2048, 3072 or 4096 bits, with a short exponent. @id: hex SHA-256 of its
 * DER. The caller frees @out. -EBADMSG naming @what.
 */
int
rsa_read(const char *pem, const char *what, EVP_PKEY **out, char id[static DIGEST_HEX_SIZE], struct err *err);

/** SubjectPublicKeyInfo as PEM; the caller frees it. NULL: no memory. */
char *rsa_pem(EVP_PKEY *key);

/** The same of big-endian numbers; -EBADMSG naming @what. */
int rsa_pem_of(const unsigned char *modulus, size_t modulus_bytes, const unsigned char *exponent,
    size_t exponent_bytes, const char *what, char **pem, struct err *err);

/** Whether the RSASSA-PSS signature with SHA-256 and any salt is good. For several threads at once. */
int rsa_matches(
    EVP_PKEY *key, const unsigned char *signature, size_t signature_bytes, const void *data, size_t bytes);

#endif
