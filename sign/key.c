#include "sign/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/canonical.h"

/** 64 hex digits of the seed and a newline. */
#define SEED_FILE_BYTES (2 * crypto_sign_SEEDBYTES + 1)

struct public_key {
	unsigned char ed25519[crypto_sign_PUBLICKEYBYTES];
	EVP_PKEY *rsa; /* NULL: an Ed25519 key */
	json_t *json;  /* as it was read */
	char id[DIGEST_HEX_SIZE];
};

struct key_pair {
	unsigned char *secret; /* sodium_malloc: guarded, locked, wiped when freed */
	struct public_key *public;
};

int
key_start(struct err *err)
{
	return sodium_init() < 0 ? err_set(err, EIO, "libsodium: no source of random numbers") : 0;
}

/* DER of a SubjectPublicKeyInfo around 32 bytes of Ed25519.  (RFC 8410, section 4) */
static const unsigned char ed25519_spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21,
	0x00 };

#define ED25519_SPKI_BYTES (sizeof(ed25519_spki) + crypto_sign_PUBLICKEYBYTES)

static void
write_ed25519_spki(const struct public_key *key, unsigned char spki[static ED25519_SPKI_BYTES])
{
	memcpy(spki, ed25519_spki, sizeof(ed25519_spki));
	memcpy(spki + sizeof(ed25519_spki), key->ed25519, sizeof(key->ed25519));
}

/* ota-tuf's key id: SHA-256 of the DER SubjectPublicKeyInfo. */
static int
make_id(struct public_key *key)
{
	unsigned char spki[ED25519_SPKI_BYTES], *der = NULL;
	int bytes;

	if (!key->rsa) {
		write_ed25519_spki(key, spki);
		digest_sha256_hex(spki, sizeof(spki), key->id);
		return 0;
	}
	bytes = i2d_PUBKEY(key->rsa, &der);
	if (bytes <= 0)
		return -ENOMEM;
	digest_sha256_hex(der, (size_t)bytes, key->id);
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
read_rsa(const char *pem, const char *what, EVP_PKEY **out, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	int bits = key ? EVP_PKEY_get_bits(key) : 0;

	BIO_free(bio);
	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    (bits == 2048 || bits == 3072 || bits == 4096) && is_quick(key)) {
		*out = key;
		return 0;
	}
	EVP_PKEY_free(key);
	return err_set(err, EBADMSG,
	    "%s: RSA key is no SPKI PEM of 2048, 3072 or 4096 bits, with an exponent of at most %d", what,
	    KEY_EXPONENT_BITS_MAX);
}

int
public_key_read(const json_t *json, const char *what, struct public_key **out, struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = calloc(1, sizeof(*key));
	const char *type, *value;
	int r;

	if (!key)
		return err_set(err, ENOMEM, "%s: no memory", what);
	if ((r = json_need_text(json, "keytype", what, &type, err)) < 0)
		return r;
	if ((r = json_need_text(json_object_get(json, "keyval"), "public", what, &value, err)) < 0)
		return r;
	if (strlen(value) > KEY_PUBLIC_MAX)
		return err_set(err, EBADMSG, "%s: public key is longer than %d bytes", what, KEY_PUBLIC_MAX);

	if (!strcasecmp(type, "ED25519")) {
		if (digest_unhex(value, key->ed25519, sizeof(key->ed25519)) < 0)
			return err_set(err, EBADMSG, "%s: ED25519 key is not 64 hex digits", what);
	} else if (!strcasecmp(type, "RSA")) {
		if ((r = read_rsa(value, what, &key->rsa, err)) < 0)
			return r;
	} else {
		return err_set(err, EBADMSG, "%s: key type \"%.32s\" is neither ED25519 nor RSA", what, type);
	}
	key->json = json_deep_copy(json);
	if (!key->json || make_id(key) < 0)
		return err_set(err, ENOMEM, "%s: no memory", what);
	*out = MOVE(key);
	return 0;
}

static int
read_made(const char *type, const char *value, const char *what, struct public_key **out, struct err *err)
{
	AUTO(json_decref_p)
	json_t *json = value ? json_pack("{s:s,s:{s:s}}", "keytype", type, "keyval", "public", value) : NULL;

	return json ? public_key_read(json, what, out, err) : err_set(err, ENOMEM, "%s: no memory", what);
}

int
public_key_of_ed25519(const unsigned char *raw, const char *what, struct public_key **out, struct err *err)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(raw, crypto_sign_PUBLICKEYBYTES, hex);
	return read_made("ED25519", hex, what, out, err);
}

