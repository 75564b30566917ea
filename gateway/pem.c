#include "gateway/pem.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		return -1;
	return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* In place; 0, or -1 for a % without two digits, or a 0 byte, which would hide what follows it. */
static int
unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		int high, low;

		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		high = hex_digit(at[1]);
		low = high < 0 ? -1 : hex_digit(at[2]);
		if (low < 0 || high + low == 0)
			return -1;
		*to++ = (char)(high << 4 | low);
		at += 2;
	}
	*to = '\0';
	return 0;
}

char *
pem_of(const struct scgi *scgi)
{
	const char *plain = scgi_get(scgi, "SSL_CLIENT_CERT"),
		   *escaped = scgi_get(scgi, "SSL_CLIENT_ESCAPED_CERT"), *text = *plain ? plain : escaped;
	AUTO(free_p) char *copy = NULL;

	if (!*text || strlen(text) > PEM_BYTES_MAX)
		return NULL;
	copy = strdup(text);
	if (copy && !*plain && unescape(copy) < 0)
		return NULL;
	return MOVE(copy);
}
