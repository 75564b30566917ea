#include "ceremony/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ceremony/secret_file.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/name.h"

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
/** NAME and ".key" or ".pub". */
#define FILE_NAME_SIZE (KEYS_NAME_MAX + 5)

struct keys {
	int dir;
	char path[4096];
};

static int
find_path(const char *path, struct keys *keys, struct err *err)
{
	const char *home = getenv("HOME");
	int n;

	if (!path && (!home || home[0] != '/'))
		return err_set(err, ENOENT, "HOME is not set; say where the key folder is (--keys)");
	n = path ? snprintf(keys->path, sizeof(keys->path), "%s", path)
		 : snprintf(keys->path, sizeof(keys->path), "%s/.ota-sign", home);
	return (size_t)n < sizeof(keys->path) ? 0 : err_set(err, ENAMETOOLONG, "key folder: path is too long");
}

static int
open_folder(struct keys *keys, bool for_writing, struct err *err)
{
	struct stat st;

	if (for_writing && mkdir(keys->path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "key folder %s", keys->path);
	keys->dir = open(keys->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keys->dir < 0 || fstat(keys->dir, &st) < 0)
		return err_sys(err, "key folder %s", keys->path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(err, EPERM, "key folder %s: has to be ours and 0700, it is %03o of user %u",
		    keys->path, st.st_mode & 0777, st.st_uid);
	if (for_writing && flock(keys->dir, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, EBUSY, "key folder %s: another ota-sign changes it", keys->path);
	return 0;
}

int
keys_open(const char *path, bool for_writing, struct keys **out, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = calloc(1, sizeof(*keys));
	int r;

	if (!keys)
		return err_set(err, ENOMEM, "no memory");
	keys->dir = -1;
	if ((r = find_path(path, keys, err)) == 0 && (r = open_folder(keys, for_writing, err)) == 0)
		*out = MOVE(keys);
	return r;
}

void
keys_free(struct keys *keys)
{
	if (!keys)
		return;
	close_p(&keys->dir);
	free(keys);
}

void
keys_freep(struct keys **keys)
{
	keys_free(*keys);
}

int
keys_check_name(const char *name, struct err *err)
{
	char shown[4 * KEYS_NAME_MAX];
	size_t bytes = strlen(name);

	if (bytes >= 1 && bytes <= KEYS_NAME_MAX && strchr(LETTERS_AND_DIGITS, name[0]) &&
	    strspn(name, LETTERS_AND_DIGITS "._-") == bytes)
		return 0;
	name_printable(name, shown, sizeof(shown));
	return err_set(err, EINVAL,
	    "\"%s\" is no name of a key: 1 to %d letters, digits and . _ -, the first a letter or digit", shown,
	    KEYS_NAME_MAX);
}

/* The name of a file of key @name; "" when @name is none of a key. */
static int
name_file(const char *name, const char *suffix, char file[static FILE_NAME_SIZE], struct err *err)
{
	int r = keys_check_name(name, err);

	if (r == 0)
		snprintf(file, FILE_NAME_SIZE, "%s%s", name, suffix);
	return r;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The name of the key in file @file; NULL: it is of something else. */
static char *
name_of_file(const char *file)
{
	size_t bytes = strlen(file);
	char name[FILE_NAME_SIZE];
	struct err unused;

	if (bytes < 5 || bytes >= sizeof(name) || strcmp(file + bytes - 4, ".key") != 0)
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)bytes - 4, file);
	return keys_check_name(name, &unused) == 0 ? strdup(name) : NULL;
}

static int
sorted(char **names, size_t count, json_t **out)
{
	AUTO(json_decref_p) json_t *array = json_array();

	qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(array, json_string(names[i])) < 0)
			return -ENOMEM;
	if (!array)
		return -ENOMEM;
	*out = MOVE(array);
	return 0;
}

int
keys_names(const struct keys *keys, json_t **out, struct err *err)
{
	int fd = openat(keys->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char *names[KEYS_MAX];
	size_t count = 0;
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_sys(err, "key folder %s", keys->path);
	while (r == 0 && (entry = readdir(dir))) {
		char *name = name_of_file(entry->d_name);

		if (!name)
			continue;
		if (count < KEYS_MAX) {
			names[count++] = name;
			continue;
		}
		free(name);
		r = err_set(err, E2BIG, "key folder %s: has more than %d keys", keys->path, KEYS_MAX);
	}
	if (r == 0 && sorted(names, count, out) < 0)
		r = err_set(err, ENOMEM, "no memory");
	while (count)
		free(names[--count]);
	return r;
}

int
keys_public(const struct keys *keys, const char *name, json_t **out, struct err *err)
{
	char file[FILE_NAME_SIZE], private[FILE_NAME_SIZE];
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = name_file(name, ".pub", file, err)) < 0 || (r = name_file(name, ".key", private, err)) < 0)
		return r;
	r = file_read(keys->dir, file, KEYS_PUBLIC_MAX, &text, &bytes, err);
	if (r == -ENOENT && faccessat(keys->dir, private, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ENOENT,
		    "%s is missing; the next use of the key (ota-sign key passphrase %s) writes it anew", file,
		    name);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "there is no key %s in %s", name, keys->path);
	return r < 0 ? r : json_read(text, bytes, file, out, err);
}

