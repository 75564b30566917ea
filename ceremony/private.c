#include "ceremony/private.h"

#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/json.h"
#include "lib/openssl.h"

/** libcrypto's locked heap: making a key of RSA-4096 takes some 20 KiB. */
#define HEAP_BYTES (128 * 1024)
/** Smallest piece of it. */
#define HEAP_PIECE 32
/** RSASSA-PSS with a salt as long as the digest, as aktualizr and ota-tuf make it. */
#define SALT_BYTES 32

struct private_key {
	struct secret *seed;       /* of an Ed25519 key */
	struct key_pair *pair;     /* the same, ready to sign */
	EVP_PKEY *rsa;             /* or an RSA key */
	struct public_key *public; /* of the RSA key */
};

static bool is_heap_locked;

static const struct {
	const char *name;
	unsigned bits; /* of an RSA key */
} types[] = { { "ed25519", 0 }, { "rsa2048", 2048 }, { "rsa3072", 3072 }, { "rsa4096", 4096 } };

int
private_type(const char *text, enum private_type *out, struct err *err)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(text, types[i].name)) {
			*out = (enum private_type)i;
			return 0;
		}
	return err_set(err, EINVAL, "key type \"%.32s\" is none of ed25519, rsa2048, rsa3072, rsa4096", text);
}

static void
wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static void *
crypto_malloc(size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(bytes);
}

static void
crypto_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	wipe_and_free(memory);
}

/* realloc() would leave the old place as it is. */
static void *
crypto_realloc(void *memory, size_t bytes, const char *file, int line)
{
	size_t old = memory ? malloc_usable_size(memory) : 0;
	void *moved = bytes ? malloc(bytes) : NULL;

	if (bytes && !moved)
		return NULL;
	if (moved && memory)
		memcpy(moved, memory, old < bytes ? old : bytes);
	crypto_free(memory, file, line);
	return moved;
}

int
private_start(struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "core dumps cannot be turned off");
	json_set_alloc_funcs(malloc, wipe_and_free);
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
	/* 2: there, but not locked. */
	is_heap_locked = CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_PIECE) == 1;
	return 0;
}

void
private_free(struct private_key *key)
{
	if (!key)
		return;
	secret_free(key->seed);
	key_pair_free(key->pair);
	EVP_PKEY_free(key->rsa);
	public_key_free(key->public);
	free(key);
}

void
private_freep(struct private_key **key)
{
	private_free(*key);
}

const struct public_key *
private_public(const struct private_key *key)
{
	return key->pair ? key_pair_public(key->pair) : key->public;
}

static int
from_seed(const unsigned char *seed, struct private_key **out, struct err *err)
{
	AUTO(private_freep) struct private_key *key = calloc(1, sizeof(*key));
	int r;

	if (!key)
		return err_set(err, ENOMEM, "no memory for a key");
	if ((r = secret_copy(seed, KEY_SEED_BYTES, &key->seed, err)) == 0 &&
	    (r = key_pair_from_seed(seed, &key->pair, err)) == 0)
		*out = MOVE(key);
	return r;
}

static int
rsa_public(EVP_PKEY *rsa, const char *what, struct public_key **out, struct err *err)
{
	unsigned char modulus[KEY_SIGNATURE_MAX], exponent[KEY_SIGNATURE_MAX];
	BIGNUM *n = NULL, *e = NULL;
	int r;

	if (EVP_PKEY_get_bits(rsa) > 8 * KEY_SIGNATURE_MAX ||
	    EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		r = err_set(err, EBADMSG, "%s: RSA key of %d bits; 2048, 3072 or 4096 are allowed", what,
		    EVP_PKEY_get_bits(rsa));
	else
		r = public_key_of_rsa(modulus, (size_t)BN_bn2bin(n, modulus), exponent,
		    (size_t)BN_bn2bin(e, exponent), what, out, err);
	BN_free(n);
	BN_free(e);
	return r;
}

/* Takes a new reference of @rsa. */
static int
from_rsa(EVP_PKEY *rsa, const char *what, struct private_key **out, struct err *err)
{
	AUTO(private_freep) struct private_key *key = calloc(1, sizeof(*key));
	int r;

	if (!key)
		return err_set(err, ENOMEM, "no memory for a key");
	if (!is_heap_locked)
		return err_set(err, ENOMEM, "%s: no memory can be locked for an RSA key (ulimit -l)", what);
	EVP_PKEY_up_ref(rsa);
	key->rsa = rsa;
	if ((r = rsa_public(rsa, what, &key->public, err)) == 0)
		*out = MOVE(key);
	return r;
}

static int
new_ed25519(struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *seed = NULL;
	int r = secret_new(KEY_SEED_BYTES, &seed, err);

	if (r == 0)
		secret_random(seed);
	return r < 0 ? r : from_seed(seed->data, out, err);
}

int
private_new(enum private_type type, struct private_key **out, struct err *err)
{
	AUTO(evp_free_p) EVP_PKEY *rsa = NULL;

	if (type == PRIVATE_ED25519)
		return new_ed25519(out, err);
	rsa = EVP_RSA_gen(types[type].bits);
	if (!rsa)
		return err_set(err, EIO, "libcrypto makes no RSA key");
	return from_rsa(rsa, types[type].name, out, err);
}

static int
sign_rsa(EVP_PKEY *rsa, const void *data, size_t bytes, unsigned char *signature, size_t *signature_bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	int is_done;

	is_done = context && EVP_DigestSignInit(context, &padding, EVP_sha256(), NULL, rsa) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, SALT_BYTES) == 1 &&
		  EVP_PKEY_CTX_set_rsa_mgf1_md(padding, EVP_sha256()) == 1 &&
		  EVP_DigestSign(context, signature, signature_bytes, data, bytes) == 1;
	EVP_MD_CTX_free(context);
	return is_done ? 0 : -EIO;
}

