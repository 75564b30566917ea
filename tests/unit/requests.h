/** Certification requests for tests. */
#ifndef TESTS_UNIT_REQUESTS_H
#define TESTS_UNIT_REQUESTS_H

#include "tests/unit/unit.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum request_form { REQUEST_PEM, REQUEST_DER, REQUEST_BASE64 };

/** With a 0 after the last byte. */
struct request {
	char *text;
	size_t bytes;
};

/** A part of a subject; bytes, since there may be a 0 among them. */
struct request_part {
	const char *kind, *value;
	int bytes;
};

static inline void
request_free(struct request *request)
{
	free(request->text);
}

static inline struct request
request_take(BIO *bio)
{
	struct request request;
	const char *data;

	request.bytes = (size_t)BIO_get_mem_data(bio, &data);
	request.text = calloc(1, request.bytes + 1);
	memcpy(request.text, data, request.bytes);
	BIO_free(bio);
	return request;
}

static inline struct request
request_encode(unsigned char *data, size_t bytes)
{
	struct request request = { calloc(1, bytes * 2 + 8), 0 };

	request.bytes = (size_t)EVP_EncodeBlock((unsigned char *)request.text, data, (int)bytes);
	return request;
}

static inline struct request
request_write(X509_REQ *req, enum request_form form)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct request der, request;

	if (form == REQUEST_PEM)
		assert_int_equal(PEM_write_bio_X509_REQ(bio, req), 1);
	else
		assert_int_equal(i2d_X509_REQ_bio(bio, req), 1);
	der = request_take(bio);
	if (form != REQUEST_BASE64)
		return der;
	request = request_encode((unsigned char *)der.text, der.bytes);
	request_free(&der);
	return request;
}

static inline struct request
request_for(
    const struct request_part *parts, size_t count, EVP_PKEY *key, EVP_PKEY *signer, enum request_form form)
{
	X509_REQ *req = X509_REQ_new();
	X509_NAME *name = X509_NAME_new();
	bool is_ed =
	    EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 || EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED448;
	struct request request;

	for (size_t i = 0; i < count; i++)
		assert_true(X509_NAME_add_entry_by_txt(name, parts[i].kind, V_ASN1_UTF8STRING,
		    (const unsigned char *)parts[i].value, parts[i].bytes, -1, 0));
	X509_REQ_set_subject_name(req, name);
	X509_REQ_set_pubkey(req, key);
	assert_true(X509_REQ_sign(req, signer, is_ed ? NULL : EVP_sha256()) > 0);
	request = request_write(req, form);
	X509_NAME_free(name);
	X509_REQ_free(req);
	return request;
}

static inline struct request
request_of(const struct request_part *parts, size_t count, EVP_PKEY *key, enum request_form form)
{
	return request_for(parts, count, key, key, form);
}

static inline struct request
request_signed_by(const char *cn, EVP_PKEY *key, EVP_PKEY *signer, enum request_form form)
{
	struct request_part part = { "CN", cn, cn ? (int)strlen(cn) : 0 };

	return request_for(&part, cn ? 1 : 0, key, signer, form);
}

/** For the common name @cn (NULL: an empty subject), signed by the key itself. */
static inline struct request
request_make(const char *cn, EVP_PKEY *key, enum request_form form)
{
	return request_signed_by(cn, key, key, form);
}

/** SPKI in PEM; the caller frees it. */
static inline char *
request_public(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	return request_take(bio).text;
}

/** On P-256, with the curve written out instead of named. */
static inline EVP_PKEY *
request_explicit_key(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	assert_true(EVP_PKEY_keygen_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) > 0);
	assert_true(EVP_PKEY_CTX_set_ec_param_enc(ctx, OPENSSL_EC_EXPLICIT_CURVE) > 0);
	assert_true(EVP_PKEY_keygen(ctx, &key) > 0);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

#endif