static EVP_PKEY *
make_rsa(BIGNUM *modulus, BIGNUM *exponent)
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

/* SubjectPublicKeyInfo as PEM; the caller frees it. NULL: no memory. */
static char *
spki_pem(EVP_PKEY *key)
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
public_key_of_rsa(const unsigned char *modulus, size_t modulus_bytes, const unsigned char *exponent,
    size_t exponent_bytes, const char *what, struct public_key **out, struct err *err)
{
	AUTO(free_p) char *pem = NULL;
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
	key = make_rsa(n, e);
	pem = spki_pem(key);
	EVP_PKEY_free(key);
	BN_free(n);
	BN_free(e);
	if (!pem)
		return err_set(err, EBADMSG, "%s: not the numbers of an RSA key", what);
	return read_made("RSA", pem, what, out, err);
}

void
public_key_free(struct public_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->rsa);
	json_decref(key->json);
	free(key);
}

void
public_key_freep(struct public_key **key)
{
	public_key_free(*key);
}

const char *
public_key_id(const struct public_key *key)
{
	return key->id;
}

int
public_key_aktualizr_id(const struct public_key *key, char id[static DIGEST_HEX_SIZE], struct err *err)
{
	const char *value = json_text(json_object_get(key->json, "keyval"), "public");
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes = strlen(value);
	int r;

	while (bytes && value[bytes - 1] == '\n')
		bytes--;
	if (!(json = json_stringn(value, bytes)))
		return err_set(err, ENOMEM, "no memory for a key id");
	if ((r = canonical_write(json, &text, &bytes, err)) == 0)
		digest_sha256_hex(text, bytes, id);
	return r;
}

const char *
public_key_kind(const struct public_key *key)
{
	if (!key->rsa)
		return "ED25519";
	switch (EVP_PKEY_get_bits(key->rsa)) {
	case 2048:
		return "RSA-2048";
	case 3072:
		return "RSA-3072";
	default:
		return "RSA-4096";
	}
}

int
public_key_pem(const struct public_key *key, char **out, struct err *err)
{
	unsigned char spki[ED25519_SPKI_BYTES];
	AUTO(free_p) char *base64 = NULL;

	if (key->rsa) {
		*out = spki_pem(key->rsa);
		return *out ? 0 : err_set(err, ENOMEM, "no memory for a key");
	}
	write_ed25519_spki(key, spki);
	if (!(base64 = digest_base64(spki, sizeof(spki))) ||
	    asprintf(out, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", base64) < 0)
		return err_set(err, ENOMEM, "no memory for a key");
	return 0;
}

json_t *
public_key_json(const struct public_key *key)
{
	return json_incref(key->json);
}

static int
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

int
public_key_verify(const struct public_key *key, const char *method, const char *signature, const void *data,
    size_t bytes, struct err *err)
{
	unsigned char raw[KEY_SIGNATURE_MAX];
	size_t raw_bytes = sizeof(raw);
	int is_pss = !strcasecmp(method, "rsassa-pss") || !strcasecmp(method, "rsassa-pss-sha256");

	if (!is_pss && strcasecmp(method, "ed25519"))
		return err_set(err, EBADMSG, "signature method \"%.32s\" is unknown", method);
	if (is_pss != (key->rsa != NULL))
		return err_set(err, EBADMSG, "signature method \"%.32s\" does not fit the key", method);
	if (digest_unbase64(signature, raw, &raw_bytes) < 0)
		return err_set(err, EBADMSG, "signature is not base64");
	if (key->rsa ? rsa_matches(key->rsa, raw, raw_bytes, data, bytes)
		     : raw_bytes == crypto_sign_BYTES &&
			   crypto_sign_verify_detached(raw, data, bytes, key->ed25519) == 0)
		return 0;
	return err_set(err, EBADMSG, "signature of key %.12s... does not match", key->id);
}

int
key_pair_from_seed(const unsigned char *seed, struct key_pair **out, struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *pair = calloc(1, sizeof(*pair));
	unsigned char public[crypto_sign_PUBLICKEYBYTES];
	int r;

	/* crypto_sign's secret key is the seed and the public key. */
	if (!pair || !(pair->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES)))
		return err_set(err, ENOMEM, "no lockable memory for a key");
	crypto_sign_seed_keypair(public, pair->secret, seed);
	r = public_key_of_ed25519(public, "new key", &pair->public, err);
	if (r == 0)
		*out = MOVE(pair);
	return r;
}

int
key_pair_new(struct key_pair **out, struct err *err)
{
	unsigned char *seed = sodium_malloc(crypto_sign_SEEDBYTES);
	int r;

	if (!seed)
		return err_set(err, ENOMEM, "no lockable memory for a key");
	randombytes_buf(seed, crypto_sign_SEEDBYTES);
	r = key_pair_from_seed(seed, out, err);
	sodium_free(seed);
	return r;
}

/* The file's bytes go through locked memory only. */
static int
read_seed(int fd, const char *name, unsigned char *seed, struct err *err)
{
	char *text = sodium_malloc(SEED_FILE_BYTES + 1);
	int is_good;

	if (!text)
		return err_set(err, ENOMEM, "%s: no lockable memory", name);
	memset(text, 0, SEED_FILE_BYTES + 1);
	is_good = read(fd, text, SEED_FILE_BYTES) == SEED_FILE_BYTES && text[SEED_FILE_BYTES - 1] == '\n' &&
		  !sodium_hex2bin(seed, crypto_sign_SEEDBYTES, text, SEED_FILE_BYTES - 1, NULL, NULL, NULL);
	sodium_free(text);
	return is_good ? 0 : err_set(err, EBADMSG, "%s: not a key file (64 hex digits and a newline)", name);
}

int
key_pair_load(int dir, const char *name, struct key_pair **out, struct err *err)
{
	AUTO(close_p) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unsigned char *seed;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "%s", name);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(err, EPERM, "%s: a key file has to be ours and 0600, it is %03o of user %u",
		    name, st.st_mode & 0777, st.st_uid);
	seed = sodium_malloc(crypto_sign_SEEDBYTES);
	if (!seed)
		return err_set(err, ENOMEM, "%s: no lockable memory", name);
	r = read_seed(fd, name, seed, err);
	if (r == 0)
		r = key_pair_from_seed(seed, out, err);
	sodium_free(seed);
	return r;
}

