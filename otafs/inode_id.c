#include "otafs/inode_id.h"

#include <assert.h>
#include <stdio.h>

#include "state/state.h"

#define OF_A_DEVICE (1ULL << 63)
#define DOCUMENT_SHIFT 61
#define NUMBER_SHIFT 31
#define KIND_SHIFT 27
#define VERSION_MASK 0x7fffffffULL
#define GENERATION_MASK ((uint64_t)INODE_GENERATION_MAX)

uint64_t
inode_id_write(const struct inode_id *id)
{
	uint64_t number = OF_A_DEVICE | (uint64_t)id->number << NUMBER_SHIFT;

	assert(id->number <= STATE_NUMBER_MAX && id->version <= VERSION_MASK);
	assert(id->generation <= INODE_GENERATION_MAX && id->kind > INODE_NONE && id->kind <= INODE_EST);
	if (id->kind != INODE_DOCUMENT)
		return number | (uint64_t)id->kind << KIND_SHIFT | id->generation;
	assert(id->role > ROLE_ROOT && id->role < ROLE_COUNT);
	return number | (uint64_t)id->role << DOCUMENT_SHIFT | id->version;
}

bool
inode_id_read(uint64_t number, struct inode_id *out)
{
	uint64_t role = number >> DOCUMENT_SHIFT & 3, kind = number >> KIND_SHIFT & 15;

	*out = (struct inode_id){ .kind = INODE_NONE };
	if (!(number & OF_A_DEVICE))
		return false;
	out->number = (uint32_t)(number >> NUMBER_SHIFT & STATE_NUMBER_MAX);
	if (role) {
		out->kind = INODE_DOCUMENT;
		out->role = (enum role)role;
		out->version = (uint32_t)(number & VERSION_MASK);
		return true;
	}
	if (kind <= INODE_DOCUMENT || kind > INODE_EST)
		return false;
	out->kind = (enum inode_kind)kind;
	out->generation = (uint32_t)(number & GENERATION_MASK);
	return true;
}

ssize_t
inode_id_link(const struct inode_id *id, char *out, size_t room)
{
	return snprintf(out, room, "generations/%u", id->generation);
}

/* The finalizer of splitmix64: one to one, so that what is different stays so. */
static uint64_t
mix(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

uint64_t
inode_id_ino(const struct inode_id *id)
{
	struct inode_id same = *id;

	/* It begins anew after a restart. */
	same.generation = 0;
	return mix(inode_id_write(&same));
}
