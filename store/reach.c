#include "store/reach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define PLACES_MIN 1024

static const char *const suffixes[] = {
	[OBJECT_COMMIT] = "commit",
	[OBJECT_DIRTREE] = "dirtree",
	[OBJECT_DIRMETA] = "dirmeta",
	[OBJECT_FILE] = "filez",
};

/* Kind + 1, so that an empty place is all zeros; no padding. */
struct place {
	unsigned char kind;
	unsigned char checksum[DIGEST_SHA256_BYTES];
};

struct reach {
	struct source *source;
	struct place *places; /* open addressing; a power of 2, at most 3/5 in use */
	size_t room, count;
	struct place *pending; /* commits and folders that were found and not read yet */
	size_t pending_room, pending_count;
};

int
reach_kind(const char *suffix)
{
	for (int kind = OBJECT_COMMIT; kind <= OBJECT_FILE; kind++)
		if (!strcmp(suffix, suffixes[kind]))
			return kind;
	return -1;
}

const char *
reach_suffix(enum object_kind kind)
{
	return suffixes[kind];
}

int
reach_new(int repository, struct reach **out, struct err *err)
{
	AUTO(close_p) int objects = openat(repository, "ostree/objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(reach_freep) struct reach *reach = calloc(1, sizeof(*reach));
	int r;

	if (!reach)
		return err_set(err, ENOMEM, "no memory");
	reach->room = PLACES_MIN;
	reach->places = calloc(reach->room, sizeof(*reach->places));
	if (!reach->places)
		return err_set(err, ENOMEM, "no memory");
	r = objects < 0 ? err_sys(err, "ostree/objects") : source_of_objects(objects, &reach->source, err);
	if (r < 0)
		return r;
	*out = MOVE(reach);
	return 0;
}

void
reach_free(struct reach *reach)
{
	if (!reach)
		return;
	source_free(reach->source);
	free(reach->places);
	free(reach->pending);
	free(reach);
}

void
reach_freep(struct reach **reach)
{
	reach_free(*reach);
}

/* Where @key is or would be. A checksum is as good as random, so its own bytes serve as hash. */
static size_t
find(const struct place *places, size_t room, const struct place *key)
{
	uint64_t at;

	memcpy(&at, key->checksum, sizeof(at));
	for (at += key->kind;; at++) {
		const struct place *place = &places[at & (room - 1)];

		if (!place->kind || !memcmp(place, key, sizeof(*key)))
			return at & (room - 1);
	}
}

static int
grow(struct reach *reach, struct err *err)
{
	size_t room = 2 * reach->room;
	struct place *places;

	if (reach->count >= REACH_OBJECTS_MAX)
		return err_set(err, E2BIG, "more than %d objects are needed", REACH_OBJECTS_MAX);
	places = calloc(room, sizeof(*places));
	if (!places)
		return err_set(err, ENOMEM, "no memory for %zu objects", reach->count);
	for (size_t i = 0; i < reach->room; i++)
		if (reach->places[i].kind)
			places[find(places, room, &reach->places[i])] = reach->places[i];
	free(reach->places);
	reach->places = places;
	reach->room = room;
	return 0;
}

static int
push_pending(struct reach *reach, const struct place *key, struct err *err)
{
	if (reach->pending_count == reach->pending_room) {
		size_t room = reach->pending_room ? 2 * reach->pending_room : 256;
		struct place *pending = realloc(reach->pending, room * sizeof(*pending));

		if (!pending)
			return err_set(err, ENOMEM, "no memory");
		reach->pending = pending;
		reach->pending_room = room;
	}
	reach->pending[reach->pending_count++] = *key;
	return 0;
}

static int
make_key(const char *checksum, enum object_kind kind, struct place *key)
{
	key->kind = (unsigned char)(kind + 1);
	return digest_unhex(checksum, key->checksum, sizeof(key->checksum));
}

static int
add(void *data, const char *checksum, enum object_kind kind, struct err *err)
{
	struct reach *reach = data;
	struct place key;
	size_t at;
	int r = 0;

	if (make_key(checksum, kind, &key) < 0)
		return err_set(err, EINVAL, "%.64s: no checksum", checksum);
	at = find(reach->places, reach->room, &key);
	if (reach->places[at].kind)
		return 0;
	if ((reach->count + 1) * 5 > reach->room * 3) {
		r = grow(reach, err);
		if (r < 0)
			return r;
		at = find(reach->places, reach->room, &key);
	}
	if (kind == OBJECT_COMMIT || kind == OBJECT_DIRTREE)
		r = push_pending(reach, &key, err);
	if (r == 0) {
		reach->places[at] = key;
		reach->count++;
	}
	return r;
}

int
reach_commit(struct reach *reach, const char *commit, reach_tell *tell, void *data, struct err *err)
{
	return reach_object(reach, commit, OBJECT_COMMIT, tell, data, err);
}

/* Adds what the object needs itself. */
static int
follow(struct reach *reach, const char *checksum, enum object_kind kind, reach_tell *tell, void *data,
    struct err *err)
{
	int r = walk_children(reach->source, checksum, kind, add, reach, err);

	if (r != SOURCE_MISSING && r != DROP_BAD)
		return r;
	tell(data, r == DROP_BAD ? REACH_DAMAGED : REACH_MISSING, checksum, kind,
	    r == DROP_BAD ? err->text : "is missing");
	return 0;
}

static int
follow_pending(struct reach *reach, reach_tell *tell, void *data, struct err *err)
{
	int r = 0;

	while (r == 0 && reach->pending_count) {
		struct place place = reach->pending[--reach->pending_count];
		char name[DIGEST_HEX_SIZE];

		digest_hex(place.checksum, sizeof(place.checksum), name);
		r = follow(reach, name, (enum object_kind)(place.kind - 1), tell, data, err);
	}
	reach->pending_count = 0;
	return r;
}

int
reach_object(struct reach *reach, const char *checksum, enum object_kind kind, reach_tell *tell, void *data,
    struct err *err)
{
	int r = add(reach, checksum, kind, err);

	return r == 0 ? follow_pending(reach, tell, data, err) : r;
}

int
reach_below(struct reach *reach, const char *checksum, enum object_kind kind, reach_tell *tell, void *data,
    struct err *err)
{
	int r = follow(reach, checksum, kind, tell, data, err);

	if (r < 0)
		reach->pending_count = 0;
	return r == 0 ? follow_pending(reach, tell, data, err) : r;
}

bool
reach_has(const struct reach *reach, const char *checksum, enum object_kind kind)
{
	struct place key;

	return make_key(checksum, kind, &key) == 0 &&
	       reach->places[find(reach->places, reach->room, &key)].kind;
}

size_t
reach_count(const struct reach *reach)
{
	return reach->count;
}

int
reach_each(const struct reach *reach, reach_each_fn *each, void *data)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < reach->room; i++) {
		char checksum[DIGEST_HEX_SIZE];

		if (!reach->places[i].kind)
			continue;
		digest_hex(reach->places[i].checksum, DIGEST_SHA256_BYTES, checksum);
		r = each(data, checksum, (enum object_kind)(reach->places[i].kind - 1));
	}
	return r;
}
