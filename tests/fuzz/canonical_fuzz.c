/* Parse, write, parse, write: the same bytes and the same value. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(json_decref_p) json_t *first = NULL;
	AUTO(json_decref_p) json_t *second = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *again = NULL;
	struct err err;
	size_t n, m;

	if (json_read((const char *)data, bytes, "input", &first, &err) < 0 ||
	    canonical_write(first, &text, &n, &err) < 0)
		return 0;
	for (const char *p = text; *p; p++)
		assert(*p >= 0x20 && *p <= 0x7f);
	assert(json_read(text, n, "canonical", &second, &err) == 0 && json_equal(first, second));
	assert(canonical_write(second, &again, &m, &err) == 0 && n == m && !strcmp(text, again));
	return 0;
}
