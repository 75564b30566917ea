#include "sign/vault.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/cleanup.h"

#define KEY_BYTES crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SALT_BYTES crypto_pwhash_argon2id_SALTBYTES
/** The first three lines have at most 165 bytes. */
#define HEAD_MAX 256
#define KIND_MAX 16

/* The first three lines. */
struct head {
	char kind[KIND_MAX + 1];
	uint64_t passes, memory;
	unsigned char salt[SALT_BYTES], nonce[NONCE_BYTES];
	char text[HEAD_MAX]; /* as they stand in the file: the additional data */
	size_t bytes;
};

int
secret_new(size_t bytes, struct secret **out, struct err *err)
{
	AUTO(secret_freep) struct secret *secret = calloc(1, sizeof(*secret));

	if (!secret || !(secret->data = sodium_malloc(bytes + 1)))
		return err_set(err, ENOMEM, "no memory for a secret");
	/* sodium_malloc() goes on when locking fails. */
	if (sodium_mlock(secret->data, bytes + 1) < 0)
		return err_set(err, ENOMEM, "no memory can be locked for a secret (ulimit -l)");
	sodium_memzero(secret->data, bytes + 1);
	secret->bytes = bytes;
	*out = MOVE(secret);
	return 0;
}

int
secret_copy(const void *data, size_t bytes, struct secret **out, struct err *err)
{
	int r = secret_new(bytes, out, err);

	if (r == 0)
		memcpy((*out)->data, data, bytes);
	return r;
}

void
secret_free(struct secret *secret)
{
	if (!secret)
		return;
	sodium_free(secret->data);
	free(secret);
}

void
secret_freep(struct secret **secret)
{
	secret_free(*secret);
}

void
secret_random(struct secret *secret)
{
	randombytes_buf(secret->data, secret->bytes);
}

int
secret_equal(const struct secret *a, const struct secret *b)
{
	return a->bytes == b->bytes && sodium_memcmp(a->data, b->data, a->bytes) == 0;
}

static void
write_head(struct head *head)
{
	char salt[2 * SALT_BYTES + 1], nonce[2 * NONCE_BYTES + 1];

	sodium_bin2hex(salt, sizeof(salt), head->salt, SALT_BYTES);
	sodium_bin2hex(nonce, sizeof(nonce), head->nonce, NONCE_BYTES);
	head->bytes = (size_t)snprintf(head->text, sizeof(head->text),
	    "otafs-vault-1 %s\nargon2id %" PRIu64 " %" PRIu64 " %s\nxchacha20poly1305 %s\n", head->kind,
	    head->passes, head->memory, salt, nonce);
}

/* Reads what is like a head, writes it anew and compares, so that one spelling is taken and no other. */
static int
parse_head(const char *text, size_t bytes, struct head *head)
{
	char start[HEAD_MAX] = "", salt[2 * SALT_BYTES + 1], nonce[2 * NONCE_BYTES + 1];

	memcpy(start, text, bytes < HEAD_MAX - 1 ? bytes : HEAD_MAX - 1);
	if (sscanf(start,
		"otafs-vault-1 %16[a-z]\nargon2id %" SCNu64 " %" SCNu64
		" %32[0-9a-f]\nxchacha20poly1305 %48[0-9a-f]\n",
		head->kind, &head->passes, &head->memory, salt, nonce) != 5 ||
	    sodium_hex2bin(head->salt, SALT_BYTES, salt, strlen(salt), NULL, NULL, NULL) ||
	    sodium_hex2bin(head->nonce, NONCE_BYTES, nonce, strlen(nonce), NULL, NULL, NULL))
		return -EBADMSG;
	write_head(head);
	return head->bytes <= bytes && !memcmp(head->text, text, head->bytes) ? 0 : -EBADMSG;
}

static int
check_cost(const struct head *head, const char *what, struct err *err)
{
	if (head->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || head->passes > VAULT_PASSES_MAX)
		return err_set(err, ERANGE, "%s: Argon2id of %" PRIu64 " passes; 1 to %d are allowed", what,
		    head->passes, VAULT_PASSES_MAX);
	if (head->memory < crypto_pwhash_argon2id_MEMLIMIT_MIN || head->memory > VAULT_MEMORY_MAX)
		return err_set(err, ERANGE,
		    "%s: Argon2id over %" PRIu64 " bytes; 8192 to %" PRIi64 " are allowed", what, head->memory,
		    VAULT_MEMORY_MAX);
	return 0;
}

static int
read_head(
    const char *text, size_t bytes, const char *kind, const char *what, struct head *head, struct err *err)
{
	static const char family[] = "otafs-vault-", format[] = "otafs-vault-1 ";

	if (bytes > VAULT_FILE_MAX)
		return err_set(
		    err, EFBIG, "%s: has %zu bytes, at most %d are allowed", what, bytes, VAULT_FILE_MAX);
	if (bytes < sizeof(format) || memcmp(text, family, strlen(family)))
		return err_set(err, EBADMSG, "%s: not a container of ota-sign(1) (otafs-vault-1)", what);
	if (memcmp(text, format, strlen(format)))
		return err_set(
		    err, EBADMSG, "%s: a container of a format that is not known here; otafs-vault-1 is", what);
	if (parse_head(text, bytes, head) < 0)
		return err_set(err, EBADMSG, "%s: the container's first three lines are damaged", what);
	if (strcmp(head->kind, kind))
		return err_set(err, EBADMSG, "%s: holds a %s, not a %s", what, head->kind, kind);
	return check_cost(head, what, err);
}

