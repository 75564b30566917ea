/* Private keys that come from elsewhere. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "ceremony/private.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/key.h"

static int
start(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(private_start(&err), 0);
	return key_start(&err);
}

/* The PEM of a new RSA key. */
static int
rsa_pem(char *text, size_t room)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	int bytes;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	bytes = BIO_read(bio, text, (int)room);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return bytes;
}

static int
read_key(const char *text, int bytes, struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *secret = NULL;

	assert_int_equal(secret_copy(text, (size_t)bytes, &secret, err), 0);
	return private_read(secret, "key.pem", NULL, NULL, out, err);
}

/* Whichever character of its base64 is another one, wherever the numbers lie. */
static void
refuses_an_rsa_key_whose_numbers_do_not_fit(void **state)
{
	char text[4096];
	int bytes = rsa_pem(text, sizeof(text));
	AUTO(private_freep) struct private_key *good = NULL;
	struct err err = { 0 };
	int seen = 0;

	(void)state;
	assert_int_equal(read_key(text, bytes, &good, &err), 0);
	for (int at = 110; at < bytes - 60; at += 23) {
		AUTO(private_freep) struct private_key *key = NULL;
		char was = text[at];

		if (was == '\n')
			continue;
		text[at] = was == 'b' ? 'c' : 'b';
		assert_int_equal(read_key(text, bytes, &key, &err), -EBADMSG);
		assert_null(key);
		seen += strstr(err.text, "key.pem: RSA key is damaged: its numbers do not fit") != NULL;
		text[at] = was;
	}
	assert_true(seen > 40);
}

static void
signs_what_the_public_half_bears_out(void **state)
{
	static const enum private_type types[] = { PRIVATE_ED25519, PRIVATE_RSA2048, PRIVATE_RSA3072,
		PRIVATE_RSA4096 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		AUTO(private_freep) struct private_key *key = NULL;
		AUTO(json_decref_p) json_t *signature = NULL;

		assert_int_equal(private_new(types[i], &key, &err), 0);
		assert_int_equal(private_sign(key, "an id", "data", 4, &signature, &err), 0);
		assert_string_equal(json_text(signature, "keyid"), "an id");
		assert_int_equal(public_key_verify(private_public(key), json_text(signature, "method"),
				     json_text(signature, "sig"), "data", 4, &err),
		    0);
		assert_int_equal(public_key_verify(private_public(key), json_text(signature, "method"),
				     json_text(signature, "sig"), "dato", 4, &err),
		    -EBADMSG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_an_rsa_key_whose_numbers_do_not_fit),
		cmocka_unit_test(signs_what_the_public_half_bears_out),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
