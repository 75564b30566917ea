#include "lib/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

void
digest_hex(const unsigned char *data, size_t bytes, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	hex[2 * bytes] = '\0';
}

void
digest_sha256_hex(const void *data, size_t bytes, char hex[static DIGEST_HEX_SIZE])
{
	unsigned char hash[DIGEST_SHA256_BYTES];

	SHA256(data, bytes, hash);
	digest_hex(hash, sizeof(hash), hex);
}

int
digest_is_sha256_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == 64 && text[64] == '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
digest_unhex(const char *hex, unsigned char *data, size_t bytes)
{
	if (strlen(hex) != 2 * bytes)
		return -EINVAL;
	for (size_t i = 0; i < bytes; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		data[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

char *
digest_base64(const unsigned char *data, size_t bytes)
{
	char *text;

	if (bytes > DIGEST_BASE64_MAX)
		return NULL;
	text = malloc(4 * ((bytes + 2) / 3) + 1);
	if (text)
		EVP_EncodeBlock((unsigned char *)text, data, (int)bytes);
	return text;
}

int
digest_unbase64(const char *text, unsigned char *data, size_t *bytes)
{
	unsigned char out[DIGEST_BASE64_MAX + 4];
	size_t n = strlen(text), pad = 0;
	int got;

	if (n == 0 || n % 4 || n / 4 * 3 > sizeof(out))
		return -EINVAL;
	while (pad < 2 && text[n - 1 - pad] == '=')
		pad++;
	if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") != n - pad)
		return -EINVAL;
	got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
	if (got < 0 || (size_t)got < pad || (size_t)got - pad > *bytes)
		return -EINVAL;
	*bytes = (size_t)got - pad;
	memcpy(data, out, *bytes);
	return 0;
}
