#include "store/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "store/delta.h"
#include "store/fleet.h"
#include "store/image.h"
#include "store/reach.h"

#define MIB (1024 * 1024ull)
/** Pairs that are looked at in one pass; a store with more has its next pass after those. */
#define PAIRS_MAX 4096

enum fate { FATE_OPEN, FATE_THERE, FATE_USELESS, FATE_FAILED };

struct pair {
	char from[DIGEST_HEX_SIZE], to[DIGEST_HEX_SIZE];
	bool is_wanted;
	enum fate fate;
	uint64_t bytes, saved; /* of a delta that is there */
	time_t changed;
};

struct pairs {
	const struct config *config;
	struct pair *list; /* PAIRS_MAX */
	size_t count;
	json_t *failed; /* "FROM-TO": true */
	json_t *known;  /* the report, as read back and as written */
};

struct pairs *
pairs_new(const struct config *config)
{
	AUTO(pairs_freep) struct pairs *pairs = calloc(1, sizeof(*pairs));

	if (!pairs)
		return NULL;
	pairs->config = config;
	pairs->list = calloc(PAIRS_MAX, sizeof(*pairs->list));
	pairs->failed = json_object();
	return pairs->list && pairs->failed ? MOVE(pairs) : NULL;
}

void
pairs_free(struct pairs *pairs)
{
	if (!pairs)
		return;
	json_decref(pairs->failed);
	json_decref(pairs->known);
	free(pairs->list);
	free(pairs);
}

void
pairs_freep(struct pairs **pairs)
{
	pairs_free(*pairs);
}

static struct pair *
find_or_add(struct pairs *pairs, const char *from, const char *to)
{
	struct pair *pair;

	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->list[i].from, from) && !strcmp(pairs->list[i].to, to))
			return &pairs->list[i];
	if (pairs->count == PAIRS_MAX)
		return NULL;
	pair = &pairs->list[pairs->count++];
	*pair = (struct pair){ .fate = FATE_OPEN };
	strcpy(pair->from, from);
	strcpy(pair->to, to);
	return pair;
}

static void
pair_key(const struct pair *pair, char key[static 2 * DIGEST_HEX_SIZE])
{
	snprintf(key, 2 * DIGEST_HEX_SIZE, "%s-%s", pair->from, pair->to);
}

/* -- what is wanted -- */

static bool
has_text(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(text, json_string_value(json_array_get(list, i)) ?: ""))
			return true;
	return false;
}

/* Pairs to @target from what the fleet runs on hardware @hardware, or on any that the target is for if NULL. */
static void
want(struct pairs *pairs, int repository, const struct fleet *fleet, const json_t *target, const char *hardware)
{
	const json_t *ids = json_object_get(json_object_get(target, "custom"), "hardwareIds");
	const char *to = json_text(json_object_get(target, "hashes"), "sha256");
	size_t from = 0;

	if (!to || !digest_is_sha256_hex(to) || !delta_has_commit(repository, to))
		return;
	for (size_t i = 0; i < fleet->running_count && from < PAIR_FROM_MAX; i++) {
		const struct fleet_running *running = &fleet->running[i];
		struct pair *pair;

		if (running->is_binary || !strcmp(running->sha256, to) ||
		    (hardware ? strcmp(running->hardware, hardware) != 0 : !has_text(ids, running->hardware)) ||
		    !delta_has_commit(repository, running->sha256))
			continue;
		from++;
		pair = find_or_add(pairs, running->sha256, to);
		if (pair)
			pair->is_wanted = true;
	}
}

static bool
is_ostree(const json_t *target)
{
	const char *format = json_text(json_object_get(target, "custom"), "targetFormat");

	return !format || !strcmp(format, "OSTREE");
}

/* @newest: "PACKAGE HARDWARE" to the target that was created last. */
static int
note_newest(json_t *newest, json_t *target)
{
	json_t *custom = json_object_get(target, "custom"), *id;
	const char *name = json_text(custom, "name"), *created = json_text(custom, "createdAt");
	size_t i;

	json_array_foreach(json_object_get(custom, "hardwareIds"), i, id)
	{
		char key[512];
		const json_t *other;

		snprintf(key, sizeof(key), "%s %s", name ? name : "", json_string_value(id) ?: "");
		other = json_object_get(json_object_get(newest, key), "custom");
		if (other && strcmp(json_text(other, "createdAt") ?: "", created ? created : "") > 0)
			continue;
		if (json_object_set(newest, key, target) < 0)
			return -1;
	}
	return 0;
}

