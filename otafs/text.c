#include "otafs/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

int
text_line(const char *line, void *out)
{
	fprintf(out, "%s\n", line);
	return 0;
}

/* C0, DEL, and in UTF-8 the C1 controls, U+0080 to U+009F. */
static bool
is_control(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return byte[0] < 0x20 || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0);
}

int
text_check(const char *text, size_t max, const char *controls, const char *what, struct err *err)
{
	AUTO(json_decref_p) json_t *json = json_string(text);

	if (strlen(text) > max)
		return err_set(err, EINVAL, "%s: %zu bytes, at most %zu are allowed", what, strlen(text), max);
	for (const char *at = text; *at; at++)
		if (is_control(at) && !strchr(controls, *at))
			return err_set(err, EINVAL, "%s: byte %zu begins a control character", what,
			    (size_t)(at - text) + 1);
	return json ? 0 : err_set(err, EINVAL, "%s: is not UTF-8", what);
}
