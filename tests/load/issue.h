/**
 * Certificates for a crowd: one private key for all devices, and for each a certificate of its own, with the
 * serial number that ota-load makes known to the tree.
 */
#ifndef TESTS_LOAD_ISSUE_H
#define TESTS_LOAD_ISSUE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/err.h"

/** Of every device's certificate: as a number, and as the name of a folder. */
#define ISSUE_SERIAL 10
#define ISSUE_SERIAL_TEXT "0A"

struct issuer;

/** Reads device-ca.pem and device-ca.key of the folder @pki, which ota-pki made. */
int issuer_open(const char *pki, struct issuer **out, struct err *err);
void issuer_free(struct issuer *issuer);
void issuer_freep(struct issuer **issuer);

/** The private key of all devices; borrowed. */
EVP_PKEY *issuer_key(const struct issuer *issuer);

/** A certificate for the device @name; the caller frees it. */
int issuer_issue(const struct issuer *issuer, const char *name, X509 **out, struct err *err);

#endif