int
private_sign(const struct private_key *key, const char *keyid, const void *data, size_t bytes, json_t **out,
    struct err *err)
{
	unsigned char signature[KEY_SIGNATURE_MAX];
	size_t signature_bytes = sizeof(signature);
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	int r;

	if (key->pair) {
		if ((r = key_pair_sign(key->pair, data, bytes, &json, err)) < 0)
			return r;
		if (json_object_set_new(json, "keyid", json_string(keyid)) < 0)
			return err_set(err, ENOMEM, "no memory for a signature");
		*out = MOVE(json);
		return 0;
	}
	if (sign_rsa(key->rsa, data, bytes, signature, &signature_bytes) < 0)
		return err_set(err, EIO, "libcrypto makes no RSASSA-PSS signature");
	text = digest_base64(signature, signature_bytes);
	*out = text ? json_pack("{s:s,s:s,s:s}", "keyid", keyid, "method", "rsassa-pss-sha256", "sig", text)
		    : NULL;
	return *out ? 0 : err_set(err, ENOMEM, "no memory for a signature");
}

/* What OpenSSL's callback is told, and what it says. */
struct question {
	private_ask *ask;
	void *context;
	struct err *err;
	int r; /* of asking; 1: was not asked */
};

static int
answer_question(char *room, int bytes, int for_writing, void *context)
{
	AUTO(secret_freep) struct secret *answer = NULL;
	struct question *question = context;

	(void)for_writing;
	question->r = question->ask(question->context, &answer, question->err);
	if (question->r < 0 || answer->bytes > (size_t)bytes)
		return -1;
	memcpy(room, answer->data, answer->bytes);
	return (int)answer->bytes;
}

/* A number that was damaged on the way, or by hand, makes signatures that nobody can verify: of a root, that
 * would be noticed too late. */
static int
check_rsa(EVP_PKEY *rsa, const char *what, struct err *err)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(rsa, NULL);
	int is_good = context && EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return is_good ? 0 : err_set(err, EBADMSG, "%s: RSA key is damaged: its numbers do not fit", what);
}

static int
from_evp(EVP_PKEY *evp, const char *what, struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *seed = NULL;
	size_t bytes = KEY_SEED_BYTES;
	const char *name = EVP_PKEY_get0_type_name(evp);
	int r;

	if (EVP_PKEY_get_base_id(evp) == EVP_PKEY_RSA)
		return (r = check_rsa(evp, what, err)) < 0 ? r : from_rsa(evp, what, out, err);
	if (EVP_PKEY_get_base_id(evp) != EVP_PKEY_ED25519)
		return err_set(err, EBADMSG, "%s: key of type %.32s; ED25519 and RSA are allowed", what,
		    name ? name : "?");
	if ((r = secret_new(KEY_SEED_BYTES, &seed, err)) < 0)
		return r;
	if (EVP_PKEY_get_raw_private_key(evp, seed->data, &bytes) != 1 || bytes != KEY_SEED_BYTES)
		return err_set(err, EBADMSG, "%s: no private half", what);
	return from_seed(seed->data, out, err);
}

static int
read_pem(const void *text, size_t bytes, const char *what, private_ask *ask, void *context,
    struct private_key **out, struct err *err)
{
	struct question question = { .ask = ask, .context = context, .err = err, .r = 1 };
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(text, (int)bytes);
	AUTO(evp_free_p) EVP_PKEY *evp = NULL;

