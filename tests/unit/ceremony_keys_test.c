/* ceremony/private and ceremony/keys: keys in memory, in their forms, and in the folder. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "ceremony/keys.h"
#include "ceremony/private.h"
#include "ceremony/secret_file.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/unit/fault.h"
#include "tests/unit/memory.h"

static const char *const type_names[] = { "ed25519", "rsa2048", "rsa3072", "rsa4096" };
static const char message[] = "the signed part";
static char folder[64];
/* One key of each type, made once. */
static struct private_key *made[4];

static int
start(void **state)
{
	enum private_type type;
	struct err err;

	(void)state;
	strcpy(folder, "/tmp/otafs-unit.XXXXXX");
	if (key_start(&err) < 0 || private_start(&err) < 0 || !mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	for (int i = 0; i < 4; i++)
		if (private_type(type_names[i], &type, &err) < 0 || private_new(type, &made[i], &err) < 0)
			return -1;
	return 0;
}

static int
end(void **state)
{
	char command[128];

	(void)state;
	for (int i = 0; i < 4; i++)
		private_free(made[i]);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") || system(command);
}

/* libcrypto alone, with the salt of exactly 32 bytes. */
static int
verifies(const struct public_key *public, const json_t *signature)
{
	AUTO(free_p) char *pem = NULL;
	unsigned char raw[KEY_SIGNATURE_MAX];
	size_t bytes = sizeof(raw);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	EVP_PKEY *key;
	struct err err;
	BIO *bio;
	int is_rsa, good;

	assert_int_equal(public_key_pem(public, &pem, &err), 0);
	assert_int_equal(digest_unbase64(json_text(signature, "sig"), raw, &bytes), 0);
	bio = BIO_new_mem_buf(pem, -1);
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	assert_non_null(key);
	is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	assert_string_equal(json_text(signature, "method"), is_rsa ? "rsassa-pss-sha256" : "ed25519");
	assert_int_equal(EVP_DigestVerifyInit(context, &padding, is_rsa ? EVP_sha256() : NULL, NULL, key), 1);
	if (is_rsa) {
		EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32);
	}
	good = EVP_DigestVerify(context, raw, bytes, (const unsigned char *)message, sizeof(message)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

static void
signs_so_that_others_can_verify(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		AUTO(json_decref_p) json_t *signature = NULL;

		assert_int_equal(
		    private_sign(made[i], "the id", message, sizeof(message), &signature, &err), 0);
		assert_string_equal(json_text(signature, "keyid"), "the id");
		assert_true(verifies(private_public(made[i]), signature));
		assert_int_equal(public_key_verify(private_public(made[i]), json_text(signature, "method"),
				     json_text(signature, "sig"), message, sizeof(message), &err),
		    0);
	}
}

typedef int form(const struct private_key *key, struct secret **out, struct err *err);

static void
reads_each_form_that_it_writes(void **state)
{
	static form *const forms[] = { private_pem, private_json };
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 8; i++) {
		const struct private_key *key = made[i % 4];
		AUTO(private_freep) struct private_key *back = NULL;
		AUTO(secret_freep) struct secret *text = NULL;

		assert_int_equal(forms[i / 4](key, &text, &err), 0);
		assert_int_equal(private_read(text, "f", NULL, NULL, &back, &err), 0);
		assert_string_equal(public_key_id(private_public(back)), public_key_id(private_public(key)));
	}
}

static void
unpacks_what_it_packed_and_nothing_shorter(void **state)
{
	static const char id[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		AUTO(private_freep) struct private_key *back = NULL;
		AUTO(secret_freep) struct secret *content = NULL;
		char keyid[DIGEST_HEX_SIZE];

		assert_int_equal(private_pack(made[i], id, &content, &err), 0);
		assert_int_equal(private_unpack(content, "f", &back, keyid, &err), 0);
		assert_string_equal(keyid, id);
		assert_string_equal(
		    public_key_id(private_public(back)), public_key_id(private_public(made[i])));
		for (size_t n = 0; n < content->bytes; n++) {
			AUTO(secret_freep) struct secret *cut = NULL;
			struct private_key *none = NULL;

			assert_int_equal(secret_copy(content->data, n, &cut, &err), 0);
			assert_int_equal(private_unpack(cut, "f", &none, keyid, &err), -EBADMSG);
			assert_reason(err, "f: holds no ");
		}
	}
}

