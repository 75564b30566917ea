#include "state/noted.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct noted *
noted_new(int most, size_t note_bytes)
{
	struct noted *noted = calloc(1, sizeof(*noted));

	if (!noted)
		return NULL;
	noted->notes = calloc((size_t)most, note_bytes);
	noted->slots = calloc((size_t)most, sizeof(*noted->slots));
	noted->note_bytes = note_bytes;
	noted->most = most;
	if (noted->notes && noted->slots)
		return noted;
	noted_free(noted);
	return NULL;
}

void
noted_free(struct noted *noted)
{
	if (!noted)
		return;
	free(noted->notes);
	free(noted->slots);
	free(noted);
}

/* FNV-1a. */
static int *
slot_of(const struct noted *noted, const char *device)
{
	uint32_t hash = 2166136261u;

	for (; *device; device++)
		hash = (hash ^ (unsigned char)*device) * 16777619u;
	return &noted->slots[hash & (uint32_t)(noted->most - 1)];
}

static struct noted_key *
note_at(const struct noted *noted, int place)
{
	return (struct noted_key *)(void *)(noted->notes + (size_t)place * noted->note_bytes);
}

void *
noted_find(const struct noted *noted, const char *device)
{
	for (int at = *slot_of(noted, device); at; at = note_at(noted, at - 1)->next)
		if (!strcmp(note_at(noted, at - 1)->device, device))
			return note_at(noted, at - 1);
	return NULL;
}

void *
noted_add(struct noted *noted, const char *device)
{
	int *slot = slot_of(noted, device);
	struct noted_key *key;

	if (noted->count == noted->most)
		return NULL;
	key = memset(note_at(noted, noted->count++), 0, noted->note_bytes);
	strncpy(key->device, device, sizeof(key->device) - 1);
	key->next = *slot;
	*slot = noted->count;
	return key;
}

void *
noted_at(const struct noted *noted, int index)
{
	return note_at(noted, noted->count - 1 - index);
}

/* The newest is the first of its slot. */
void
noted_drop(struct noted *noted, int count)
{
	for (; count > 0; count--) {
		struct noted_key *key = note_at(noted, --noted->count);

		*slot_of(noted, key->device) = key->next;
	}
}
