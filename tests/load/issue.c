#include "tests/load/issue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/pem.h>

#include "lib/cleanup.h"

#define DAY_SECONDS 86400

struct issuer {
	X509 *ca;
	EVP_PKEY *ca_key, *key;
};

void
issuer_free(struct issuer *issuer)
{
	if (!issuer)
		return;
	X509_free(issuer->ca);
	EVP_PKEY_free(issuer->ca_key);
	EVP_PKEY_free(issuer->key);
	free(issuer);
}

void
issuer_freep(struct issuer **issuer)
{
	issuer_free(*issuer);
}

static FILE *
open_in(const char *folder, const char *name, struct err *err)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		err_sys(err, "%s", path);
	return file;
}

int
issuer_open(const char *pki, struct issuer **out, struct err *err)
{
	AUTO(issuer_freep) struct issuer *issuer = calloc(1, sizeof(*issuer));
	AUTO(fclose_p) FILE *ca = open_in(pki, "device-ca.pem", err);
	AUTO(fclose_p) FILE *key = open_in(pki, "device-ca.key", err);

	if (!issuer)
		return err_set(err, ENOMEM, "no memory for an issuer");
	if (!ca || !key)
		return -err->code;
	issuer->ca = PEM_read_X509(ca, NULL, NULL, NULL);
	issuer->ca_key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	issuer->key = EVP_EC_gen("P-256");
	if (!issuer->ca || !issuer->ca_key || !issuer->key)
		return err_set(err, EINVAL, "%s: its device CA cannot be read", pki);
	*out = MOVE(issuer);
	return 0;
}

EVP_PKEY *
issuer_key(const struct issuer *issuer)
{
	return issuer->key;
}

static int
fill(const struct issuer *issuer, const char *name, X509 *x)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), ISSUE_SERIAL) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -DAY_SECONDS) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), DAY_SECONDS) &&
	       X509_NAME_add_entry_by_txt(
		   subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) &&
	       X509_set_issuer_name(x, X509_get_subject_name(issuer->ca)) && X509_set_pubkey(x, issuer->key) &&
	       X509_sign(x, issuer->ca_key, EVP_sha256());
}

int
issuer_issue(const struct issuer *issuer, const char *name, X509 **out, struct err *err)
{
	X509 *x = X509_new();

	if (!x || !fill(issuer, name, x)) {
		X509_free(x);
		return err_set(err, EINVAL, "no certificate for %s", name);
	}
	*out = x;
	return 0;
}
