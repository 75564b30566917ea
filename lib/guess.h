/**
 * Counts wrong guesses, of a name or from an address, in a memory that does not grow with them. Not for several
 * threads at once.
 */
#ifndef LIB_GUESS_H
#define LIB_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whose guesses are counted at once; when all are in use the one with the fewest makes room. */
#define GUESS_SLOTS 1024

struct guesses {
	unsigned char salt[16]; /* strangers choose the names, not where they are counted */
	struct guess {
		uint64_t key;
		int64_t until; /* of the clock that nobody sets */
		int count;
	} slots[GUESS_SLOTS];
};

/** What a guess was made at, or where it came from. Never 0. An IPv6 address counts as its /64, which is what
 * one customer has. */
uint64_t guess_of_name(const struct guesses *guesses, const char *name);
uint64_t guess_of_address(const struct guesses *guesses, const char *address);

/** Takes a salt; -EIO when the machine has none to give. */
int guesses_init(struct guesses *guesses);

/** How many wrong ones are counted at @now. */
int guess_count(const struct guesses *guesses, uint64_t key, int64_t now);

/** One more; the first of them is forgotten, with all that follow, after @seconds. */
void guess_was_wrong(struct guesses *guesses, uint64_t key, int64_t now, int seconds);

#endif
