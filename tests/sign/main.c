/*
 * Makes keys and signs documents as garage-sign does on a builder's machine, for the tests and the demo.
 *
 *   ota-test-sign key ed25519|rsa DIR NAME   makes DIR/NAME.sec (PKCS#8 PEM, 0600) and DIR/NAME.pub, one line
 * of
 *                                            {"keytype":...,"keyval":{"public":...}}, and prints the key id
 *   ota-test-sign take DIR NAME              the same from the private key of ota-signd on standard input, as
 *                                            GET root/private_keys/KEYID gives it (ED25519)
 *   ota-test-sign id FILE.pub                prints the key id: SHA-256 of the SubjectPublicKeyInfo
 *   ota-test-sign sign DOC KEY.sec...        DOC ("-": standard input) is the "signed" part, or a whole
 * envelope whose signatures by other keys stay; writes the canonical envelope
 *                                            {"signatures":[...],"signed":...} to standard output.
 *                                            KEYID=KEY.sec signs under another key id.
 *   ota-test-sign canonical DOC              writes DOC in canonical form
 *
 * RSA keys have 2048 bits and sign with rsassa-pss-sha256, salt of 32 bytes. Exit status 1 with a reason on
 * failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"

#define DOCUMENT_MAX (16 * 1024 * 1024)

static void
evp_free_p(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static int
read_document(const char *name, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes = 0;
	int r;

	if (strcmp(name, "-")) {
		if ((r = file_read(AT_FDCWD, name, DOCUMENT_MAX, &text, &bytes, err)) < 0)
			return r;
	} else {
		text = malloc(DOCUMENT_MAX);
		bytes = text ? fread(text, 1, DOCUMENT_MAX, stdin) : 0;
	}
	return json_read(text, bytes, name, out, err);
}

/* The public value as aktualizr reads it. */
static json_t *
public_json(EVP_PKEY *key)
{
	unsigned char raw[32];
	size_t bytes = sizeof(raw);
	char hex[65], *pem;
	json_t *json;
	BIO *bio;
	long n;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key, raw, &bytes) != 1)
			return NULL;
		digest_hex(raw, bytes, hex);
		return json_pack("{s:s,s:{s:s}}", "keytype", "ED25519", "keyval", "public", hex);
	}
	bio = BIO_new(BIO_s_mem());
	if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1)
		return NULL;
	n = BIO_get_mem_data(bio, &pem);
	json = json_pack("{s:s,s:{s:s#}}", "keytype", "RSA", "keyval", "public", pem, (int)n);
	BIO_free(bio);
	return json;
}

