#include "sign/x509.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/name.h"
#include "lib/openssl.h"

/** Room for the numbers of some keys, their blocks being at least so long. */
#define LOCKED_BYTES (256 * 1024)
#define LOCKED_BLOCK 32
#define SERIAL_BYTES 16

static void
bn_free_p(BIGNUM **bn)
{
	BN_free(*bn);
}

void
x509_key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

void
x509_freep(X509 **x509)
{
	X509_free(*x509);
}

void
x509_start(void)
{
	/* Where memory may not be locked the keys are as before: no core file, no debugger. */
	if (!CRYPTO_secure_malloc_initialized())
		CRYPTO_secure_malloc_init(LOCKED_BYTES, LOCKED_BLOCK);
}

/* What libcrypto says of its own failures is memory, or the source of random numbers. */
static int
failed(const char *what, struct err *err)
{
	ERR_clear_error();
	return err_set(err, ENOMEM, "%s: libcrypto failed", what);
}

/* A copy of what was written into @bio, with a 0 after it. */
static int
take_text(BIO *bio, char **out, size_t *bytes, struct err *err)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);

	if (n <= 0 || !(*out = malloc((size_t)n + 1)))
		return failed("PEM", err);
	memcpy(*out, data, (size_t)n);
	(*out)[n] = '\0';
	*bytes = (size_t)n;
	return 0;
}

/* -- keys -- */

int
x509_key_new(EVP_PKEY **out, struct err *err)
{
	*out = EVP_EC_gen("P-256");
	return *out ? 0 : failed("new key", err);
}

int
x509_key_read(const char *pem, size_t bytes, const char *what, EVP_PKEY **out, struct err *err)
{
	static char none[] = ""; /* so that nobody is asked for a passphrase */
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(pem, (int)bytes);

	*out = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, none) : NULL;
	if (*out)
		return 0;
	ERR_clear_error();
	return err_set(err, EBADMSG, "%s: is no private key", what);
}

int
x509_key_write(const EVP_PKEY *key, char **pem, size_t *bytes, struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return failed("new key", err);
	return take_text(bio, pem, bytes, err);
}

int
x509_key_id(const EVP_PKEY *key, char id[static DIGEST_HEX_SIZE], struct err *err)
{
	unsigned char *der = NULL;
	int bytes = i2d_PUBKEY(key, &der);

	if (bytes <= 0)
		return failed("key", err);
	digest_sha256_hex(der, (size_t)bytes, id);
	OPENSSL_free(der);
	return 0;
}

static bool
is_curve_in_use(const EVP_PKEY *key)
{
	char name[32] = "";

	EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name), NULL);
	return !strcmp(name, SN_X9_62_prime256v1) || !strcmp(name, SN_secp384r1);
}

/* With a long exponent each handshake costs a hundred times as much. */
static bool
is_rsa_in_use(const EVP_PKEY *key)
{
	AUTO(bn_free_p) BIGNUM *exponent = NULL;
	int bits = EVP_PKEY_get_bits(key);

	return bits >= 2048 && bits <= 4096 &&
	       EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
	       BN_num_bits(exponent) > 16 && BN_num_bits(exponent) <= 64 && BN_is_odd(exponent);
}

int
x509_public_read(const char *pem, EVP_PKEY **out, struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(pem, -1);
	AUTO(x509_key_freep) EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

	ERR_clear_error();
	if (type == EVP_PKEY_ED25519 || (type == EVP_PKEY_EC && is_curve_in_use(key)) ||
	    (type == EVP_PKEY_RSA && is_rsa_in_use(key))) {
		*out = MOVE(key);
		return 0;
	}
	return err_set(err, EINVAL,
	    "the key is none of those that are certified: EC P-256 or P-384, RSA of 2048 to 4096 bits, "
	    "Ed25519");
}

/* -- chains -- */

