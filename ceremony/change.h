/**
 * What a new root changes, for the eyes of who signs it or has it signed.
 */
#ifndef CEREMONY_CHANGE_H
#define CEREMONY_CHANGE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "sign/draft.h"

/**
 * Prints roles, thresholds, expiry and every key of @next, the "signed" part of a root, with "+" before a key
 * that @current (NULL: there is none) does not give that role and "-" before one that it gave.
 */
void change_print(FILE *to, const json_t *current, const json_t *next, int64_t now);

/** The roles alone. */
void change_print_roles(FILE *to, const json_t *current, const json_t *next);

/** Prints who has signed the draft and who has not, by old and new thresholds. Returns how many signatures are
 * missing. */
int change_print_signatures(FILE *to, const struct draft *draft);

/** "in 31 days", "3 hours ago". */
void change_when(int64_t seconds, int64_t now, char text[static 48]);

/** The kind of the key @keyid in @keys, "RSA-3072", or "unreadable". */
const char *change_key_kind(const json_t *keys, const char *keyid, char text[static 24]);

#endif
