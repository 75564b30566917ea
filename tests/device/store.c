#include "tests/device/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

/** Events pile up while a server does not take them; more than this is a test gone wrong. */
#define STATE_MAX (64 * 1024 * 1024)
/** The largest document that is fetched, image targets, has 8 MiB. */
#define METADATA_MAX (16 * 1024 * 1024)
/** "director/timestamp.json" */
#define NAME_ROOM 64

struct store {
	int dir;
	json_t *state;
};

static int
open_folder(const char *path, int *out, struct err *err)
{
	AUTO(close_p) int dir = -1;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "%s", path);
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, EBUSY, "%s: another process uses it", path);
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if (mkdirat(dir, repository_name(i), 0700) < 0 && errno != EEXIST)
			return err_sys(err, "%s/%s", path, repository_name(i));
	if (mkdirat(dir, "images", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s/images", path);
	*out = MOVE_FD(dir);
	return 0;
}

static int
read_state(int dir, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(dir, "state.json", STATE_MAX, &text, &bytes, err);

	if (r == -ENOENT) {
		*out = json_object();
		return *out ? 0 : err_set(err, ENOMEM, "no memory");
	}
	return r < 0 ? r : json_read(text, bytes, "state.json", out, err);
}

int
store_open(const char *path, struct store **out, struct err *err)
{
	AUTO(store_freep) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return err_set(err, ENOMEM, "no memory");
	store->dir = -1;
	if ((r = open_folder(path, &store->dir, err)) < 0 ||
	    (r = read_state(store->dir, &store->state, err)) < 0)
		return r;
	*out = MOVE(store);
	return 0;
}

void
store_free(struct store *store)
{
	if (!store)
		return;
	json_decref(store->state);
	close_p(&store->dir);
	free(store);
}

void
store_freep(struct store **store)
{
	store_free(*store);
}

int
store_folder(const struct store *store)
{
	return store->dir;
}

json_t *
store_state(struct store *store)
{
	return store->state;
}

int
store_save(struct store *store, struct err *err)
{
	AUTO(free_p) char *text = json_dumps(store->state, JSON_INDENT(2) | JSON_SORT_KEYS);

	if (!text)
		return err_set(err, ENOMEM, "state.json: no memory");
	return file_replace(store->dir, "state.json", text, strlen(text), 0600, err);
}

json_t *
store_section(struct store *store, const char *name)
{
	json_t *section = json_object_get(store->state, name);

	if (!section && json_object_set_new(store->state, name, json_object()) == 0)
		section = json_object_get(store->state, name);
	return section;
}

static void
metadata_name(enum repository repository, enum role role, char name[static NAME_ROOM])
{
	snprintf(name, NAME_ROOM, "%s/%s.json", repository_name(repository), role_name(role));
}

int
store_read_metadata(struct store *store, enum repository repository, enum role role, char **text, size_t *bytes,
    struct err *err)
{
	char name[NAME_ROOM];
	int r;

	metadata_name(repository, role, name);
	r = file_read(store->dir, name, METADATA_MAX, text, bytes, err);
	return r == -ENOENT ? STORE_NONE : r;
}

int
store_write_metadata(struct store *store, enum repository repository, enum role role, const char *text,
    size_t bytes, struct err *err)
{
	char name[NAME_ROOM];

	metadata_name(repository, role, name);
	return file_replace(store->dir, name, text, bytes, 0600, err);
}

int
store_forget_metadata(struct store *store, enum repository repository, struct err *err)
{
	char name[NAME_ROOM];

	for (int role = 0; role < ROLE_COUNT; role++) {
		if (role == ROLE_ROOT)
			continue;
		metadata_name(repository, role, name);
		if (unlinkat(store->dir, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, "%s", name);
	}
	return file_sync_folder(store->dir, repository_name(repository), err);
}

int
store_key(struct store *store, const char *name, struct key_pair **out, struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *pair = NULL;
	int r;

	if (faccessat(store->dir, name, F_OK, 0) == 0)
		return key_pair_load(store->dir, name, out, err);
	if ((r = key_pair_new(&pair, err)) < 0 || (r = key_pair_save(pair, store->dir, name, err)) < 0)
		return r;
	*out = MOVE(pair);
	return 0;
}