const char *
x509_name(const X509 *x509, char name[static X509_NAME_SIZE])
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	char text[4 * X509_NAME_SIZE] = "";
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, text, (int)sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return name_printable(text, name, X509_NAME_SIZE);
}

int64_t
x509_end(const X509 *x509)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) == 1 ? timegm(&tm) : 0;
}

int64_t
x509_chain_end(const struct x509_chain *chain)
{
	int64_t end = INT64_MAX;

	for (int i = 0; i < chain->count; i++)
		if (x509_end(chain->list[i]) < end)
			end = x509_end(chain->list[i]);
	return end;
}

/* After a NULL of PEM_read_bio_X509(): whether there simply was no more. */
static bool
is_at_end(void)
{
	unsigned long code = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

int
x509_chain_read(const char *pem, size_t bytes, struct x509_chain *out, struct err *err)
{
	AUTO(x509_chain_done) struct x509_chain chain = { .count = 0 };
	AUTO(bio_free_p) BIO *bio = bytes <= X509_CHAIN_BYTES_MAX ? BIO_new_mem_buf(pem, (int)bytes) : NULL;
	X509 *x509;

	if (!bio)
		return err_set(
		    err, EBADMSG, "has %zu bytes, a chain has at most %d", bytes, X509_CHAIN_BYTES_MAX);
	while ((x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (chain.count == X509_CHAIN_MAX) {
			X509_free(x509);
			return err_set(err, EBADMSG, "has more than %d certificates", X509_CHAIN_MAX);
		}
		chain.list[chain.count++] = x509;
	}
	if (!is_at_end())
		return err_set(err, EBADMSG, "certificate %d is damaged", chain.count + 1);
	if (chain.count == 0)
		return err_set(err, EBADMSG, "has no certificate");
	*out = chain;
	chain.count = 0;
	return 0;
}

void
x509_chain_done(struct x509_chain *chain)
{
	for (int i = 0; i < chain->count; i++)
		X509_free(chain->list[i]);
	chain->count = 0;
}

static int
check_link(const struct x509_chain *chain, int at, struct err *err)
{
	X509 *lower = chain->list[at], *upper = chain->list[at + 1 < chain->count ? at + 1 : at];
	char name[X509_NAME_SIZE], above[X509_NAME_SIZE];

	if (X509_check_issued(upper, lower) == X509_V_OK && X509_verify(lower, X509_get0_pubkey(upper)) == 1)
		return 0;
	ERR_clear_error();
	if (upper == lower)
		return err_set(err, EBADMSG, "%s: the chain has to end with a root, signed by itself",
		    x509_name(lower, name));
	return err_set(err, EBADMSG, "%s: is not signed by the next one, %s", x509_name(lower, name),
	    x509_name(upper, above));
}

/* What the CA at @at may have below it: @at other CAs, and clients. */
static int
check_ca(const struct x509_chain *chain, int at, int64_t now, struct err *err)
{
	X509 *x509 = chain->list[at];
	long depth = X509_get_pathlen(x509);
	char name[X509_NAME_SIZE];

	x509_name(x509, name);
	if (X509_check_ca(x509) != 1 || !(X509_get_key_usage(x509) & KU_KEY_CERT_SIGN))
		return err_set(err, EBADMSG, "%s: is no CA: CA:TRUE and keyCertSign are missing", name);
	if (!(X509_get_extended_key_usage(x509) & XKU_SSL_CLIENT))
		return err_set(err, EBADMSG, "%s: is not for clients of TLS", name);
	if (depth >= 0 && depth < at)
		return err_set(err, EBADMSG, "%s: has pathlen %ld, too few for what is below it", name, depth);
	if (x509_end(x509) <= now)
		return err_set(err, EBADMSG, "%s: has expired", name);
	return 0;
}

int
x509_chain_check(const struct x509_chain *chain, int64_t now, struct err *err)
{
	char name[X509_NAME_SIZE];
	int r;

	for (int i = 0; i < chain->count; i++)
		if ((r = check_ca(chain, i, now, err)) < 0 || (r = check_link(chain, i, err)) < 0)
			return r;
	if (chain->count < 2)
		return err_set(err, EBADMSG, "%s: the CAs above it are missing, the root at the end",
		    x509_name(chain->list[0], name));
	if (X509_get_pathlen(chain->list[0]) != 0)
		return err_set(err, EBADMSG, "%s: has no pathlen:0, it could make other CAs",
		    x509_name(chain->list[0], name));
	return 0;
}

int
x509_write(X509 *const *list, int count, char **pem, size_t *bytes, struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());

	for (int i = 0; bio && i < count; i++)
		if (PEM_write_bio_X509(bio, list[i]) != 1)
			return failed("certificate", err);
	return bio ? take_text(bio, pem, bytes, err) : failed("certificate", err);
}

/* -- making -- */

static int
set_name(X509_NAME *name, const char *text)
{
	return name ? X509_NAME_add_entry_by_NID(
			  name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0)
		    : 0;
}

static bool
add_extension(STACK_OF(X509_EXTENSION) * list, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);

	if (extension && sk_X509_EXTENSION_push(list, extension) > 0)
		return true;
	X509_EXTENSION_free(extension);
	return false;
}

