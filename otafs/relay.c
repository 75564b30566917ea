#include "otafs/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "otafs/pin.h"

/** Another one when anything below is of another form. */
#define FORM "otafs relay 1"

struct greeting {
	uint32_t bytes;
	char message[RELAY_GREETING_MAX];
};

struct record {
	uint64_t at; /* where its path and, after its 0, its content begin, of all that was ever written */
	size_t path_bytes, bytes;
	bool has_content;
	int64_t tag;
	struct stat st;
};

struct shared {
	char form[sizeof(FORM)];
	size_t size;
	char mount[CONFIG_VALUE_MAX + 1], www[CONFIG_VALUE_MAX + 1], repository[CONFIG_VALUE_MAX + 1];
	uint32_t run, generation;
	bool can_resend;
	struct greeting greetings[2];
	struct pin pins[PIN_SLOTS];
	atomic_ullong count;                 /* of all records that were ever written */
	atomic_ullong used;                  /* of all bytes */
	atomic_ullong ids[RELAY_THINGS_MAX]; /* 0: that record is none at the moment */
	struct record records[RELAY_THINGS_MAX];
	char room[RELAY_BYTES_MAX];
};

struct relay {
	int fd;
	struct shared *shared;
	pthread_mutex_t lock; /* of the records, between threads of one process */
};

static void
note_mounts(struct shared *shared, const struct config *config)
{
	strcpy(shared->form, FORM);
	shared->size = sizeof(*shared);
	strcpy(shared->mount, config->mount);
	strcpy(shared->www, config->www);
	strcpy(shared->repository, config->repository);
}

static bool
is_same(const struct shared *shared, const struct config *config)
{
	return !memcmp(shared->form, FORM, sizeof(FORM)) && shared->size == sizeof(*shared) &&
	       !strcmp(shared->mount, config->mount) && !strcmp(shared->www, config->www) &&
	       !strcmp(shared->repository, config->repository);
}