	if (!bio)
		return err_set(err, ENOMEM, "%s: no memory", what);
	evp = PEM_read_bio_PrivateKey(bio, NULL, answer_question, &question);
	if (question.r < 0)
		return question.r;
	if (!evp && question.r == 0)
		return err_set(err, EACCES, "%s: the passphrase is wrong, or the file is damaged", what);
	if (!evp)
		return err_set(err, EBADMSG, "%s: no private key can be read from this PEM", what);
	return from_evp(evp, what, out, err);
}

/* 64 digits of the seed; 128 are the seed and the public key. */
static int
read_hex(const char *hex, size_t digits, const char *what, struct private_key **out, struct err *err)
{
	AUTO(secret_freep) struct secret *raw = NULL, *text = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(public_key_freep) struct public_key *public = NULL;
	int r;

	if (digits != 2 * KEY_SEED_BYTES && digits != 4 * KEY_SEED_BYTES)
		return err_set(err, EBADMSG, "%s: a private ED25519 key has 64 or 128 hex digits", what);
	if ((r = secret_new(digits / 2, &raw, err)) < 0 || (r = secret_copy(hex, digits, &text, err)) < 0)
		return r;
	if (digest_unhex((const char *)text->data, raw->data, raw->bytes) < 0)
		return err_set(err, EBADMSG, "%s: a private ED25519 key has 64 or 128 hex digits", what);
	if ((r = from_seed(raw->data, &key, err)) < 0)
		return r;
	if (raw->bytes > KEY_SEED_BYTES) {
		if ((r = public_key_of_ed25519(raw->data + KEY_SEED_BYTES, what, &public, err)) < 0)
			return r;
		if (strcmp(public_key_id(public), public_key_id(private_public(key))) != 0)
			return err_set(err, EBADMSG, "%s: its two halves are of different keys", what);
	}
	*out = MOVE(key);
	return 0;
}

/* A public half beside the private one has to be of the same key. */
static int
check_public(const struct private_key *key, const json_t *json, const char *what, struct err *err)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	int r;

	if (!json_object_get(json_object_get(json, "keyval"), "public"))
		return 0;
	if ((r = public_key_read(json, what, &public, err)) < 0)
		return r;
	if (!strcmp(public_key_id(public), public_key_id(private_public(key))))
		return 0;
	return err_set(err, EBADMSG, "%s: its public and private halves are of different keys", what);
}

static int
read_json(const struct secret *text, const char *what, private_ask *ask, void *context,
    struct private_key **out, struct err *err)
{
	AUTO(private_freep) struct private_key *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *type, *value;
	bool is_rsa;
	int r;

	/* Its reasons may quote the text. */
	if (json_read((const char *)text->data, text->bytes, what, &json, err) < 0)
		return err_set(err, EBADMSG, "%s: not JSON", what);
	if ((r = json_need_text(json, "keytype", what, &type, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "keyval"), "private", what, &value, err)) < 0)
		return r;
	is_rsa = !strcasecmp(type, "RSA");
	if (!is_rsa && strcasecmp(type, "ED25519"))
		return err_set(err, EBADMSG, "%s: key type \"%.32s\" is neither ED25519 nor RSA", what, type);
	r = is_rsa ? read_pem(value, strlen(value), what, ask, context, &key, err)
		   : read_hex(value, strlen(value), what, &key, err);
	if (r < 0 || (r = check_public(key, json, what, err)) < 0)
		return r;
	if (is_rsa != (key->rsa != NULL))
		return err_set(err, EBADMSG, "%s: key type \"%.32s\" does not fit the key", what, type);
	*out = MOVE(key);
	return 0;
}

int
private_read(const struct secret *text, const char *what, private_ask *ask, void *context,
    struct private_key **out, struct err *err)
{
	const char *at = (const char *)text->data, *end = at + text->bytes;

	while (at < end && isspace((unsigned char)*at))
		at++;
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	if (at == end)
		return err_set(err, EBADMSG, "%s: is empty", what);
	if (*at == '{')
		return read_json(text, what, ask, context, out, err);
	if (memmem(at, (size_t)(end - at), "-----BEGIN ", 11))
		return read_pem(text->data, text->bytes, what, ask, context, out, err);
	if (isxdigit((unsigned char)*at))
		return read_hex(at, (size_t)(end - at), what, out, err);
	return err_set(
	    err, EBADMSG, "%s: neither a PEM, nor a key in JSON, nor 64 hex digits of an ED25519 seed", what);
}