static bool
ask_for_ca(X509_REQ *request)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	bool is_good = list && add_extension(list, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		       add_extension(list, NULL, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		       X509_REQ_add_extensions(request, list) == 1;

	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return is_good;
}

int
x509_request(EVP_PKEY *key, const char *name, char **pem, size_t *bytes, struct err *err)
{
	AUTO(request_free_p) X509_REQ *request = X509_REQ_new();
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());

	if (!request || !bio || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    set_name(X509_REQ_get_subject_name(request), name) != 1 || X509_REQ_set_pubkey(request, key) != 1 ||
	    !ask_for_ca(request) || X509_REQ_sign(request, key, EVP_sha256()) <= 0 ||
	    PEM_write_bio_X509_REQ(bio, request) != 1)
		return failed("request", err);
	return take_text(bio, pem, bytes, err);
}

/* Positive, and always so many octets: some programs lose zeros at the front. */
static bool
set_serial(X509 *x509)
{
	unsigned char bytes[SERIAL_BYTES];
	AUTO(bn_free_p) BIGNUM *number = NULL;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (unsigned char)(0x40 | (bytes[0] & 0x3f));
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
}

static bool
set_extensions(X509 *x509, X509 *issuer)
{
	static const struct {
		int nid;
		const char *value;
	} wanted[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "clientAuth" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid" },
	};
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		X509_EXTENSION *extension;
		bool is_added;

		/* A CA without an identifier is found by its name. */
		if (wanted[i].nid == NID_authority_key_identifier && !X509_get0_subject_key_id(issuer))
			continue;
		extension = X509V3_EXT_conf_nid(NULL, &context, wanted[i].nid, wanted[i].value);
		is_added = extension && X509_add_ext(x509, extension, -1) == 1;
		X509_EXTENSION_free(extension);
		if (!is_added)
			return false;
	}
	return true;
}

