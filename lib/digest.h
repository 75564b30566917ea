/** SHA-256 and SHA-512, hexadecimal and base64, as metadata writes them. */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA256_BYTES 32
/** 64 lower-case hex digits and the 0. */
#define DIGEST_HEX_SIZE 65
/** 128 of them. */
#define DIGEST_SHA512_HEX_SIZE 129

/** Writes the SHA-256 of @data as lower-case hex. */
void digest_sha256_hex(const void *data, size_t bytes, char hex[static DIGEST_HEX_SIZE]);

/** The same for what is read from @fd until its end, of any length, which @bytes is set to; -errno. */
int digest_sha256_fd(int fd, char hex[static DIGEST_HEX_SIZE], int64_t *bytes);

/** The SHA-512, the same way. */
int digest_sha512_fd(int fd, char hex[static DIGEST_SHA512_HEX_SIZE], int64_t *bytes);

/** Whether @text is 64 lower-case hex digits. */
int digest_is_sha256_hex(const char *text);

/** Writes @bytes of @data as lower-case hex; @hex holds 2 * @bytes + 1. */
void digest_hex(const unsigned char *data, size_t bytes, char *hex);

/** Reads exactly @bytes bytes of hex, either case; -EINVAL for anything else. */
int digest_unhex(const char *hex, unsigned char *data, size_t bytes);

/** Standard base64 with padding of at most DIGEST_BASE64_MAX bytes; the caller frees it. NULL: no memory. */
char *digest_base64(const unsigned char *data, size_t bytes);

/** Longest decoded value: an RSA-8192 signature. */
#define DIGEST_BASE64_MAX 1024

/** Reads standard base64 into @data; *@bytes holds its room and then its length. -EINVAL for anything else. */
int digest_unbase64(const char *text, unsigned char *data, size_t *bytes);

#endif
