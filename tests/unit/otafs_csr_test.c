/* Certification requests in their forms, and what they may ask. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/csr.h"
#include "tests/unit/fault.h"
#include "tests/unit/requests.h"

static int
reads(const char *text, size_t bytes, struct csr *csr, struct err *err)
{
	int r;

	memset(err, 0, sizeof(*err));
	r = csr_read(text, bytes, csr, err);
	if (r < 0)
		assert_null(csr->public_pem);
	return r;
}

static void
takes(const char *text, size_t bytes, const char *name, EVP_PKEY *key)
{
	AUTO(free_p) char *expected = request_public(key);
	struct csr csr;
	struct err err;

	if (reads(text, bytes, &csr, &err) < 0)
		fail_msg("refused: %s", err.text);
	assert_string_equal(csr.name, name);
	assert_string_equal(csr.public_pem, expected);
	free(csr.public_pem);
}

static void
refuses(const char *text, size_t bytes, const char *words)
{
	struct csr csr;
	struct err err;

	assert_int_equal(reads(text, bytes, &csr, &err), -EBADMSG);
	assert_reason(err, words);
}

static void
reads_the_forms_in_which_requests_come(void **unused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct request pem = request_make("car7", key, REQUEST_PEM);
	struct request der = request_make("car7", key, REQUEST_DER);
	struct request line = request_make("car7", key, REQUEST_BASE64);
	char text[8192];

	(void)unused;
	takes(pem.text, pem.bytes, "car7", key);
	takes(der.text, der.bytes, "car7", key);
	takes(line.text, line.bytes, "car7", key);
	snprintf(text, sizeof(text), "words before it\n%s", pem.text);
	takes(text, strlen(text), "car7", key);
	/* As openssl base64 breaks it, with the line ends of another system. */
	snprintf(text, sizeof(text), "%.64s\r\n%s\r\n", line.text, line.text + 64);
	takes(text, strlen(text), "car7", key);
	request_free(&pem);
	request_free(&der);
	request_free(&line);
	EVP_PKEY_free(key);
}

static void
takes_the_keys_that_the_issuing_ca_certifies(void **unused)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-384"), EVP_RSA_gen(2048), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		struct request request = request_make("a.b_c+d:e-f", keys[i], REQUEST_PEM);

		takes(request.text, request.bytes, "a.b_c+d:e-f", keys[i]);
		request_free(&request);
		EVP_PKEY_free(keys[i]);
	}
}

static void
refuses_other_keys(void **unused)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-521"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(1024),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), request_explicit_key() };

	(void)unused;
	for (size_t i = 0; i < 5; i++) {
		struct request request = request_make("car7", keys[i], REQUEST_DER);

		refuses(request.text, request.bytes, "the key is none of EC P-256 or P-384");
		request_free(&request);
		EVP_PKEY_free(keys[i]);
	}
}

static void
takes_an_empty_subject(void **unused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct request request = request_make(NULL, key, REQUEST_PEM);

	(void)unused;
	takes(request.text, request.bytes, "", key);
	request_free(&request);
	EVP_PKEY_free(key);
}

static void
refuses_a_subject_that_is_no_device_id(void **unused)
{
	static const struct {
		const char *name, *words;
	} bad[] = {
		{ "car/../7", "device id \"car/../7\"" },
		{ "-car7", "character 1 (0x2d) is not allowed" },
		{ "c\xc3\xa4r", "is not allowed" },
		{ "", "the common name has 0 bytes" },
	};
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct request request = request_make(bad[i].name, key, REQUEST_DER);

		refuses(request.text, request.bytes, bad[i].words);
		request_free(&request);
	}
	EVP_PKEY_free(key);
}

static void
refuses_more_in_a_subject_than_one_common_name(void **unused)
{
	static const struct request_part two[] = { { "CN", "car7", 4 }, { "CN", "car8", 4 } };
	static const struct request_part other[] = { { "O", "car7", 4 } };
	static const struct request_part both[] = { { "O", "fleet", 5 }, { "CN", "car7", 4 } };
	static const struct request_part zero[] = { { "CN", "car7\0x", 6 } };
	static const struct {
		const struct request_part *parts;
		size_t count;
		const char *words;
	} bad[] = { { two, 2, "is not one common name and nothing else" },
		{ other, 1, "is not one common name and nothing else" },
		{ both, 2, "is not one common name and nothing else" }, { zero, 1, "has a 0 byte in it" } };
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct request request = request_of(bad[i].parts, bad[i].count, key, REQUEST_DER);

		refuses(request.text, request.bytes, bad[i].words);
		request_free(&request);
	}
	EVP_PKEY_free(key);
}

static void
refuses_who_does_not_hold_the_key(void **unused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	struct request request = request_signed_by("car7", key, other, REQUEST_DER);

	(void)unused;
	refuses(request.text, request.bytes, "RFC 2986, 4.2: it is not signed");
	request_free(&request);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

/* No flipped bit is a request, but in what does not count: and then the key is the same. */
static void
refuses_what_was_changed_or_cut(void **unused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct request request = request_make("car7", key, REQUEST_DER);
	struct csr csr;
	struct err err;

	(void)unused;
	for (size_t i = 0; i < request.bytes; i++) {
		request.text[i] ^= 1;
		assert_int_equal(reads(request.text, request.bytes, &csr, &err), -EBADMSG);
		request.text[i] ^= 1;
		assert_int_equal(reads(request.text, i, &csr, &err), -EBADMSG);
	}
	request_free(&request);
	EVP_PKEY_free(key);
}

static void
refuses_what_is_no_request(void **unused)
{
	static const char *const bad[] = { "", " ", "M", "====", "MII=", "hello, world",
		"-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE REQUEST-----\n", "0", "0\x82\xff\xff" };
	AUTO(free_p) char *large = malloc(CSR_BYTES_MAX + 1);

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]), "no PKCS #10 of at most 16384 bytes, as PEM, base64 or DER");
	memset(large, 'M', CSR_BYTES_MAX + 1);
	refuses(large, CSR_BYTES_MAX + 1, "no PKCS #10");
	refuses(large, CSR_BYTES_MAX, "no PKCS #10");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_forms_in_which_requests_come),
		cmocka_unit_test(takes_the_keys_that_the_issuing_ca_certifies),
		cmocka_unit_test(refuses_other_keys),
		cmocka_unit_test(takes_an_empty_subject),
		cmocka_unit_test(refuses_a_subject_that_is_no_device_id),
		cmocka_unit_test(refuses_more_in_a_subject_than_one_common_name),
		cmocka_unit_test(refuses_who_does_not_hold_the_key),
		cmocka_unit_test(refuses_what_was_changed_or_cut),
		cmocka_unit_test(refuses_what_is_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
