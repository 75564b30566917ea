/* Containers as they come from a stick or by mail: their form, and none that opens but those that were sealed.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sign/key.h"
#include "sign/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define CONTENT "content"
/** What the corpus costs: opening has to be cheap to be tried often. */
#define MEMORY_MAX (64 * 1024)

static bool
is_cheap(const char *text)
{
	long long passes, memory;

	return sscanf(text, "%*[^\n]\nargon2id %lld %lld", &passes, &memory) == 2 && passes <= 4 &&
	       memory <= MEMORY_MAX;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct secret *passphrase;
	AUTO(secret_freep) struct secret *content = NULL;
	AUTO(free_p) char *text = strndup((const char *)data, bytes);
	struct err err = { 0 };
	int r;

	if (!passphrase)
		assert(key_start(&err) == 0 && secret_copy("fuzz", 4, &passphrase, &err) == 0);
	r = vault_check((const char *)data, bytes, "key", "input", &err);
	assert(r == 0 || ((r == -EBADMSG || r == -ERANGE) && *err.text));
	if (r == 0 && !is_cheap(text))
		return 0;
	r = vault_open((const char *)data, bytes, "key", "input", passphrase, &content, &err);
	assert(r == 0 || ((r == -EBADMSG || r == -ERANGE || r == -EACCES) && *err.text && !content));
	assert(r < 0 || (content->bytes == strlen(CONTENT) && !memcmp(content->data, CONTENT, content->bytes)));
	return 0;
}
