#include "sign/canonical.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/json.h"

/* jansson refuses to parse deeper than this, so a document cannot exhaust our stack. */
#define DEPTH_MAX 2048

static int
find_real(const json_t *json, int depth)
{
	const char *name;
	json_t *member;
	size_t i;

	if (depth > DEPTH_MAX || json_is_real(json))
		return 1;
	if (json_is_object(json))
		json_object_foreach(
		    (json_t *)(uintptr_t)json, name, member) if (find_real(member, depth + 1)) return 1;
	if (json_is_array(json))
		json_array_foreach(json, i, member) if (find_real(member, depth + 1)) return 1;
	return 0;
}

/* jansson writes \u00E9 where aktualizr writes \u00e9. */
static void
lower_escapes(char *text)
{
	for (char *p = text; *p; p++) {
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u')
			for (int i = 1; i <= 4; i++)
				p[i] = (char)tolower((unsigned char)p[i]);
	}
}

int
canonical_write(const json_t *json, char **out, size_t *bytes, struct err *err)
{
	if (find_real(json, 0))
		return err_set(err, EBADMSG, "a real number has no canonical form; use an integer or a text");
	*out = json_write_as(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	if (!*out)
		return err_set(err, ENOMEM, "no memory for canonical JSON");
	lower_escapes(*out);
	if (bytes)
		*bytes = strlen(*out);
	return 0;
}