int
key_pair_save(const struct key_pair *pair, int dir, const char *name, struct err *err)
{
	char *text = sodium_malloc(SEED_FILE_BYTES + 1);
	struct stat st;
	int r;

	if (!text)
		return err_set(err, ENOMEM, "%s: no lockable memory", name);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		r = err_set(err, EEXIST, "%s: there is a key already", name);
	} else {
		sodium_bin2hex(text, SEED_FILE_BYTES + 1, pair->secret, crypto_sign_SEEDBYTES);
		text[SEED_FILE_BYTES - 1] = '\n';
		r = file_replace(dir, name, text, SEED_FILE_BYTES, 0600, err);
	}
	sodium_free(text);
	return r;
}

void
key_pair_free(struct key_pair *pair)
{
	if (!pair)
		return;
	sodium_free(pair->secret);
	public_key_free(pair->public);
	free(pair);
}

void
key_pair_freep(struct key_pair **pair)
{
	key_pair_free(*pair);
}

const struct public_key *
key_pair_public(const struct key_pair *pair)
{
	return pair->public;
}

int
key_pair_reveal(const struct key_pair *pair, char **text, size_t *bytes, struct err *err)
{
	static const char head[] = "{\"keytype\":\"ED25519\",\"keyval\":{\"private\":\"",
			  middle[] = "\",\"public\":\"", tail[] = "\"}}";
	const char *public = json_text(json_object_get(pair->public->json, "keyval"), "public");
	size_t hex = 2 * crypto_sign_SECRETKEYBYTES,
	       room = sizeof(head) + hex + sizeof(middle) + 64 + sizeof(tail);
	char *at;

	if (!(*text = malloc(room)))
		return err_set(err, ENOMEM, "no memory for a key");
	at = stpcpy(*text, head);
	sodium_bin2hex(at, hex + 1, pair->secret, crypto_sign_SECRETKEYBYTES);
	stpcpy(stpcpy(stpcpy(at + hex, middle), public), tail);
	*bytes = strlen(*text);
	return 0;
}

void
key_pair_sign_text(
    const struct key_pair *pair, const void *data, size_t bytes, char text[static KEY_PAIR_TEXT_SIZE])
{
	unsigned char signature[crypto_sign_BYTES];

	crypto_sign_detached(signature, NULL, data, bytes, pair->secret);
	EVP_EncodeBlock((unsigned char *)text, signature, sizeof(signature));
}

int
key_pair_sign(const struct key_pair *pair, const void *data, size_t bytes, json_t **out, struct err *err)
{
	char text[KEY_PAIR_TEXT_SIZE];

	key_pair_sign_text(pair, data, bytes, text);
	*out = json_pack("{s:s,s:s,s:s}", "keyid", pair->public->id, "method", "ed25519", "sig", text);
	return *out ? 0 : err_set(err, ENOMEM, "no memory for a signature");
}