/* An RSA or EC key needs a hash, an Edwards key has its own. */
static const EVP_MD *
hash_of(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

int
x509_make(const struct x509_wish *wish, X509 **out, struct err *err)
{
	AUTO(x509_freep) X509 *x509 = X509_new();

	if (!x509 || X509_set_version(x509, X509_VERSION_3) != 1 || !set_serial(x509) ||
	    !ASN1_TIME_set(X509_getm_notBefore(x509), wish->from) ||
	    !ASN1_TIME_set(X509_getm_notAfter(x509), wish->end) ||
	    set_name(X509_get_subject_name(x509), wish->name) != 1 ||
	    X509_set_issuer_name(x509, X509_get_subject_name(wish->issuer)) != 1 ||
	    X509_set_pubkey(x509, wish->key) != 1 || !set_extensions(x509, wish->issuer) ||
	    X509_sign(x509, wish->issuer_key, hash_of(wish->issuer_key)) <= 0)
		return failed("certificate", err);
	*out = MOVE(x509);
	return 0;
}

/* -- revocation lists -- */

static bool
set_crl_time(X509_CRL *crl, int (*set)(X509_CRL *, const ASN1_TIME *), int64_t seconds)
{
	ASN1_TIME *time = ASN1_TIME_set(NULL, seconds);
	bool is_set = time && set(crl, time) == 1;

	ASN1_TIME_free(time);
	return is_set;
}

static int
revoke_one(X509_CRL *crl, const char *serial, int64_t now, struct err *err)
{
	AUTO(bn_free_p) BIGNUM *number = NULL;
	ASN1_INTEGER *integer = BN_hex2bn(&number, serial) ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	ASN1_TIME *time = ASN1_TIME_set(NULL, now);
	X509_REVOKED *revoked = X509_REVOKED_new();
	bool is_added = integer && time && revoked && X509_REVOKED_set_serialNumber(revoked, integer) == 1 &&
			X509_REVOKED_set_revocationDate(revoked, time) == 1 &&
			X509_CRL_add0_revoked(crl, revoked) == 1;

	ASN1_INTEGER_free(integer);
	ASN1_TIME_free(time);
	if (is_added)
		return 0;
	X509_REVOKED_free(revoked);
	return failed("revocation list", err);
}

static bool
set_crl_extensions(X509_CRL *crl, const struct x509_revocation *list)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509_EXTENSION *key = NULL;
	X509V3_CTX context;
	bool is_set;

	X509V3_set_ctx(&context, list->issuer, NULL, NULL, crl, 0);
	if (X509_get0_subject_key_id(list->issuer))
		key = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid");
	is_set = number && ASN1_INTEGER_set_int64(number, list->now) == 1 &&
		 X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
		 (!key || X509_CRL_add_ext(crl, key, -1) == 1);
	X509_EXTENSION_free(key);
	ASN1_INTEGER_free(number);
	return is_set;
}

int
x509_revoke(const struct x509_revocation *list, char **pem, size_t *bytes, struct err *err)
{
	AUTO(crl_free_p) X509_CRL *crl = X509_CRL_new();
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	int r = 0;

	if (!(X509_get_key_usage(list->issuer) & KU_CRL_SIGN))
		return err_set(err, EINVAL, "the issuing CA may not sign revocation lists: cRLSign is missing");
	if (!crl || !bio || X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(list->issuer)) != 1 ||
	    !set_crl_time(crl, X509_CRL_set1_lastUpdate, list->now) ||
	    !set_crl_time(crl, X509_CRL_set1_nextUpdate, list->next) || !set_crl_extensions(crl, list))
		return failed("revocation list", err);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = revoke_one(crl, list->serials[i], list->now, err);
	if (r < 0)
		return r;
	if (X509_CRL_sort(crl) != 1 || X509_CRL_sign(crl, list->issuer_key, hash_of(list->issuer_key)) <= 0 ||
	    PEM_write_bio_X509_CRL(bio, crl) != 1)
		return failed("revocation list", err);
	return take_text(bio, pem, bytes, err);
}

/* -- what is told of one -- */

int
x509_serial(const X509 *x509, char *serial, size_t room, struct err *err)
{
	AUTO(bn_free_p) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	int r = hex && strlen(hex) < room ? 0 : failed("serial number", err);

	if (r == 0)
		strcpy(serial, hex);
	OPENSSL_free(hex);
	return r;
}

int
x509_digest(const X509 *x509, char hex[static DIGEST_HEX_SIZE], struct err *err)
{
	unsigned char *der = NULL;
	int bytes = i2d_X509(x509, &der);

	if (bytes <= 0)
		return failed("certificate", err);
	digest_sha256_hex(der, (size_t)bytes, hex);
	OPENSSL_free(der);
	return 0;
}