int
vault_check(const char *text, size_t bytes, const char *kind, const char *what, struct err *err)
{
	struct head head;

	return read_head(text, bytes, kind, what, &head, err);
}

static int
derive(const struct head *head, const struct secret *passphrase, struct secret **key, struct err *err)
{
	int r = secret_new(KEY_BYTES, key, err);

	if (r < 0)
		return r;
	if (crypto_pwhash((*key)->data, KEY_BYTES, (const char *)passphrase->data, passphrase->bytes,
		head->salt, head->passes, (size_t)head->memory, crypto_pwhash_ALG_ARGON2ID13) == 0)
		return 0;
	return err_set(err, ENOMEM, "Argon2id needs %" PRIu64 " MiB of memory, which are not there",
	    head->memory / (1024 * 1024));
}

/* The sealed bytes behind the head, as base64 and a newline. */
static int
append_sealed(const struct head *head, const unsigned char *sealed, size_t bytes, char **text, size_t *total)
{
	size_t room = sodium_base64_ENCODED_LEN(bytes, sodium_base64_VARIANT_ORIGINAL);

	if (!(*text = malloc(head->bytes + room + 1)))
		return -ENOMEM;
	memcpy(*text, head->text, head->bytes);
	sodium_bin2base64(*text + head->bytes, room, sealed, bytes, sodium_base64_VARIANT_ORIGINAL);
	*total = head->bytes + room;
	(*text)[*total - 1] = '\n';
	(*text)[*total] = '\0';
	return 0;
}

int
vault_seal(const char *kind, const struct secret *passphrase, const struct secret *content,
    const struct vault_cost *cost, char **text, size_t *bytes, struct err *err)
{
	AUTO(secret_freep) struct secret *key = NULL;
	AUTO(free_p) unsigned char *sealed = NULL;
	struct head head;
	int r;

	if (content->bytes > VAULT_CONTENT_MAX)
		return err_set(
		    err, EFBIG, "a container takes %d bytes, these are %zu", VAULT_CONTENT_MAX, content->bytes);
	if (!cost)
		cost = &vault_cost;
	head.passes = cost->passes;
	head.memory = cost->memory_bytes;
	snprintf(head.kind, sizeof(head.kind), "%s", kind);
	randombytes_buf(head.salt, SALT_BYTES);
	randombytes_buf(head.nonce, NONCE_BYTES);
	write_head(&head);
	if ((r = derive(&head, passphrase, &key, err)) < 0)
		return r;
	if (!(sealed = malloc(content->bytes + TAG_BYTES)))
		return err_set(err, ENOMEM, "no memory for a container");
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, content->data, content->bytes,
	    (const unsigned char *)head.text, head.bytes, NULL, head.nonce, key->data);
	if (append_sealed(&head, sealed, content->bytes + TAG_BYTES, text, bytes) < 0)
		return err_set(err, ENOMEM, "no memory for a container");
	return 0;
}

/* libsodium 1.0.18 takes bytes above 0x7f for digits. */
static int
is_base64(const char *line, size_t bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

	for (size_t i = 0; i < bytes; i++)
		if (!memchr(digits, line[i], sizeof(digits) - 1))
			return 0;
	return 1;
}

/* The bytes that the fourth line writes in base64. */
static int
read_sealed(const char *line, size_t bytes, const char *what, unsigned char **out, size_t *sealed_bytes,
    struct err *err)
{
	AUTO(free_p) unsigned char *sealed = NULL;

	if (bytes < 2 || line[bytes - 1] != '\n')
		return err_set(err, EBADMSG, "%s: the container is cut short", what);
	if (!(sealed = malloc(bytes)))
		return err_set(err, ENOMEM, "%s: no memory", what);
	if (!is_base64(line, bytes - 1) ||
	    sodium_base642bin(
		sealed, bytes, line, bytes - 1, NULL, sealed_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) < 0 ||
	    *sealed_bytes < TAG_BYTES)
		return err_set(err, EBADMSG, "%s: the container's fourth line is damaged", what);
	*out = MOVE(sealed);
	return 0;
}

int
vault_open(const char *text, size_t bytes, const char *kind, const char *what, const struct secret *passphrase,
    struct secret **content, struct err *err)
{
	AUTO(secret_freep) struct secret *key = NULL, *plain = NULL;
	AUTO(free_p) unsigned char *sealed = NULL;
	size_t sealed_bytes = 0;
	struct head head;
	int r;

	if ((r = read_head(text, bytes, kind, what, &head, err)) < 0 ||
	    (r = read_sealed(text + head.bytes, bytes - head.bytes, what, &sealed, &sealed_bytes, err)) < 0)
		return r;
	if ((r = derive(&head, passphrase, &key, err)) < 0 ||
	    (r = secret_new(sealed_bytes - TAG_BYTES, &plain, err)) < 0)
		return err_context(err, r, "%s", what);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain->data, NULL, NULL, sealed, sealed_bytes,
		(const unsigned char *)head.text, head.bytes, head.nonce, key->data) < 0)
		return err_set(err, EACCES,
		    "%s: the passphrase is wrong, or the file is damaged (which cannot be told apart)", what);
	*content = MOVE(plain);
	return 0;
}