int
keys_container(const struct keys *keys, const char *name, struct secret **out, struct err *err)
{
	char file[FILE_NAME_SIZE];
	int r = name_file(name, ".key", file, err);

	if (r == 0)
		r = secret_file_read(keys->dir, file, KEYS_PRIVATE_MAX, true, out, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "there is no key %s in %s", name, keys->path);
	return r;
}

json_t *
keys_public_json(const struct public_key *public, const char *keyid)
{
	json_t *json = public_key_json(public), *copy = json_copy(json);

	json_decref(json);
	if (copy && json_object_set_new(copy, "keyid", json_string(keyid)) == 0)
		return copy;
	json_decref(copy);
	return NULL;
}

static int
write_public(const struct keys *keys, const char *name, const json_t *json, struct err *err)
{
	char file[FILE_NAME_SIZE];
	AUTO(free_p) char *text = NULL, *line = NULL;
	int r = name_file(name, ".pub", file, err);

	if (r < 0)
		return r;
	if (!json || !(text = json_write(json)) || asprintf(&line, "%s\n", text) < 0) {
		line = NULL;
		return err_set(err, ENOMEM, "%s: no memory", file);
	}
	return file_replace(keys->dir, file, line, strlen(line), 0644, err);
}

/* NAME.pub has to be of the key that NAME.key has turned out to be. */
static int
check_public(const struct keys *keys, const char *name, const struct private_key *key, const char *keyid,
    struct err *err)
{
	AUTO(json_decref_p)
	json_t *expected = keys_public_json(private_public(key), keyid), *found = NULL;
	int r;

	if (!expected)
		return err_set(err, ENOMEM, "%s: no memory", name);
	r = keys_public(keys, name, &found, err);
	if (r == -ENOENT)
		return write_public(keys, name, expected, err);
	if (r == 0 && !json_equal(found, expected))
		return err_set(err, EBADMSG,
		    "%s.pub is not the public half of %s.key; remove it, and it is written anew", name, name);
	return r;
}

int
keys_load(const struct keys *keys, const char *name, const struct secret *passphrase, struct private_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(secret_freep) struct secret *file = NULL, *content = NULL;
	AUTO(private_freep) struct private_key *key = NULL;
	char what[KEYS_NAME_MAX + 8];
	int r;

	if ((r = keys_container(keys, name, &file, err)) < 0)
		return r;
	snprintf(what, sizeof(what), "key %s", name);
	if ((r = vault_open((const char *)file->data, file->bytes, "key", what, passphrase, &content, err)) <
		0 ||
	    (r = private_unpack(content, what, &key, keyid, err)) < 0 ||
	    (r = check_public(keys, name, key, keyid, err)) < 0)
		return r;
	*out = MOVE(key);
	return 0;
}

int
keys_check_free(const struct keys *keys, const char *name, struct err *err)
{
	static const char *const suffixes[] = { ".key", ".pub" };
	char file[FILE_NAME_SIZE];
	struct stat st;
	int r;

	for (size_t i = 0; i < 2; i++) {
		if ((r = name_file(name, suffixes[i], file, err)) < 0)
			return r;
		if (fstatat(keys->dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(
			    err, EEXIST, "%s/%s exists already; it is not touched", keys->path, file);
	}
	return 0;
}

int
keys_reseal(const struct keys *keys, const char *name, const struct private_key *key, const char *keyid,
    const struct secret *passphrase, struct err *err)
{
	AUTO(secret_freep) struct secret *content = NULL;
	AUTO(free_p) char *text = NULL;
	char file[FILE_NAME_SIZE];
	size_t bytes;
	int r;

	if ((r = name_file(name, ".key", file, err)) < 0 || (r = private_pack(key, keyid, &content, err)) < 0 ||
	    (r = vault_seal("key", passphrase, content, NULL, &text, &bytes, err)) < 0)
		return r;
	return file_replace(keys->dir, file, text, bytes, 0600, err);
}

int
keys_add(const struct keys *keys, const char *name, const struct private_key *key, const char *keyid,
    const struct secret *passphrase, struct err *err)
{
	AUTO(json_decref_p) json_t *public = NULL;
	int r = keys_check_free(keys, name, err);

	if (r < 0)
		return r;
	if (!keyid)
		keyid = public_key_id(private_public(key));
	public = keys_public_json(private_public(key), keyid);
	/* The private half first: should the other be missing, it is made from this one. */
	if ((r = keys_reseal(keys, name, key, keyid, passphrase, err)) < 0)
		return r;
	return write_public(keys, name, public, err);
}

int
keys_put(const struct keys *keys, const char *name, const char *container, size_t bytes, const json_t *public,
    struct err *err)
{
	char file[FILE_NAME_SIZE];
	int r = name_file(name, ".key", file, err);

	if (r == 0)
		r = file_replace(keys->dir, file, container, bytes, 0600, err);
	return r < 0 ? r : write_public(keys, name, public, err);
}
