/**
 * Passphrases and PINs: from the terminal, without echo, or from a file. Never from arguments or the
 * environment, which other processes can read. They stay in locked memory.
 */
#ifndef CEREMONY_PROMPT_H
#define CEREMONY_PROMPT_H

#include "lib/err.h"
#include "sign/vault.h"

/** Longest passphrase. */
#define PROMPT_MAX 1024
/** Shortest new passphrase. What is encrypted may be copied and guessed at for years: twelve characters of
 * random letters are out of reach behind vault_cost, eight are not. */
#define PROMPT_NEW_MIN 12

/**
 * Asks for @what, e.g. "passphrase of key root": the first line of @file, which has to be ours and 0600, or,
 * when
 * @file is NULL, of /dev/tty.
 *
 * -ENOTTY when there is no terminal, -EINTR when a signal ended the question (echo is on again), -EINVAL for an
 * empty or too long line, and what secret_file_read() says.
 */
int prompt_secret(const char *file, const char *what, struct secret **out, struct err *err);

/** The same for a new passphrase: of at least PROMPT_NEW_MIN bytes, and on a terminal typed twice. */
int prompt_new_secret(const char *file, const char *what, struct secret **out, struct err *err);

#endif
