#include "otafs/documents.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/cleanup.h"
#include "otafs/inode_id.h"

/** A document is seldom shorter, so lists stay short. */
#define BYTES_PER_LIST 1024

struct document {
	uint64_t id;
	uint64_t file;    /* which it is a version of */
	uint32_t version; /* of two of the same file, the lower one is old */
	bool is_old;
	size_t bytes;
	TAILQ_ENTRY(document) in_line;
	LIST_ENTRY(document) by_id;
	LIST_ENTRY(document) by_file; /* not of what is old: a file that changes all the time has thousands */
	char text[];
};

TAILQ_HEAD(line, document);
LIST_HEAD(list, document);

struct documents {
	pthread_mutex_t lock; /* of all that follows; nothing else is taken under it */
	size_t room, used, used_by_old;
	struct line newest, old; /* the first one came first, and goes first */
	size_t count;            /* of each of these lists; of one is what has the same hash */
	struct list *by_id, *by_file;
};

int
documents_new(size_t room, struct documents **out, struct err *err)
{
	AUTO(free_p) struct documents *documents = calloc(1, sizeof(*documents));

	if (!documents)
		return err_set(err, ENOMEM, "no memory for documents");
	documents->room = room;
	documents->count = room / BYTES_PER_LIST + 1;
	documents->by_id = calloc(2 * documents->count, sizeof(*documents->by_id));
	if (!documents->by_id)
		return err_set(err, ENOMEM, "no memory for documents");
	documents->by_file = documents->by_id + documents->count;
	pthread_mutex_init(&documents->lock, NULL);
	TAILQ_INIT(&documents->newest);
	TAILQ_INIT(&documents->old);
	*out = MOVE(documents);
	return 0;
}

/* Without its version, an id is that of the file. */
static void
split(uint64_t id, uint64_t *file, uint32_t *version)
{
	struct inode_id read;

	inode_id_read(id, &read);
	*version = read.version;
	*file = id - read.version;
}

static struct list *
list_of(struct documents *documents, struct list *lists, uint64_t id)
{
	struct inode_id read;

	inode_id_read(id, &read);
	return &lists[inode_id_ino(&read) % documents->count];
}

static struct document *
find(struct documents *documents, uint64_t id)
{
	struct document *at;

	LIST_FOREACH(at, list_of(documents, documents->by_id, id), by_id)
	if (at->id == id)
		return at;
	return NULL;
}

static struct document *
find_newest(struct documents *documents, uint64_t file)
{
	struct document *at;

	LIST_FOREACH(at, list_of(documents, documents->by_file, file), by_file)
	if (at->file == file)
		return at;
	return NULL;
}

static size_t
cost(const struct document *document)
{
	return sizeof(*document) + document->bytes;
}

static struct line *
line_of(struct documents *documents, const struct document *document)
{
	return document->is_old ? &documents->old : &documents->newest;
}

static void
drop(struct documents *documents, struct document *document)
{
	LIST_REMOVE(document, by_id);
	if (!document->is_old)
		LIST_REMOVE(document, by_file);
	TAILQ_REMOVE(line_of(documents, document), document, in_line);
	documents->used -= cost(document);
	if (document->is_old)
		documents->used_by_old -= cost(document);
	free(document);
}

/* What is old may take half of the room while there is anything else to go. */
static void
make_room(struct documents *documents)
{
	while (documents->used > documents->room) {
		struct document *first = TAILQ_FIRST(&documents->newest);

		if (!first || documents->used_by_old > documents->room / 2)
			first = TAILQ_FIRST(&documents->old);
		drop(documents, first);
	}
}

static void
become_old(struct documents *documents, struct document *document)
{
	LIST_REMOVE(document, by_file);
	TAILQ_REMOVE(&documents->newest, document, in_line);
	document->is_old = true;
	TAILQ_INSERT_TAIL(&documents->old, document, in_line);
	documents->used_by_old += cost(document);
}

static void
enter(struct documents *documents, struct document *document)
{
	struct document *newest = find_newest(documents, document->file);

	LIST_INSERT_HEAD(list_of(documents, documents->by_id, document->id), document, by_id);
	LIST_INSERT_HEAD(list_of(documents, documents->by_file, document->file), document, by_file);
	TAILQ_INSERT_TAIL(&documents->newest, document, in_line);
	documents->used += cost(document);
	if (newest)
		become_old(documents, newest->version < document->version ? newest : document);
	make_room(documents);
}

void
documents_put(struct documents *documents, uint64_t id, const char *text, size_t bytes)
{
	size_t all = sizeof(struct document) + bytes;
	struct document *document = all <= documents->room ? malloc(all) : NULL;

	if (!document)
		return;
	*document = (struct document){ .id = id, .bytes = bytes };
	split(id, &document->file, &document->version);
	memcpy(document->text, text, bytes);
	pthread_mutex_lock(&documents->lock);
	if (find(documents, id))
		free(document);
	else
		enter(documents, document);
	pthread_mutex_unlock(&documents->lock);
}

ssize_t
documents_size(struct documents *documents, uint64_t id)
{
	const struct document *document;
	ssize_t r;

	pthread_mutex_lock(&documents->lock);
	document = find(documents, id);
	r = document ? (ssize_t)document->bytes : -ENODATA;
	pthread_mutex_unlock(&documents->lock);
	return r;
}

ssize_t
documents_read(struct documents *documents, uint64_t id, char *out, size_t room, off_t offset)
{
	const struct document *document;
	ssize_t r = -ENODATA;

	pthread_mutex_lock(&documents->lock);
	if ((document = find(documents, id))) {
		size_t at = (size_t)offset < document->bytes ? (size_t)offset : document->bytes;

		r = (ssize_t)(room < document->bytes - at ? room : document->bytes - at);
		memcpy(out, document->text + at, (size_t)r);
	}
	pthread_mutex_unlock(&documents->lock);
	return r;
}

void
documents_free(struct documents *documents)
{
	if (!documents)
		return;
	documents->room = 0;
	make_room(documents);
	free(documents->by_id);
	pthread_mutex_destroy(&documents->lock);
	free(documents);
}