/* Files as keys_put() leaves them; whole or not at all. */
static void
assert_whole(const char *container, const json_t *public)
{
	AUTO(free_p) char *expected = json_write(public);
	AUTO(secret_freep) struct secret *key = NULL, *pub = NULL;
	struct err err;
	int has_key = secret_file_read(AT_FDCWD, "k/a.key", 4096, true, &key, &err) == 0,
	    has_pub = secret_file_read(AT_FDCWD, "k/a.pub", 4096, false, &pub, &err) == 0;

	/* A public half alone would be a key that is lost. */
	assert_true(has_key || !has_pub);
	if (has_key)
		assert_string_equal((char *)key->data, container);
	if (has_pub)
		assert_memory_equal(pub->data, expected, strlen(expected));
	assert_int_equal(access("k/a.key.tmp", F_OK), -1);
	assert_int_equal(access("k/a.pub.tmp", F_OK), -1);
}

static void
never_leaves_half_a_key_whatever_fails(void **state)
{
	static const char container[] = "otafs-vault-1 key\n...\n";
	AUTO(json_decref_p) json_t *public = keys_public_json(private_public(made[0]), "id");
	int fds = fault_open_fds(), calls, r;
	struct err err = { 0 };

	(void)state;
	for (calls = 0;; calls++) {
		struct keys *keys = NULL;

		fault_after(calls);
		r = keys_open("k", true, &keys, &err);
		if (r == 0)
			r = keys_put(keys, "a", container, strlen(container), public, &err);
		keys_free(keys);
		if (!fault_stop())
			break;
		assert_whole(container, public);
		/* jansson does without some of its memory. */
		if (r == 0)
			assert_int_equal(access("k/a.key", F_OK) | access("k/a.pub", F_OK), 0);
		unlink("k/a.key");
		unlink("k/a.pub");
	}
	assert_int_equal(r, 0);
	assert_whole(container, public);
	assert_true(calls > 10);
	assert_int_equal(fault_open_fds(), fds);
	assert_int_equal(system("rm -r k"), 0);
}

static void
lets_one_writer_into_the_folder(void **state)
{
	AUTO(keys_freep) struct keys *one = NULL;
	struct keys *two = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(keys_open("k", true, &one, &err), 0);
	assert_int_equal(keys_open("k", true, &two, &err), -EBUSY);
	assert_reason(err, "key folder k: another ota-sign changes it");
	assert_int_equal(keys_open("k", false, &two, &err), 0);
	keys_free(two);
}

static void
reads_and_writes_whatever_fails_in_libcrypto(void **state)
{
	AUTO(secret_freep) struct secret *text = NULL;
	struct err err = { 0 };
	int calls, r;

	(void)state;
	assert_int_equal(private_pem(made[1], &text, &err), 0);
	/* There are thousands, most of them in signing. */
	for (calls = 0;; calls += 1 + calls / 16) {
		AUTO(private_freep) struct private_key *back = NULL;
		AUTO(secret_freep) struct secret *again = NULL;
		AUTO(json_decref_p) json_t *signature = NULL;

		fault_after(calls);
		r = private_read(text, "f", NULL, NULL, &back, &err);
		if (r == 0)
			r = private_sign(back, "id", message, sizeof(message), &signature, &err);
		if (r == 0)
			r = private_pem(back, &again, &err);
		if (!fault_stop())
			break;
		/* libcrypto does without some of its memory. */
		if (r == 0) {
			assert_true(secret_equal(text, again));
			assert_true(verifies(private_public(made[1]), signature));
		}
	}
	assert_int_equal(r, 0);
	assert_true(calls > 50);
}

/* 32 bytes of an RSA key's numbers, masked, as they are written and as libcrypto keeps them. */
struct piece {
	unsigned char written[32], kept[32];
};

