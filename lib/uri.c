#include "lib/uri.h"

#include <string.h>

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		return -1;
	return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

int
uri_byte(const char **at)
{
	int high, low;

	if (**at != '%')
		return (unsigned char)*(*at)++;
	high = hex_digit((*at)[1]);
	low = high < 0 ? -1 : hex_digit((*at)[2]);
	if (low < 0)
		return -1;
	*at += 3;
	return high << 4 | low;
}

bool
uri_has_dots(const char *path)
{
	for (const char *part = path; *part; part += *part == '/') {
		size_t n = strcspn(part, "/");

		if ((n == 1 && part[0] == '.') || (n == 2 && !strncmp(part, "..", 2)))
			return true;
		part += n;
	}
	return false;
}
