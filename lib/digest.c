#include "lib/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int
feed(EVP_MD_CTX *context, int fd, int64_t *bytes)
{
	char piece[65536];

	*bytes = 0;
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && EVP_DigestUpdate(context, piece, (size_t)n) != 1)
			return -ENOMEM;
		*bytes += n > 0 ? n : 0;
	}
}

/* @hex holds two digits for each byte of @kind, and the 0. */
static int
digest_fd(int fd, const EVP_MD *kind, char *hex, int64_t *bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	int r = context && EVP_DigestInit_ex(context, kind, NULL) == 1 ? 0 : -ENOMEM;

	if (r == 0)
		r = feed(context, fd, bytes);
	if (r == 0 && EVP_DigestFinal_ex(context, hash, &size) != 1)
		r = -ENOMEM;
	EVP_MD_CTX_free(context);
	if (r == 0)
		digest_hex(hash, size, hex);
	return r;
}

int
digest_sha256_fd(int fd, char hex[static DIGEST_HEX_SIZE], int64_t *bytes)
{
	return digest_fd(fd, EVP_sha256(), hex, bytes);
}

int
digest_sha512_fd(int fd, char hex[static DIGEST_SHA512_HEX_SIZE], int64_t *bytes)
{
	return digest_fd(fd, EVP_sha512(), hex, bytes);
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
