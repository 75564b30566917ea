#include "lib/guess.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

/** Of an IPv6 address. */
#define NETWORK_BYTES 8

int
guesses_init(struct guesses *guesses)
{
	memset(guesses, 0, sizeof(*guesses));
	return RAND_bytes(guesses->salt, sizeof(guesses->salt)) == 1 ? 0 : -EIO;
}

static uint64_t
key_of(const struct guesses *guesses, char kind, const void *data, size_t bytes)
{
	unsigned char text[sizeof(guesses->salt) + 1 + 256], hash[SHA256_DIGEST_LENGTH];
	uint64_t key;

	bytes = bytes < 256 ? bytes : 256;
	memcpy(text, guesses->salt, sizeof(guesses->salt));
	text[sizeof(guesses->salt)] = (unsigned char)kind;
	memcpy(text + sizeof(guesses->salt) + 1, data, bytes);
	SHA256(text, sizeof(guesses->salt) + 1 + bytes, hash);
	memcpy(&key, hash, sizeof(key));
	return key ? key : 1;
}

uint64_t
guess_of_name(const struct guesses *guesses, const char *name)
{
	return key_of(guesses, 'n', name, strlen(name));
}

uint64_t
guess_of_address(const struct guesses *guesses, const char *address)
{
	unsigned char six[16];

	/* As a socket for both kinds has an IPv4 address: all of these share a /64. */
	if (!strncasecmp(address, "::ffff:", 7) && strchr(address, '.'))
		address += 7;
	if (inet_pton(AF_INET6, address, six) == 1)
		return key_of(guesses, '6', six, NETWORK_BYTES);
	return key_of(guesses, 'a', address, strlen(address));
}

int
guess_count(const struct guesses *guesses, uint64_t key, int64_t now)
{
	for (size_t i = 0; i < GUESS_SLOTS; i++)
		if (guesses->slots[i].key == key && guesses->slots[i].until > now)
			return guesses->slots[i].count;
	return 0;
}

/* The slot of @key, or one that is free, or the one that is missed least. */
static struct guess *
find_slot(struct guesses *guesses, uint64_t key, int64_t now)
{
	struct guess *least = &guesses->slots[0];

	for (size_t i = 0; i < GUESS_SLOTS; i++) {
		struct guess *slot = &guesses->slots[i];

		if (slot->until <= now)
			slot->count = 0;
		if (slot->key == key)
			return slot;
		if (slot->count < least->count || (slot->count == least->count && slot->until < least->until))
			least = slot;
	}
	least->count = 0;
	return least;
}

void
guess_was_wrong(struct guesses *guesses, uint64_t key, int64_t now, int seconds)
{
	struct guess *slot = find_slot(guesses, key, now);

	if (slot->count == 0)
		slot->until = now + seconds;
	slot->key = key;
	slot->count++;
}