static int
note_document(int set, const char *name, json_t *newest, json_t *all, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	const char *file;
	json_t *target;
	size_t bytes;
	int r;

	r = file_read(set, name, IMAGE_TARGETS_MAX, &text, &bytes, err);
	if (r == 0)
		r = json_read_loosely(text, bytes, name, &json, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	json_object_foreach(json_object_get(json_object_get(json, "signed"), "targets"), file,
	    target) if (is_ostree(target) && (note_newest(newest, target) < 0 ||
						 json_object_set(all, file, target) < 0)) return err_set(err,
	    ENOMEM, "targets: no memory");
	return 0;
}

static int
note_published(int repository, json_t *newest, json_t *all, struct err *err)
{
	AUTO(close_p) int set = openat(repository, "published/current", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd, r;

	if (set < 0)
		return errno == ENOENT ? 0 : err_sys(err, "published/current");
	r = note_document(set, "targets.json", newest, all, err);
	fd = openat(set, "delegations", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (r == 0 && dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			r = note_document(fd, entry->d_name, newest, all, err);
	return r;
}

/* What is assigned first: devices are going to ask for it now. */
static int
plan(struct pairs *pairs, int repository, struct err *err)
{
	AUTO(json_decref_p) json_t *newest = json_object();
	AUTO(json_decref_p) json_t *all = json_object();
	AUTO(fleet_done) struct fleet fleet = { 0 };
	const char *key;
	json_t *target;
	int r;

	if (!newest || !all)
		return err_set(err, ENOMEM, "no memory");
	if ((r = fleet_read(pairs->config->fleet, &fleet, err)) < 0 ||
	    (r = note_published(repository, newest, all, err)) < 0)
		return r;
	for (size_t i = 0; i < fleet.assigned_count; i++)
		if ((target = json_object_get(all, fleet.assigned[i].target)))
			want(pairs, repository, &fleet, target, NULL);
	json_object_foreach(newest, key, target) want(pairs, repository, &fleet, target, strchr(key, ' ') + 1);
	return 0;
}

/* -- what is there -- */

static int
note_delta(void *data, const struct delta *delta)
{
	struct pairs *pairs = data;
	struct pair *pair = delta->is_whole ? find_or_add(pairs, delta->from, delta->to) : NULL;

	if (pair) {
		pair->fate = FATE_THERE;
		pair->bytes = delta->bytes;
		pair->changed = delta->changed;
	}
	return 0;
}

/* What the report says of the pair, or NULL. */
static const json_t *
reported(const struct pairs *pairs, const struct pair *pair)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(pairs->known, pair->to), i,
	    entry) if (!strcmp(json_text(entry, "from") ?: "", pair->from)) return entry;
	return NULL;
}

static void
note_fate(struct pairs *pairs, struct pair *pair)
{
	const json_t *entry = reported(pairs, pair);
	char key[2 * DIGEST_HEX_SIZE];

	pair_key(pair, key);
	if (pair->fate == FATE_THERE && entry)
		pair->saved = (uint64_t)json_integer_value(json_object_get(entry, "saved"));
	if (pair->fate == FATE_OPEN && entry && json_integer_value(json_object_get(entry, "bytes")) == 0)
		pair->fate = FATE_USELESS;
	if (pair->fate == FATE_OPEN && json_object_get(pairs->failed, key))
		pair->fate = FATE_FAILED;
}

static void
read_report(struct pairs *pairs, int repository)
{
	AUTO(free_p) char *text = NULL;
	struct err ignored;
	size_t bytes;

	if (pairs->known)
		return;
	/* A report that is missing or damaged costs a delta that is made once more in vain. */
	if (file_read(repository, PAIR_REPORT, PAIR_REPORT_MAX, &text, &bytes, &ignored) < 0 ||
	    json_read(text, bytes, PAIR_REPORT, &pairs->known, &ignored) < 0)
		pairs->known = json_object();
}

/* -- what a delta saves -- */

struct missing {
	int repository;
	const struct reach *from;
	uint64_t bytes;
	size_t absent;
};

static int
add_missing(void *data, const char *checksum, enum object_kind kind)
{
	struct missing *missing = data;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "ostree/objects/%.2s/%s.%s", checksum, checksum + 2, reach_suffix(kind));
	if (fstatat(missing->repository, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		missing->absent++;
	else if (!reach_has(missing->from, checksum, kind))
		missing->bytes += (uint64_t)st.st_size;
	return 0;
}

static void
note_absent(
    void *data, enum reach_trouble trouble, const char *checksum, enum object_kind kind, const char *words)
{
	(void)trouble, (void)checksum, (void)kind, (void)words;
	++*(size_t *)data;
}

static int
count_absent(void *data, const char *checksum, enum object_kind kind)
{
	struct missing *missing = data;
	uint64_t bytes = missing->bytes;

	add_missing(missing, checksum, kind);
	missing->bytes = bytes;
	return 0;
}

/* Bytes of the objects of pair->to that pair->from lacks. -ENODATA unless both commits are complete. */
static int
measure_objects(int repository, const struct pair *pair, uint64_t *bytes, struct err *err)
{
	AUTO(reach_freep) struct reach *from = NULL;
	AUTO(reach_freep) struct reach *to = NULL;
	struct missing missing = { .repository = repository };
	size_t absent = 0;
	int r;

	if ((r = reach_new(repository, &from, err)) < 0 || (r = reach_new(repository, &to, err)) < 0 ||
	    (r = reach_commit(from, pair->from, note_absent, &absent, err)) < 0 ||
	    (r = reach_commit(to, pair->to, note_absent, &absent, err)) < 0)
		return r;
	missing.from = from;
	reach_each(to, add_missing, &missing);
	reach_each(from, count_absent, &missing);
	*bytes = missing.bytes;
	return absent + missing.absent == 0
		   ? 0
		   : err_set(err, ENODATA, "%zu objects are missing or damaged", absent + missing.absent);
}

/* -- the report -- */

static int
write_report(struct pairs *pairs, int repository, struct err *err)
{
	AUTO(json_decref_p) json_t *json = json_object();
	AUTO(free_p) char *text = NULL;
	int r = 0;

	for (size_t i = 0; json && i < pairs->count; i++) {
		const struct pair *pair = &pairs->list[i];
		json_t *list = json_object_get(json, pair->to);

		if (pair->fate != FATE_THERE && pair->fate != FATE_USELESS)
			continue;
		if (!list && json_object_set_new(json, pair->to, list = json_array()) < 0)
			r = -1;
		if (json_array_append_new(
			list, json_pack("{s:s?, s:I, s:I}", "from", *pair->from ? pair->from : NULL, "bytes",
				  (json_int_t)(pair->fate == FATE_THERE ? pair->bytes : 0), "saved",
				  (json_int_t)(pair->fate == FATE_THERE ? pair->saved : 0))) < 0)
			r = -1;
	}
	if (!json || r < 0 || !(text = json_write(json)))
		return err_set(err, ENOMEM, "report: no memory");
	if (json_equal(json, pairs->known))
		return 0;
	if (mkdirat(repository, "report", 0750) < 0 && errno != EEXIST)
		return err_sys(err, "report");
	json_decref(pairs->known);
	pairs->known = MOVE(json);
	return file_replace(repository, PAIR_REPORT, text, strlen(text), 0640, err);
}

/* -- a step -- */

/* Bytes that deltas may still take: of the bound for all, what those that are wanted leave. */
static uint64_t
room_left(const struct pairs *pairs)
{
	uint64_t room = (uint64_t)pairs->config->deltas_mb * MIB;

	for (size_t i = 0; i < pairs->count; i++)
		if (pairs->list[i].fate == FATE_THERE && pairs->list[i].is_wanted)
			room -= pairs->list[i].bytes < room ? pairs->list[i].bytes : room;
	return room;
}

/* Takes away deltas that nobody wants any more, oldest first, until all fit beside @more bytes. */
static int
make_room(
    struct pairs *pairs, int repository, uint64_t more, child_stop *is_stopped, void *data, struct err *err)
{
	uint64_t max = (uint64_t)pairs->config->deltas_mb * MIB;

	for (;;) {
		struct pair *oldest = NULL;
		struct delta delta = { .is_whole = true };
		uint64_t all = more;
		int r;

		for (size_t i = 0; i < pairs->count; i++) {
			struct pair *pair = &pairs->list[i];

			if (pair->fate != FATE_THERE)
				continue;
			all += pair->bytes;
			/* One that is wanted goes only if the bound was lowered. */
			if (!oldest || pair->is_wanted < oldest->is_wanted ||
			    (pair->is_wanted == oldest->is_wanted && pair->changed < oldest->changed))
				oldest = pair;
		}
		if (all <= max || !oldest)
			return 0;
		memcpy(delta.from, oldest->from, DIGEST_HEX_SIZE);
		memcpy(delta.to, oldest->to, DIGEST_HEX_SIZE);
		r = delta_retire(repository, &delta, is_stopped, data, err);
		if (r < 0)
			return r;
		log_line(LOG_NOTICE, "delta removed from=%s to=%s bytes=%llu reason=\"deltas_mb\"",
		    oldest->from, oldest->to, (unsigned long long)oldest->bytes);
		oldest->fate = FATE_FAILED;
	}
}

static bool
has_free(const struct pairs *pairs, int repository, uint64_t bytes)
{
	struct statvfs fs;

	return fstatvfs(repository, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize > bytes + (uint64_t)pairs->config->disk_reserve_mb * MIB;
}

static int
give_up(struct pairs *pairs, struct pair *pair, const struct err *err)
{
	char key[2 * DIGEST_HEX_SIZE];

	pair_key(pair, key);
	json_object_set_new(pairs->failed, key, json_true());
	pair->fate = FATE_FAILED;
	log_line(LOG_WARNING, "delta not made from=%s to=%s reason=\"%s\"", pair->from, pair->to, err->text);
	return 0;
}

/* Looks at the delta that was made; one that saves nothing goes again. */
static int
settle(struct pairs *pairs, int repository, struct pair *pair, uint64_t objects, child_stop *is_stopped,
    void *data, struct err *err)
{
	struct delta delta = { .is_whole = true };

	pair->fate = FATE_OPEN;
	delta_each(repository, note_delta, pairs, err);
	if (pair->fate == FATE_THERE && pair->bytes < objects) {
		pair->saved = objects - pair->bytes;
		log_line(LOG_NOTICE, "delta made from=%s to=%s bytes=%llu saved=%llu", pair->from, pair->to,
		    (unsigned long long)pair->bytes, (unsigned long long)pair->saved);
		return 0;
	}
	memcpy(delta.from, pair->from, DIGEST_HEX_SIZE);
	memcpy(delta.to, pair->to, DIGEST_HEX_SIZE);
	pair->fate = FATE_USELESS;
	log_line(LOG_NOTICE, "delta removed from=%s to=%s bytes=%llu reason=\"the objects have %llu bytes\"",
	    pair->from, pair->to, (unsigned long long)pair->bytes, (unsigned long long)objects);
	return delta_retire(repository, &delta, is_stopped, data, err);
}

static int
make(
    struct pairs *pairs, int repository, struct pair *pair, child_stop *is_stopped, void *data, struct err *err)
{
	uint64_t objects, room = room_left(pairs);
	int r = measure_objects(repository, pair, &objects, err);

	if (r == 0 && !has_free(pairs, repository, objects))
		r = err_set(err, ENOSPC, "less than disk_reserve_mb would stay free");
	/* More than the objects have would save nothing, but has to be seen to be known. */
	if (r == 0 && room == 0)
		r = err_set(err, EDQUOT, "deltas_mb is used up by others that are wanted");
	if (r == 0)
		r = make_room(pairs, repository, objects < room ? objects : room, is_stopped, data, err);
	if (r == 0)
		r = delta_make(repository, pair->from, pair->to, room, is_stopped, data, err);
	if (r == -ECANCELED)
		return r;
	return r < 0 ? give_up(pairs, pair, err)
		     : settle(pairs, repository, pair, objects, is_stopped, data, err);
}

static int
step(struct pairs *pairs, int repository, child_stop *is_stopped, void *data, struct err *err)
{
	int r;

	pairs->count = 0;
	read_report(pairs, repository);
	if ((r = plan(pairs, repository, err)) < 0 || (r = delta_each(repository, note_delta, pairs, err)) < 0)
		return r;
	for (size_t i = 0; i < pairs->count; i++)
		note_fate(pairs, &pairs->list[i]);
	if ((r = make_room(pairs, repository, 0, is_stopped, data, err)) < 0)
		return r;
	for (size_t i = 0; pairs->config->deltas_mb && i < pairs->count; i++)
		if (pairs->list[i].fate == FATE_OPEN && pairs->list[i].is_wanted)
			return make(pairs, repository, &pairs->list[i], is_stopped, data, err);
	return PAIR_NONE;
}

int
pairs_step(struct pairs *pairs, child_stop *is_stopped, void *data, struct err *err)
{
	AUTO(close_p) int repository = open(pairs->config->repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r, report;

	if (repository < 0)
		return err_sys(err, "%s", pairs->config->repository);
	r = step(pairs, repository, is_stopped, data, err);
	if (r < 0)
		return r;
	report = write_report(pairs, repository, err);
	return report < 0 ? report : r;
}
