/* multipart/form-data bodies of old clients: the first line is the content type, the rest the body, cut into
 * pieces whose sizes come from the input. What comes out does not depend on the cuts. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "watcher/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct out {
	char *text;
	size_t used, room;
};

static int
take(void *data, const char *bytes, size_t count, struct err *err)
{
	struct out *out = data;

	(void)err;
	assert(count && count <= out->room - out->used); /* no byte comes out twice */
	memcpy(out->text + out->used, bytes, count);
	out->used += count;
	return 0;
}

static int
parse(const char *type, const char *body, size_t bytes, size_t piece, struct out *out)
{
	struct multipart multipart;
	struct err err = { 0 };
	int r = multipart_init(&multipart, type, "file", take, out, &err);

	for (size_t at = 0; r == 0 && at < bytes; at += piece)
		r = multipart_write(&multipart, body + at, bytes - at < piece ? bytes - at : piece, &err);
	if (r == 0)
		r = multipart_end(&multipart, &err);
	assert(r <= 0 && (r == 0 || *err.text));
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(free_p) char *type = malloc(bytes + 1);
	struct out whole = { malloc(bytes + 1), 0, bytes }, cut = { malloc(bytes + 1), 0, bytes };
	const char *end;
	int r;

	memcpy(type, data, bytes);
	type[bytes] = '\0';
	end = memchr(type, '\n', bytes);
	if (end && bytes > (size_t)(end - type) + 1) {
		size_t head = (size_t)(end - type);
		const char *body = (const char *)data + head + 1;

		type[head] = '\0';
		r = parse(type, body, bytes - head - 1, bytes, &whole);
		assert(parse(type, body, bytes - head - 1, 1 + data[bytes - 1] % 7, &cut) == r);
		assert(whole.used == cut.used && !memcmp(whole.text, cut.text, cut.used));
	}
	free(whole.text);
	free(cut.text);
	return 0;
}
