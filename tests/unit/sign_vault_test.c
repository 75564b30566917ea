/* sign/vault: what a passphrase locks away comes back whole or not at all. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "sign/key.h"
#include "sign/vault.h"
#include "tests/unit/fault.h"
#include "tests/unit/memory.h"

/** As little as libsodium does: these tests open some thousand containers. */
static const struct vault_cost quick = { .passes = 1, .memory_bytes = 8192 };

static struct secret *passphrase, *content;
static char *text;
static size_t bytes;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	text = NULL;
	return key_start(&err) || secret_copy("correct horse", 13, &passphrase, &err) ||
	       secret_copy("a seed, and\0 what is behind a 0", 31, &content, &err) ||
	       vault_seal("key", passphrase, content, &quick, &text, &bytes, &err);
}

static int
teardown(void **state)
{
	(void)state;
	secret_free(passphrase);
	secret_free(content);
	free(text);
	return 0;
}

/* Opens @bytes of @changed; what comes out has to be the content, whatever was changed. */
static int
open_changed(const char *changed, size_t changed_bytes, struct err *err)
{
	AUTO(secret_freep) struct secret *back = NULL;
	int r = vault_open(changed, changed_bytes, "key", "root.key", passphrase, &back, err);

	assert_true((r == 0) == (back != NULL));
	if (r == 0)
		assert_true(secret_equal(back, content));
	return r;
}

static void
gives_back_what_was_sealed(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(open_changed(text, bytes, &err), 0);
	assert_int_equal(strlen(text), bytes);
	assert_null(memmem(text, bytes, "a seed", 6));
}

static void
gives_back_the_longest_and_the_empty(void **state)
{
	static const size_t sizes[] = { 0, 1, VAULT_CONTENT_MAX };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		AUTO(secret_freep) struct secret *large = NULL, *back = NULL;
		AUTO(free_p) char *sealed = NULL;
		size_t n;

		assert_int_equal(secret_new(sizes[i], &large, &err), 0);
		memset(large->data, 'x', large->bytes);
		assert_int_equal(vault_seal("backup", passphrase, large, &quick, &sealed, &n, &err), 0);
		assert_true(n <= VAULT_FILE_MAX);
		assert_int_equal(vault_open(sealed, n, "backup", "f", passphrase, &back, &err), 0);
		assert_true(secret_equal(large, back));
	}
}

static void
takes_no_more_than_fits(void **state)
{
	AUTO(secret_freep) struct secret *large = NULL;
	struct err err = { 0 };
	char *sealed = NULL;
	size_t n;

	(void)state;
	assert_int_equal(secret_new(VAULT_CONTENT_MAX + 1, &large, &err), 0);
	assert_int_equal(vault_seal("key", passphrase, large, &quick, &sealed, &n, &err), -EFBIG);
	assert_null(sealed);
	assert_int_equal(vault_check(text, VAULT_FILE_MAX + 1, "key", "f", &err), -EFBIG);
	assert_reason(err, "f: has 1048577 bytes, at most 1048576 are allowed");
}

static void
never_makes_the_same_container_twice(void **state)
{
	AUTO(free_p) char *again = NULL;
	struct err err = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(vault_seal("key", passphrase, content, &quick, &again, &n, &err), 0);
	assert_int_equal(n, bytes);
	/* Salt, nonce and content all differ. */
	for (char *a = text, *b = again; (a = strchr(a, '\n')) && a[1]; a++, b++) {
		b = strchr(b, '\n');
		assert_true(strcmp(a + 1, b + 1) != 0);
	}
}

static void
says_that_the_passphrase_may_be_wrong(void **state)
{
	static const char *const wrong[] = { "", "correct hors", "correct horsf", "correct horse ",
		"Correct horse" };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		AUTO(secret_freep) struct secret *other = NULL, *back = NULL;

		assert_int_equal(secret_copy(wrong[i], strlen(wrong[i]), &other, &err), 0);
		assert_int_equal(vault_open(text, bytes, "key", "root.key", other, &back, &err), -EACCES);
		assert_reason(err, "root.key: the passphrase is wrong, or the file is damaged");
		assert_null(back);
	}
}

static void
notices_each_flipped_bit(void **state)
{
	AUTO(free_p) char *changed = malloc(bytes);

	(void)state;
	for (size_t i = 0; i < bytes; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct err err = { 0 };

			memcpy(changed, text, bytes);
			changed[i] = (char)(changed[i] ^ (1 << bit));
			if (open_changed(changed, bytes, &err) >= 0)
				fail_msg("bit %d of byte %zu was flipped and nobody saw it", bit, i);
			assert_true(err.text[0] != '\0');
		}
}

static void
notices_each_byte_that_is_missing_or_more(void **state)
{
	AUTO(free_p) char *changed = malloc(bytes + 1);
	struct err err = { 0 };

	(void)state;
	for (size_t n = 0; n < bytes; n++) {
		/* An own block of the length, for the sanitizer to watch. */
		AUTO(free_p) char *cut = malloc(n ? n : 1);

		memcpy(cut, text, n);
		assert_true(open_changed(cut, n, &err) < 0);
	}
	for (size_t i = 0; i <= bytes; i++) {
		memcpy(changed, text, i);
		changed[i] = i % 2 ? '\n' : ' ';
		memcpy(changed + i + 1, text + i, bytes - i);
		assert_true(open_changed(changed, bytes + 1, &err) < 0);
	}
}

