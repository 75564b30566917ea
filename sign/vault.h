/**
 * Secrets: memory that is locked and wiped, and containers that a passphrase opens.
 *
 * A container is text of four lines, so that it can be mailed, printed and compared:
 *
 *     otafs-vault-1 KIND                           format, and what is in it: "key", "backup"
 *     argon2id PASSES MEMORY SALT                  decimal, bytes, 32 hex digits  (RFC 9106)
 *     xchacha20poly1305 NONCE                      48 hex digits
 *     BASE64                                       the content, encrypted, and the tag of 16 bytes
 *
 * The key is Argon2id(passphrase, SALT, PASSES, MEMORY), 32 bytes. The first three lines, as they stand, are
 * the additional data of the encryption: nothing of a container can be changed. There is one spelling of each
 * container; what deviates from it is refused before the passphrase is looked at.
 *
 * libsodium is known to this file and sign/key.c only.
 */
#ifndef SIGN_VAULT_H
#define SIGN_VAULT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** Bytes that are locked in memory, guarded, in no core dump, and wiped when freed. */
struct secret {
	unsigned char *data; /**< a 0 follows the last byte */
	size_t bytes;
};

/** @bytes of zeros. -ENOMEM, also when the memory cannot be locked (RLIMIT_MEMLOCK). */
int secret_new(size_t bytes, struct secret **out, struct err *err);
/** A copy of @data. */
int secret_copy(const void *data, size_t bytes, struct secret **out, struct err *err);
void secret_free(struct secret *secret);
void secret_freep(struct secret **secret);

/** Fills it with random bytes. */
void secret_random(struct secret *secret);

/** Compares in a time that does not depend on where they differ. */
int secret_equal(const struct secret *a, const struct secret *b);

/** A backup of a hundred keys of RSA-4096 has 700 KiB. */
#define VAULT_FILE_MAX (1024 * 1024)
/** The most content that fits: base64 makes 4 bytes of 3, less 1 KiB for head and tag. */
#define VAULT_CONTENT_MAX (VAULT_FILE_MAX / 4 * 3 - 1024)
/** More is refused when a container is read: whoever can write the file should not be able to make us hang, or
 * take all memory. libsodium's "sensitive" is 4 passes over 1 GiB. */
#define VAULT_PASSES_MAX 16
#define VAULT_MEMORY_MAX (INT64_C(1) << 30)

/** What guessing one passphrase costs. */
struct vault_cost {
	unsigned passes;
	size_t memory_bytes;
};

/**
 * 3 passes over 256 MiB (libsodium's "moderate"): about a second, on a machine that signs a few times a year
 * and may be an old laptop or a small board with 1 GiB. A rig of many cards is bound by that memory too.
 */
extern const struct vault_cost vault_cost;

/**
 * Encrypts @content into a new container, which the caller frees.
 *
 * @kind: at most 16 small letters. @cost: NULL is vault_cost.
 */
int vault_seal(const char *kind, const struct secret *passphrase, const struct secret *content,
    const struct vault_cost *cost, char **text, size_t *bytes, struct err *err);

/** Whether @text has the form of a container of @kind; @what is named in the reason. -EBADMSG when it is none,
 * or of another kind or format, -ERANGE when its cost is out of bounds. */
int vault_check(const char *text, size_t bytes, const char *kind, const char *what, struct err *err);

/**
 * Opens a container. What vault_check() says; -EACCES: the passphrase is wrong or the container is damaged,
 * which cannot be told apart.
 */
int vault_open(const char *text, size_t bytes, const char *kind, const char *what,
    const struct secret *passphrase, struct secret **content, struct err *err);

#endif
