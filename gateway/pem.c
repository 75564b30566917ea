#include "gateway/pem.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/uri.h"

/* In place; 0, or -1 for a % without two digits, or a 0 byte, which would hide what follows it. */
static int
unescape(char *text)
{
	const char *at = text;

	while (*at) {
		int byte = uri_byte(&at);

		if (byte <= 0)
			return -1;
		*text++ = (char)byte;
	}
	*text = '\0';
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
