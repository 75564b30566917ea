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

char *
text_trim(char *text)
{
	size_t n;

	text += strspn(text, TEXT_BLANKS);
	for (n = strlen(text); n && strchr(TEXT_BLANKS, text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

const char *
text_one_line(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (; *text && n + 3 < room; text++) {
		if (*text == '\n')
			out[n++] = ';';
		if (*text != '\r')
			out[n++] = (unsigned char)*text < 0x20 ? ' ' : *text;
	}
	while (n && strchr("; ", out[n - 1]))
		n--;
	out[n] = '\0';
	return out;
}

void
text_duration(int64_t seconds, char out[static TEXT_DURATION_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;
	int64_t rest;
	int n;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	n = snprintf(
	    out, TEXT_DURATION_SIZE, "%lld %s", (long long)(seconds / units[i].seconds), units[i].name);
	if (i == 3 || (rest = seconds % units[i].seconds / units[i + 1].seconds) == 0)
		return;
	snprintf(out + n, TEXT_DURATION_SIZE - (size_t)n, " %lld %s", (long long)rest, units[i + 1].name);
}
