/** An issuing CA in place of the signer's: what is in otafs/issue.h, without ota-signd. */
#ifndef TESTS_UNIT_ISSUING_H
#define TESTS_UNIT_ISSUING_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/utc.h"
#include "otafs/issue.h"

static EVP_PKEY *ca_key;
static int issue_answer; /* 0, ISSUE_NO_CA or -errno */
static int issued_count;
static int64_t issued_days;

static X509 *
make_certificate(const char *name, EVP_PKEY *key, int serial, int64_t days)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, NULL);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, ca_key, EVP_sha256());
	return certificate;
}

static char *
write_pem(X509 *certificate, size_t *bytes)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;

	PEM_write_bio_X509(bio, certificate);
	*bytes = (size_t)BIO_get_mem_data(bio, &text);
	copy = strndup(text, *bytes);
	BIO_free(bio);
	X509_free(certificate);
	return copy;
}

int
issue(struct core *core, const char *name, const char *public_pem, int64_t days, struct issued *out,
    struct err *err)
{
	BIO *bio = BIO_new_mem_buf(public_pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

	(void)core;
	assert_non_null(key);
	if (issue_answer == 0) {
		issued_days = days;
		out->chain = write_pem(make_certificate(name, key, 0x4100 + ++issued_count, days), &out->bytes);
		snprintf(out->serial, sizeof(out->serial), "%X", 0x4100 + issued_count);
		out->expires_at = utc_now() + days * 86400;
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	return issue_answer < 0 ? err_set(err, -issue_answer, "the signer is away")
	       : issue_answer   ? (err_set(err, ENOENT, "there is no issuing CA"), issue_answer)
				: 0;
}

int
issue_authorities(struct core *core, char **pem, size_t *bytes, struct err *err)
{
	(void)core, (void)pem, (void)bytes;
	return err_set(err, ENOSYS, "not of this test");
}

#endif