static int
map(int fd, struct relay **out, struct err *err)
{
	AUTO(free_p) struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return err_set(err, ENOMEM, "no memory for what the mounts know");
	relay->fd = fd;
	relay->shared = mmap(NULL, sizeof(*relay->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (relay->shared == MAP_FAILED)
		return err_sys(err, "what the mounts know");
	pthread_mutex_init(&relay->lock, NULL);
	*out = MOVE(relay);
	return 0;
}

int
relay_new(const struct config *config, struct relay **out, struct err *err)
{
	AUTO(close_p) int fd = memfd_create("otafs-relay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	/* The parent, who is root, reads it as well: nobody makes it shorter under its hands. */
	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys(err, "what the mounts know");
	if ((r = map(fd, out, err)) < 0)
		return r;
	fd = -1;
	note_mounts((*out)->shared, config);
	return 0;
}

int
relay_adopt(int fd, const struct config *config, struct relay **out, struct err *err)
{
	struct relay *relay;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "what the mounts know");
	if (st.st_size != (off_t)sizeof(struct shared))
		return err_set(err, EPROTO, "the program before was of another version");
	if ((r = map(fd, &relay, err)) < 0)
		return r;
	if (!is_same(relay->shared, config)) {
		relay->fd = -1;
		relay_free(relay);
		return err_set(err, EPROTO, "the program before was of another version, or had other mounts");
	}
	*out = relay;
	return 0;
}

void
relay_free(struct relay *relay)
{
	if (!relay)
		return;
	munmap(relay->shared, sizeof(*relay->shared));
	close_p(&relay->fd);
	pthread_mutex_destroy(&relay->lock);
	free(relay);
}

int
relay_fd(const struct relay *relay)
{
	return relay->fd;
}

int
relay_begin(struct relay *relay, struct err *err)
{
	if (relay->shared->run >= RELAY_RUNS_MAX)
		return err_set(err, EOVERFLOW, "too many processes one after the other");
	relay->shared->run++;
	return 0;
}

unsigned
relay_run(const struct relay *relay)
{
	return relay->shared->run;
}

uint32_t
relay_generation(const struct relay *relay)
{
	return relay->shared->generation;
}

void
relay_set_generation(struct relay *relay, uint32_t generation)
{
	relay->shared->generation = generation;
}

struct pin *
relay_pins(struct relay *relay)
{
	return relay->shared->pins;
}

bool
relay_can_resend(const struct relay *relay)
{
	return relay->shared->can_resend;
}

void
relay_set_can_resend(struct relay *relay)
{
	relay->shared->can_resend = true;
}

const char *
relay_greeting(const struct relay *relay, int which, size_t *bytes)
{
	const struct greeting *greeting = &relay->shared->greetings[which];

	*bytes = greeting->bytes;
	return greeting->bytes ? greeting->message : NULL;
}

void
relay_set_greeting(struct relay *relay, int which, const char *message, size_t bytes)
{
	struct greeting *greeting = &relay->shared->greetings[which];

	if (bytes > sizeof(greeting->message))
		return;
	memcpy(greeting->message, message, bytes);
	greeting->bytes = (uint32_t)bytes;
}

/* ---- what ids are of */

/* What stood in the room that is taken is gone before it is written over. Nothing is split at the end. */
static char *
take_room(struct shared *shared, size_t bytes, uint64_t *at)
{
	uint64_t begin = atomic_load(&shared->used), left = RELAY_BYTES_MAX - begin % RELAY_BYTES_MAX;

	if (left < bytes)
		begin += left;
	atomic_store(&shared->used, begin + bytes);
	*at = begin;
	return shared->room + begin % RELAY_BYTES_MAX;
}

void
relay_put(struct relay *relay, uint64_t id, const struct stat *st, const char *path, int64_t tag,
    const char *content, size_t bytes)
{
	struct record record = { .path_bytes = strlen(path) + 1,
		.has_content = content != NULL,
		.bytes = content ? bytes : 0,
		.tag = tag,
		.st = *st };
	struct shared *shared = relay->shared;
	uint64_t count;
	char *room;

	if (record.path_bytes + record.bytes > RELAY_BYTES_MAX / 2)
		return;
	pthread_mutex_lock(&relay->lock);
	count = atomic_load(&shared->count);
	room = take_room(shared, record.path_bytes + record.bytes, &record.at);
	memcpy(room, path, record.path_bytes);
	if (record.bytes)
		memcpy(room + record.path_bytes, content, record.bytes);
	atomic_store(&shared->ids[count % RELAY_THINGS_MAX], 0);
	shared->records[count % RELAY_THINGS_MAX] = record;
	atomic_store(&shared->ids[count % RELAY_THINGS_MAX], id);
	atomic_store(&shared->count, count + 1);
	pthread_mutex_unlock(&relay->lock);
}

/* The newest of that id, NULL: none that is whole. */
static const struct record *
look(const struct shared *shared, uint64_t id)
{
	uint64_t count = atomic_load(&shared->count), used = atomic_load(&shared->used);

	for (uint64_t i = count; i > 0 && i + RELAY_THINGS_MAX > count; i--) {
		const struct record *record = &shared->records[(i - 1) % RELAY_THINGS_MAX];

		if (atomic_load(&shared->ids[(i - 1) % RELAY_THINGS_MAX]) == id)
			return used - record->at <= RELAY_BYTES_MAX ? record : NULL;
	}
	return NULL;
}

static bool
copy(const struct shared *shared, const struct record *record, struct relay_thing *out)
{
	const char *room = shared->room + record->at % RELAY_BYTES_MAX;

	*out = (struct relay_thing){ .st = record->st, .tag = record->tag, .bytes = record->bytes };
	out->path = strdup(room);
	if (record->has_content && (out->content = malloc(record->bytes + 1))) {
		memcpy(out->content, room + record->path_bytes, record->bytes);
		out->content[record->bytes] = '\0';
	}
	if (out->path && (out->content || !record->has_content))
		return true;
	relay_thing_done(out);
	return false;
}

bool
relay_find(struct relay *relay, uint64_t id, struct relay_thing *out)
{
	const struct record *record;
	bool is_found;

	pthread_mutex_lock(&relay->lock);
	record = look(relay->shared, id);
	is_found = record && copy(relay->shared, record, out);
	pthread_mutex_unlock(&relay->lock);
	return is_found;
}

void
relay_thing_done(struct relay_thing *thing)
{
	free(thing->path);
	free(thing->content);
	*thing = (struct relay_thing){ 0 };
}