/* A container with another head, as an attacker would write it. */
static void
refuses_head(const char *head, int code, const char *words)
{
	AUTO(free_p) char *changed = NULL;
	struct err err = { 0 };
	int n = asprintf(&changed, "%sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", head);

	assert_int_equal(open_changed(changed, (size_t)n, &err), code);
	assert_reason(err, words);
}

#define SALT " 000102030405060708090a0b0c0d0e0f\n"
#define NONCE "xchacha20poly1305 000102030405060708090a0b0c0d0e0f1011121314151617\n"

static void
names_what_is_wrong_with_a_head(void **state)
{
	(void)state;
	refuses_head("-----BEGIN PRIVATE KEY-----\n", -EBADMSG, "root.key: not a container of ota-sign(1)");
	refuses_head(
	    "otafs-vault-2 key\n", -EBADMSG, "root.key: a container of a format that is not known here");
	refuses_head("otafs-vault-1 backup\nargon2id 1 8192" SALT NONCE, -EBADMSG,
	    "root.key: holds a backup, not a key");
	refuses_head("otafs-vault-1 key\nargon2id 17 8192" SALT NONCE, -ERANGE,
	    "root.key: Argon2id of 17 passes; 1 to 16 are allowed");
	refuses_head("otafs-vault-1 key\nargon2id 0 8192" SALT NONCE, -ERANGE, "Argon2id of 0 passes");
	refuses_head("otafs-vault-1 key\nargon2id 18446744073709551615 8192" SALT NONCE, -ERANGE,
	    "Argon2id of 18446744073709551615 passes");
	refuses_head("otafs-vault-1 key\nargon2id 1 1073741825" SALT NONCE, -ERANGE,
	    "Argon2id over 1073741825 bytes; 8192 to 1073741824 are allowed");
	refuses_head("otafs-vault-1 key\nargon2id 1 8191" SALT NONCE, -ERANGE, "Argon2id over 8191 bytes");
	refuses_head("otafs-vault-1 key\nargon2id 1 18446744073709551615" SALT NONCE, -ERANGE, "Argon2id over");
	refuses_head(
	    "otafs-vault-1 key\nargon2id 01 8192" SALT NONCE, -EBADMSG, "first three lines are damaged");
	refuses_head(
	    "otafs-vault-1 key\nargon2id -1 8192" SALT NONCE, -EBADMSG, "first three lines are damaged");
	refuses_head("otafs-vault-1 key\nargon2d 1 8192" SALT NONCE, -EBADMSG, "first three lines are damaged");
	refuses_head(
	    "otafs-vault-1 key\nargon2id 1 8192 00\n" NONCE, -EBADMSG, "first three lines are damaged");
	refuses_head(
	    "otafs-vault-1 key\nargon2id 1 8192" SALT NONCE "====", -EBADMSG, "fourth line is damaged");
	refuses_head("otafs-vault-1 key\nargon2id 1 8192" SALT NONCE, -EACCES, "the passphrase is wrong");
}

static void
leaves_nothing_behind_whatever_fails(void **state)
{
	int fds = fault_open_fds(), calls, r;
	struct err err = { 0 };

	(void)state;
	for (calls = 0;; calls++) {
		AUTO(secret_freep) struct secret *back = NULL;
		AUTO(free_p) char *sealed = NULL;
		size_t n = 0;

		fault_after(calls);
		r = vault_seal("key", passphrase, content, &quick, &sealed, &n, &err);
		if (r == 0)
			r = vault_open(sealed, n, "key", "f", passphrase, &back, &err);
		if (!fault_stop())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(back);
	}
	assert_int_equal(r, 0);
	/* key, sealed, text; sealed, key, plain */
	assert_true(calls >= 6);
	assert_int_equal(fault_open_fds(), fds);
}

static void
leaves_no_copy_of_a_secret_in_memory(void **state)
{
	AUTO(secret_freep) struct secret *seed = NULL;
	AUTO(free_p) char *sealed = NULL;
	struct secret *back = NULL;
	unsigned char masked[32];
	struct err err = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(secret_new(sizeof(masked), &seed, &err), 0);
	for (size_t i = 0; i < sizeof(masked); i++) {
		masked[i] = (unsigned char)(i * 37 + 11);
		seed->data[i] = masked[i] ^ 0xff;
	}
	assert_int_equal(vault_seal("key", passphrase, seed, &quick, &sealed, &n, &err), 0);
	assert_int_equal(vault_open(sealed, n, "key", "f", passphrase, &back, &err), 0);
	/* Proof that the search finds: the one that went in and the one that came out. */
	assert_int_equal(memory_count(masked, sizeof(masked)), 2);
	secret_free(back);
	secret_free(MOVE(seed));
	assert_int_equal(memory_count(masked, sizeof(masked)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gives_back_what_was_sealed, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_back_the_longest_and_the_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_no_more_than_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(never_makes_the_same_container_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(says_that_the_passphrase_may_be_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(notices_each_flipped_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(notices_each_byte_that_is_missing_or_more, setup, teardown),
		cmocka_unit_test_setup_teardown(names_what_is_wrong_with_a_head, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_behind_whatever_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_no_copy_of_a_secret_in_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
