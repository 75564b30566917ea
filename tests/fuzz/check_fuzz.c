/* Objects come from builders, over the network and in drops. The first byte is the kind, the second the size of
 * pieces. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "store/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const kinds[] = { "filez", "commit", "dirtree", "dirmeta", "commitmeta" };

static int
feed(struct check *check, const uint8_t *data, size_t bytes, size_t step, struct err *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < bytes; at += step)
		r = check_feed(check, data + at, step < bytes - at ? step : bytes - at, err);
	return r ? r : check_end(check, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(check_freep) struct check *check = NULL;
	char checksum[DIGEST_HEX_SIZE];
	const char *kind;
	struct err err = { 0 };
	int r, whole;

	if (bytes < 2)
		return 0;
	kind = kinds[*data % (sizeof(kinds) / sizeof(kinds[0]))];
	/* Nobody guesses a checksum: the bytes' own lets small objects go as far as their form. */
	digest_sha256_hex(data + 2, bytes - 2, checksum);
	assert(check_new(checksum, kind, &check, &err) == 0);
	r = feed(check, data + 2, bytes - 2, 1 + (size_t)data[1], &err);
	assert(r == 0 || (r == DROP_BAD && *err.text));
	assert(r || strcmp(kind, "filez"));
	/* Pieces of another size make no difference. */
	assert(check_restart(check, checksum, kind, &err) == 0);
	whole = feed(check, data + 2, bytes - 2, bytes, &err);
	assert(whole == r);
	return 0;
}
