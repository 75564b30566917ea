#include "tests/device/hash.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <openssl/sha.h>

#include "lib/digest.h"
#include "lib/json.h"

static const char *const names[] = { "sha256", "sha512" };
enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static void
hash_hex(size_t name, const void *data, size_t bytes, char hex[static 2 * SHA512_DIGEST_LENGTH + 1])
{
	unsigned char hash[SHA512_DIGEST_LENGTH];

	if (name == 0) {
		digest_sha256_hex(data, bytes, hex);
	} else {
		SHA512(data, bytes, hash);
		digest_hex(hash, sizeof(hash), hex);
	}
}

int
hash_check(const json_t *hashes, const void *data, size_t bytes, const char *what, struct err *err)
{
	char hex[2 * SHA512_DIGEST_LENGTH + 1];
	int known = 0;

	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *wanted = json_text(hashes, names[i]);

		if (!wanted)
			continue;
		hash_hex(i, data, bytes, hex);
		if (strcasecmp(hex, wanted))
			return err_set(err, EBADMSG, "%s: %s is %.16s..., listed is %.16s...", what, names[i],
			    hex, wanted);
		known++;
	}
	return known ? 0 : HASH_NONE;
}

bool
hash_is_same(const json_t *a, const json_t *b)
{
	int equal = 0;

	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *one = json_text(a, names[i]), *other = json_text(b, names[i]);

		if (!one || !other)
			continue;
		if (strcasecmp(one, other))
			return false;
		equal++;
	}
	return equal > 0;
}