/* Writes the key as PEM: PKCS#8, or PKCS#1 as @is_traditional. */
static int
write_pem(const struct private_key *key, bool is_traditional, struct secret **out, struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_secmem());
	AUTO(evp_free_p) EVP_PKEY *evp = NULL;
	char *pem;
	long bytes;
	int is_done;

	if (key->rsa && EVP_PKEY_up_ref(key->rsa) == 1)
		evp = key->rsa;
	else if (key->seed)
		evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->seed->data, key->seed->bytes);
	if (!bio || !evp)
		return err_set(err, ENOMEM, "no memory for a key");
	is_done = is_traditional ? PEM_write_bio_PrivateKey_traditional(bio, evp, NULL, NULL, 0, NULL, NULL)
				 : PEM_write_bio_PKCS8PrivateKey(bio, evp, NULL, NULL, 0, NULL, NULL);
	bytes = BIO_get_mem_data(bio, &pem);
	if (is_done != 1 || bytes <= 0)
		return err_set(err, EIO, "libcrypto does not write the key");
	return secret_copy(pem, (size_t)bytes, out, err);
}

int
private_pem(const struct private_key *key, struct secret **out, struct err *err)
{
	return write_pem(key, false, out, err);
}

/* The private value in garage-sign's JSON. */
static int
write_value(const struct private_key *key, struct secret **out, struct err *err)
{
	char *text;
	size_t bytes;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *value;
	int r;

	if (key->rsa)
		return write_pem(key, true, out, err);
	if ((r = key_pair_reveal(key->pair, &text, &bytes, err)) < 0)
		return r;
	r = json_read(text, bytes, "key", &json, err);
	wipe_and_free(text);
	if (r < 0 || (r = json_need_text(json_object_get(json, "keyval"), "private", "key", &value, err)) < 0)
		return r;
	return secret_copy(value, strlen(value), out, err);
}

int
private_json(const struct private_key *key, struct secret **out, struct err *err)
{
	AUTO(secret_freep) struct secret *value = NULL, *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	size_t bytes;
	int r = write_value(key, &value, err);

	if (r < 0)
		return r;
	json = json_pack("{s:s,s:{s:s}}", "keytype", key->rsa ? "RSA" : "ED25519", "keyval", "private",
	    (const char *)value->data);
	bytes = json ? json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS) : 0;
	if (bytes == 0)
		return err_set(err, ENOMEM, "no memory for a key");
	if ((r = secret_new(bytes + 1, &text, err)) < 0)
		return r;
	if (json_dumpb(json, (char *)text->data, bytes, JSON_COMPACT | JSON_SORT_KEYS) != bytes)
		return err_set(err, ENOMEM, "no memory for a key");
	text->data[bytes] = '\n';
	*out = MOVE(text);
	return 0;
}

int
private_pack(const struct private_key *key, const char *keyid, struct secret **out, struct err *err)
{
	int body = key->rsa ? i2d_PrivateKey(key->rsa, NULL) : KEY_SEED_BYTES;
	char head[16 + DIGEST_HEX_SIZE];
	unsigned char *at;
	int r, n = snprintf(head, sizeof(head), "%s %s\n", key->rsa ? "rsa" : "ed25519", keyid);

	if (body <= 0)
		return err_set(err, EIO, "libcrypto does not write the key");
	if ((r = secret_new((size_t)n + (size_t)body, out, err)) < 0)
		return r;
	memcpy((*out)->data, head, (size_t)n);
	at = (*out)->data + n;
	if (key->rsa)
		i2d_PrivateKey(key->rsa, &at);
	else
		memcpy(at, key->seed->data, KEY_SEED_BYTES);
	return 0;
}

static int
unpack_rsa(const unsigned char *der, size_t bytes, const char *what, struct private_key **out, struct err *err)
{
	AUTO(evp_free_p) EVP_PKEY *evp = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &der, (long)bytes);
	int r;

	if (!evp)
		return err_set(err, EBADMSG, "%s: holds no RSA key", what);
	return (r = check_rsa(evp, what, err)) < 0 ? r : from_rsa(evp, what, out, err);
}

int
private_unpack(const struct secret *content, const char *what, struct private_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	static const char ed25519[] = "ed25519 ", rsa[] = "rsa ";
	const char *text = (const char *)content->data;
	size_t type = !strncmp(text, rsa, strlen(rsa))           ? strlen(rsa)
		      : !strncmp(text, ed25519, strlen(ed25519)) ? strlen(ed25519)
								 : 0;
	size_t head = type + DIGEST_HEX_SIZE;

	if (type == 0 || content->bytes <= head || text[head - 1] != '\n')
		return err_set(err, EBADMSG, "%s: holds no key", what);
	memcpy(keyid, text + type, DIGEST_HEX_SIZE - 1);
	keyid[DIGEST_HEX_SIZE - 1] = '\0';
	if (!digest_is_sha256_hex(keyid))
		return err_set(err, EBADMSG, "%s: holds no key id", what);
	if (type == strlen(rsa))
		return unpack_rsa(content->data + head, content->bytes - head, what, out, err);
	if (content->bytes - head != KEY_SEED_BYTES)
		return err_set(err, EBADMSG, "%s: holds no ED25519 seed", what);
	return from_seed(content->data + head, out, err);
}