static int
key_id(const json_t *json, char id[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	int r = public_key_read(json, "key", &key, err);

	if (r == 0)
		snprintf(id, DIGEST_HEX_SIZE, "%s", public_key_id(key));
	return r;
}

static int
save_private(EVP_PKEY *key, const char *path, struct err *err)
{
	AUTO(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	AUTO(fclose_p) FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");

	if (!file || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
		return err_sys(err, "%s", path);
	return 0;
}

static int
save(EVP_PKEY *key, const char *dir, const char *name, struct err *err)
{
	AUTO(json_decref_p) json_t *json = public_json(key);
	AUTO(free_p) char *text = NULL;
	char path[4096], id[DIGEST_HEX_SIZE];
	int r;

	if (!json || !(text = json_write(json)))
		return err_set(err, EIO, "no public key");
	snprintf(path, sizeof(path), "%s/%s.sec", dir, name);
	if ((r = save_private(key, path, err)) < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s.pub", dir, name);
	if ((r = file_replace(AT_FDCWD, path, text, strlen(text), 0644, err)) < 0 ||
	    (r = key_id(json, id, err)) < 0)
		return r;
	puts(id);
	return 0;
}

static int
make_key(char **words, int count, struct err *err)
{
	AUTO(evp_free_p) EVP_PKEY *key = NULL;

	(void)count;
	key = !strcmp(words[0], "rsa")       ? EVP_RSA_gen(2048)
	      : !strcmp(words[0], "ed25519") ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
					     : NULL;
	if (!key)
		return err_set(err, EINVAL, "%s: neither ed25519 nor rsa", words[0]);
	return save(key, words[1], words[2], err);
}

static int
take_key(char **words, int count, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(evp_free_p) EVP_PKEY *key = NULL;
	unsigned char raw[64];
	const char *private;
	int r;

	(void)count;
	if ((r = read_document("-", &json, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "keyval"), "private", "key", &private, err)) < 0)
		return r;
	if (digest_unhex(private, raw, sizeof(raw)) < 0)
		return err_set(err, EBADMSG, "private key is not 128 hex digits");
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, 32);
	return key ? save(key, words[0], words[1], err) : err_set(err, EIO, "no key");
}

static int
print_id(char **words, int count, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	char id[DIGEST_HEX_SIZE];
	int r;

	(void)count;
	if ((r = read_document(words[0], &json, err)) < 0 || (r = key_id(json, id, err)) < 0)
		return r;
	puts(id);
	return 0;
}

static char *
make_signature(EVP_PKEY *key, const char *data, size_t bytes)
{
	int is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	unsigned char raw[512];
	size_t room = sizeof(raw);
	char *text = NULL;

	if (context && EVP_DigestSignInit(context, &padding, is_rsa ? EVP_sha256() : NULL, NULL, key) == 1 &&
	    (!is_rsa || (EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
			    EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32) == 1)) &&
	    EVP_DigestSign(context, raw, &room, (const unsigned char *)data, bytes) == 1)
		text = digest_base64(raw, room);
	EVP_MD_CTX_free(context);
	return text;
}

/* Takes a signature under @id out: it is going to be made anew. */
static void
drop_signature(json_t *signatures, const char *id)
{
	for (size_t i = json_array_size(signatures); i-- > 0;)
		if (!strcmp(json_text(json_array_get(signatures, i), "keyid") ?: "", id))
			json_array_remove(signatures, i);
}

/* @word: [KEYID=]FILE */
static int
add_signature(const char *word, const char *data, size_t bytes, json_t *signatures, struct err *err)
{
	const char *equals = strchr(word, '='), *path = equals ? equals + 1 : word;
	AUTO(fclose_p) FILE *file = fopen(path, "r");
	AUTO(evp_free_p) EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	AUTO(json_decref_p) json_t *json = key ? public_json(key) : NULL;
	AUTO(free_p) char *text = NULL;
	char id[DIGEST_HEX_SIZE];
	int r;

	if (!json)
		return err_set(err, EINVAL, "%s: no private key", path);
	if ((r = key_id(json, id, err)) < 0)
		return r;
	if (equals)
		snprintf(id, sizeof(id), "%.*s", (int)(equals - word), word);
	if (!(text = make_signature(key, data, bytes)))
		return err_set(err, EIO, "%s: does not sign", path);
	drop_signature(signatures, id);
	json_array_append_new(signatures,
	    json_pack("{s:s,s:s,s:s}", "keyid", id, "method",
		EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "rsassa-pss-sha256" : "ed25519", "sig", text));
	return 0;
}

static int
sign_document(char **words, int count, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(json_decref_p) json_t *signatures = NULL;
	AUTO(free_p) char *canonical = NULL;
	AUTO(free_p) char *envelope = NULL;
	json_t *signed_part;
	size_t bytes;
	int r;

	if ((r = read_document(words[0], &json, err)) < 0)
		return r;
	signed_part = json_object_get(json, "signed") ?: json;
	signatures = json_is_array(json_object_get(json, "signatures"))
			 ? json_incref(json_object_get(json, "signatures"))
			 : json_array();
	if ((r = canonical_write(signed_part, &canonical, &bytes, err)) < 0)
		return r;
	for (int i = 1; i < count; i++)
		if ((r = add_signature(words[i], canonical, bytes, signatures, err)) < 0)
			return r;
	if ((r = envelope_write(signed_part, signatures, &envelope, NULL, err)) < 0)
		return r;
	fputs(envelope, stdout);
	return 0;
}

static int
print_canonical(char **words, int count, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	int r;

	(void)count;
	if ((r = read_document(words[0], &json, err)) < 0 || (r = canonical_write(json, &text, NULL, err)) < 0)
		return r;
	fputs(text, stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int min, max;
		int (*run)(char **words, int count, struct err *err);
	} commands[] = {
		{ "key", 3, 3, make_key },
		{ "take", 2, 2, take_key },
		{ "id", 1, 1, print_id },
		{ "sign", 1, 64, sign_document },
		{ "canonical", 1, 1, print_canonical },
	};
	struct err err = { 0 };

	if (key_start(&err) < 0)
		return 1;
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) || argc - 2 < commands[i].min ||
		    argc - 2 > commands[i].max)
			continue;
		if (commands[i].run(argv + 2, argc - 2, &err) == 0)
			return 0;
		fprintf(stderr, "ota-test-sign: %s\n", err.text);
		return 1;
	}
	fputs("usage: ota-test-sign key ed25519|rsa DIR NAME | take DIR NAME | id PUB | sign DOC "
	      "[KEYID=]KEY... | "
	      "canonical DOC\n",
	    stderr);
	return 2;
}