static void
take_piece(const unsigned char *from, struct piece *piece)
{
	for (size_t i = 0; i < 32; i++) {
		piece->written[i] = from[i] ^ 0xff;
		piece->kept[31 - i] = from[i] ^ 0xff;
	}
}

/* Makes a key, takes it through all forms, and lets go of it. */
static void
use_a_key(struct piece *numbers, unsigned char text[static 64], int *seen)
{
	AUTO(private_freep) struct private_key *key = NULL, *back = NULL;
	AUTO(secret_freep) struct secret *content = NULL, *pem = NULL, *json = NULL;
	AUTO(json_decref_p) json_t *signature = NULL;
	char keyid[DIGEST_HEX_SIZE];
	struct err err;

	assert_int_equal(private_new(PRIVATE_RSA2048, &key, &err), 0);
	assert_int_equal(private_pack(key, public_key_id(private_public(key)), &content, &err), 0);
	assert_int_equal(private_unpack(content, "f", &back, keyid, &err), 0);
	private_free(MOVE(back));
	assert_int_equal(private_pem(key, &pem, &err), 0);
	assert_int_equal(private_json(key, &json, &err), 0);
	assert_int_equal(private_read(json, "f", NULL, NULL, &back, &err), 0);
	assert_int_equal(private_sign(back, keyid, message, sizeof(message), &signature, &err), 0);
	/* The private exponent lies 280 to 530 bytes after the modulus begins, the primes behind it. */
	take_piece(content->data + content->bytes - 840, &numbers[0]);
	take_piece(content->data + content->bytes - 600, &numbers[1]);
	take_piece(content->data + content->bytes - 60, &numbers[2]);
	for (size_t i = 0; i < 64; i++)
		text[i] = pem->data[pem->bytes - 300 + i] ^ 0xff;
	for (int i = 0; i < 3; i++)
		*seen += memory_count(numbers[i].written, 32) > 0;
	*seen += memory_count(text, 64) > 0;
}

static void
leaves_no_copy_of_a_key_in_memory(void **state)
{
	struct piece numbers[3];
	unsigned char text[64];
	int seen = 0;

	(void)state;
	use_a_key(numbers, text, &seen);
	/* Proof that the search finds. */
	assert_int_equal(seen, 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(memory_count(numbers[i].written, 32), 0);
		assert_int_equal(memory_count(numbers[i].kept, 32), 0);
	}
	assert_int_equal(memory_count(text, 64), 0);
}

/* 64 bytes that are nowhere else; masked. */
static void
make_pattern(unsigned char masked[static 64], char text[static 65])
{
	for (int i = 0; i < 64; i++) {
		text[i] = (char)('!' + (5 * i * i + 11 * i) % 90);
		masked[i] = (unsigned char)text[i] ^ 0xff;
	}
	text[64] = '\0';
}

static void
wipes_what_libraries_free(void **state)
{
	unsigned char masked[64];
	char text[65];
	json_t *json;
	char *copy;

	(void)state;
	make_pattern(masked, text);
	json = json_string(text);
	copy = OPENSSL_strdup(text);
	explicit_bzero(text, sizeof(text));
	/* free() itself writes over the first bytes only. */
	assert_int_equal(memory_count(masked + 32, 32), 2);
	json_decref(json);
	assert_int_equal(memory_count(masked + 32, 32), 1);
	/* Too large to grow where it is. */
	copy = OPENSSL_realloc(copy, 1 << 20);
	assert_int_equal(memory_count(masked + 32, 32), 1);
	OPENSSL_free(copy);
	assert_int_equal(memory_count(masked + 32, 32), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_so_that_others_can_verify),
		cmocka_unit_test(reads_each_form_that_it_writes),
		cmocka_unit_test(unpacks_what_it_packed_and_nothing_shorter),
		cmocka_unit_test(never_leaves_half_a_key_whatever_fails),
		cmocka_unit_test(lets_one_writer_into_the_folder),
		cmocka_unit_test(reads_and_writes_whatever_fails_in_libcrypto),
		cmocka_unit_test(wipes_what_libraries_free),
		cmocka_unit_test(leaves_no_copy_of_a_key_in_memory),
	};

	return cmocka_run_group_tests(tests, start, end);
}
