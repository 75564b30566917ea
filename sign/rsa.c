#include "sign/rsa.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "lib/cleanup.h"
#include "sign/key.h"

/* -- making -- */

static EVP_PKEY *
make_key(BIGNUM *modulus, BIGNUM *exponent)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (context && builder && modulus && exponent &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1 &&
	    (parameters = OSSL_PARAM_BLD_to_param(builder)) && EVP_PKEY_fromdata_init(context) == 1)
		EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return key;
}

char *
rsa_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *pem = NULL;
	long bytes;

	if (bio && key && PEM_write_bio_PUBKEY(bio, key) == 1 && (bytes = BIO_get_mem_data(bio, &data)) > 0)
		pem = strndup(data, (size_t)bytes);
	BIO_free(bio);
	return pem;
}

int
rsa_pem_of(const unsigned char *modulus, size_t modulus_bytes, const unsigned char *exponent,
    size_t exponent_bytes, const char *what, char **pem, struct err *err)
{
	BIGNUM *n, *e;
	EVP_PKEY *key;

	while (modulus_bytes && !*modulus)
		modulus++, modulus_bytes--;
	if ((modulus_bytes != 256 && modulus_bytes != 384 && modulus_bytes != KEY_SIGNATURE_MAX) ||
	    exponent_bytes > KEY_SIGNATURE_MAX)
		return err_set(err, EBADMSG, "%s: RSA key of %zu bits; 2048, 3072 and 4096 are allowed", what,
		    8 * modulus_bytes);
	n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
	e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
	key = make_key(n, e);
	*pem = rsa_pem(key);
	EVP_PKEY_free(key);
	BN_free(n);
	BN_free(e);
	return *pem ? 0 : err_set(err, EBADMSG, "%s: not the numbers of an RSA key", what);
}

/* -- reading any key -- */

static int
make_id(EVP_PKEY *key, char id[static DIGEST_HEX_SIZE])
{
	unsigned char *der = NULL;
	int bytes = i2d_PUBKEY(key, &der);

	if (bytes <= 0)
		return -ENOMEM;
	digest_sha256_hex(der, (size_t)bytes, id);
	OPENSSL_free(der);
	return 0;
}

/* With a long one each signature that is checked costs a hundred times as much: some milliseconds. */
static bool
is_quick(const EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool is_short = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
			BN_num_bits(exponent) <= KEY_EXPONENT_BITS_MAX;

	BN_free(exponent);
	return is_short;
}

static int
read_any(const char *pem, const char *what, EVP_PKEY **out, char id[static DIGEST_HEX_SIZE], struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	int bits = key ? EVP_PKEY_get_bits(key) : 0;

	BIO_free(bio);
	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    (bits == 2048 || bits == 3072 || bits == 4096) && is_quick(key) && make_id(key, id) == 0) {
		*out = key;
		return 0;
	}
	EVP_PKEY_free(key);
	return err_set(err, EBADMSG,
	    "%s: RSA key is no SPKI PEM of 2048, 3072 or 4096 bits, with an exponent of at most %d", what,
	    KEY_EXPONENT_BITS_MAX);
}

/* -- reading the usual key -- */

/** DER of one with 65537 around its modulus: so many bytes before it, and after it. (RFC 8017, A.1.1; RFC 3279)
 */
#define HEAD_BYTES 33
#define TAIL_BYTES 5

static const unsigned char usual_tail[TAIL_BYTES] = { 0x02, 0x03, 0x01, 0x00, 0x01 };

/* A SEQUENCE of the algorithm and a BIT STRING, in which there is a SEQUENCE of two INTEGERs; lengths have two
 * bytes. */
static void
write_head(size_t modulus, unsigned char head[static HEAD_BYTES])
{
	static const unsigned char usual[HEAD_BYTES] = { 0x30, 0x82, 0, 0, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86,
		0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0, 0, 0x00, 0x30, 0x82, 0, 0,
		0x02, 0x82, 0, 0, 0x00 };
	static const struct {
		size_t at, more;
	} lengths[] = { { 2, 34 }, { 21, 15 }, { 26, 10 }, { 30, 1 } };

	memcpy(head, usual, HEAD_BYTES);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		head[lengths[i].at] = (unsigned char)((modulus + lengths[i].more) >> 8);
		head[lengths[i].at + 1] = (unsigned char)(modulus + lengths[i].more);
	}
}

/* The modulus in @der; NULL when it is another key. */
static const unsigned char *
find_modulus(const unsigned char *der, size_t bytes, size_t *modulus)
{
	unsigned char head[HEAD_BYTES];

	*modulus = bytes - HEAD_BYTES - TAIL_BYTES;
	if (bytes < HEAD_BYTES + TAIL_BYTES || (*modulus != 256 && *modulus != 384 && *modulus != 512))
		return NULL;
	write_head(*modulus, head);
	if (memcmp(der, head, HEAD_BYTES) || !(der[HEAD_BYTES] & 0x80) ||
	    memcmp(der + HEAD_BYTES + *modulus, usual_tail, TAIL_BYTES))
		return NULL;
	return der + HEAD_BYTES;
}

static EVP_PKEY *
read_der(const unsigned char *der, size_t bytes, char id[static DIGEST_HEX_SIZE])
{
	size_t modulus_bytes;
	const unsigned char *modulus = find_modulus(der, bytes, &modulus_bytes);
	BIGNUM *n = modulus ? BN_bin2bn(modulus, (int)modulus_bytes, NULL) : NULL;
	BIGNUM *e = n ? BN_bin2bn(usual_tail + 2, 3, NULL) : NULL;
	EVP_PKEY *key = e ? make_key(n, e) : NULL;

	BN_free(n);
	BN_free(e);
	if (key)
		digest_sha256_hex(der, bytes, id);
	return key;
}

/*
 * libcrypto 3.0 takes 500 us to decode a key, and 150 to encode it for its id: ten times as much as to verify a
 * signature with it. NULL when it is for libcrypto to say what it is.
 */
static EVP_PKEY *
read_usual(const char *pem, char id[static DIGEST_HEX_SIZE])
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	long bytes;

	if (bio && PEM_read_bio(bio, &name, &header, &der, &bytes) == 1 && !strcmp(name, "PUBLIC KEY") &&
	    !*header)
		key = read_der(der, (size_t)bytes, id);
	BIO_free(bio);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	return key;
}

int
rsa_read(const char *pem, const char *what, EVP_PKEY **out, char id[static DIGEST_HEX_SIZE], struct err *err)
{
	*out = read_usual(pem, id);
	return *out ? 0 : read_any(pem, what, out, id, err);
}

/* -- verifying -- */

int
rsa_matches(
    EVP_PKEY *key, const unsigned char *signature, size_t signature_bytes, const void *data, size_t bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	int matches;

	matches = context && EVP_DigestVerifyInit(context, &padding, EVP_sha256(), NULL, key) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_AUTO) == 1 &&
		  EVP_DigestVerify(context, signature, signature_bytes, data, bytes) == 1;
	EVP_MD_CTX_free(context);
	return matches;
}
