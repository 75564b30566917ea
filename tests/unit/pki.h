/** Certificates and revocation lists for tests, all of one key. */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static inline X509_NAME *
pki_name(const char *cn)
{
	X509_NAME *name = X509_NAME_new();

	assert_int_equal(
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0), 1);
	return name;
}

/** Appends the certificate @cn of @issuer to the file at @path; it ends at @expires_at. */
static inline void
pki_certificate(const char *path, const char *cn, const char *issuer, time_t expires_at)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_NAME *subject = pki_name(cn), *by = pki_name(issuer);
	X509 *x509 = X509_new();
	FILE *file = fopen(path, "a");

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 4711);
	ASN1_TIME_set(X509_getm_notBefore(x509), expires_at - 100000);
	ASN1_TIME_set(X509_getm_notAfter(x509), expires_at);
	X509_set_subject_name(x509, subject);
	X509_set_issuer_name(x509, by);
	X509_set_pubkey(x509, key);
	if (!strcmp(cn, issuer)) {
		X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

		X509_add_ext(x509, ca, -1);
		X509_EXTENSION_free(ca);
	}
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, x509), 1);
	fclose(file);
	X509_free(x509);
	X509_NAME_free(subject);
	X509_NAME_free(by);
	EVP_PKEY_free(key);
}

/** Appends a revocation list of @issuer; @expires_at 0: it has no next one. */
static inline void
pki_list(const char *path, const char *issuer, time_t expires_at)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_NAME *by = pki_name(issuer);
	ASN1_TIME *time = ASN1_TIME_set(NULL, expires_at ? expires_at - 1000 : 1000);
	X509_CRL *crl = X509_CRL_new();
	FILE *file = fopen(path, "a");

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, by);
	X509_CRL_set1_lastUpdate(crl, time);
	if (expires_at)
		X509_CRL_set1_nextUpdate(crl, ASN1_TIME_set(time, expires_at));
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
	fclose(file);
	X509_CRL_free(crl);
	X509_NAME_free(by);
	ASN1_TIME_free(time);
	EVP_PKEY_free(key);
}

#endif
