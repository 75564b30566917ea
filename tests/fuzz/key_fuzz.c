/* Private keys from outside, in all the forms that are read, and what lies in containers. The first byte:
 * which. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>
#include <sanitizer/lsan_interface.h>

#include "ceremony/private.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int
tell_passphrase(void *context, struct secret **out, struct err *err)
{
	(void)context;
	return secret_copy("fuzz", 4, out, err);
}

/* A key that was read signs, and its public half bears that out. */
static void
use(const struct private_key *key)
{
	AUTO(json_decref_p) json_t *signature = NULL;
	struct err err;

	assert(private_sign(key, "id", "data", 4, &signature, &err) == 0);
	assert(public_key_verify(private_public(key), json_text(signature, "method"),
		   json_text(signature, "sig"), "data", 4, &err) == 0);
}

/* What is written is read as the same key. */
static void
write_and_read(const struct private_key *key)
{
	AUTO(secret_freep) struct secret *json = NULL;
	AUTO(secret_freep) struct secret *packed = NULL;
	AUTO(private_freep) struct private_key *again = NULL;
	AUTO(private_freep) struct private_key *unpacked = NULL;
	const char *id = public_key_id(private_public(key));
	char keyid[DIGEST_HEX_SIZE];
	struct err err;

	assert(
	    private_json(key, &json, &err) == 0 && private_read(json, "json", NULL, NULL, &again, &err) == 0);
	assert(!strcmp(public_key_id(private_public(again)), id));
	assert(private_pack(key, id, &packed, &err) == 0);
	assert(private_unpack(packed, "packed", &unpacked, keyid, &err) == 0 && !strcmp(keyid, id));
	assert(!strcmp(public_key_id(private_public(unpacked)), id));
}

/* libcrypto keeps its random numbers' state for ever, and pointers to it in its secure heap, where the
 * sanitizer does not look for them. */
static void
start(void)
{
	struct err err;
	unsigned char byte;

	assert(private_start(&err) == 0 && key_start(&err) == 0);
	__lsan_disable();
	assert(RAND_priv_bytes(&byte, 1) == 1 && RAND_bytes(&byte, 1) == 1);
	__lsan_enable();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static bool is_started;
	AUTO(secret_freep) struct secret *text = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	char keyid[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	int r;

	if (!is_started)
		start();
	is_started = true;
	if (bytes < 2 || bytes > PRIVATE_FILE_MAX)
		return 0;
	assert(secret_copy(data + 1, bytes - 1, &text, &err) == 0);
	r = *data == 'p' ? private_unpack(text, "input", &key, keyid, &err)
			 : private_read(text, "input", *data == 'a' ? tell_passphrase : NULL, NULL, &key, &err);
	assert(r == 0 || (*err.text && !key));
	if (r == 0) {
		use(key);
		write_and_read(key);
	}
	return 0;
}
