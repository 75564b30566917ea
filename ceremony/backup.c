#include "ceremony/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "ceremony/secret_file.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

/* One member of the backup. */
static int
collect_key(const struct keys *keys, const char *name, json_t *all, struct err *err)
{
	AUTO(secret_freep) struct secret *container = NULL;
	AUTO(json_decref_p) json_t *public = NULL;
	int r;

	if ((r = keys_container(keys, name, &container, err)) < 0 ||
	    (r = vault_check((const char *)container->data, container->bytes, "key", name, err)) < 0 ||
	    (r = keys_public(keys, name, &public, err)) < 0)
		return r;
	if (json_object_set_new(all, name,
		json_pack(
		    "{s:s%,s:O}", "key", (const char *)container->data, container->bytes, "pub", public)) < 0)
		return err_set(err, ENOMEM, "no memory for a backup");
	return 0;
}

static int
collect(const struct keys *keys, int *count, struct secret **out, struct err *err)
{
	AUTO(json_decref_p) json_t *names = NULL, *all = json_object();
	AUTO(free_p) char *text = NULL;
	const json_t *name;
	size_t i;
	int r = keys_names(keys, &names, err);

	if (r < 0)
		return r;
	json_array_foreach(names, i, name)
	{
		if ((r = collect_key(keys, json_string_value(name), all, err)) < 0)
			return r;
	}
	*count = (int)json_array_size(names);
	if (*count == 0)
		return err_set(err, ENOENT, "there are no keys to back up");
	if (!all || !(text = json_write(all)))
		return err_set(err, ENOMEM, "no memory for a backup");
	return secret_copy(text, strlen(text), out, err);
}

static int
open_backup(const char *path, const struct secret *passphrase, struct secret **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(AT_FDCWD, path, VAULT_FILE_MAX, &text, &bytes, err);

	return r < 0 ? r : vault_open(text, bytes, "backup", path, passphrase, out, err);
}

static int
check_written(const char *path, const struct secret *passphrase, const struct secret *content, struct err *err)
{
	AUTO(secret_freep) struct secret *back = NULL;
	int r = open_backup(path, passphrase, &back, err);

	if (r == 0 && !secret_equal(back, content))
		r = err_set(err, EIO, "%s: reads back as something else", path);
	return r < 0 ? err_context(err, r, "the backup was removed again") : 0;
}

int
backup_make(
    const struct keys *keys, const struct secret *passphrase, const char *path, int *count, struct err *err)
{
	AUTO(secret_freep) struct secret *content = NULL, *sealed = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = collect(keys, count, &content, err)) < 0 ||
	    (r = vault_seal("backup", passphrase, content, NULL, &text, &bytes, err)) < 0 ||
	    (r = secret_copy(text, bytes, &sealed, err)) < 0 || (r = secret_file_make(path, sealed, err)) < 0)
		return r;
	if ((r = check_written(path, passphrase, content, err)) < 0)
		unlink(path);
	return r;
}

/* Whether the key has to be written: 1; 0 when it is there; -EEXIST when another one is. */
static int
compare_key(const struct keys *keys, const char *name, const json_t *public, struct err *err)
{
	AUTO(secret_freep) struct secret *container = NULL;
	AUTO(json_decref_p) json_t *here = NULL;
	bool has_key;
	int r = keys_container(keys, name, &container, err);

	if (r < 0 && r != -ENOENT)
		return r;
	has_key = r == 0;
	r = keys_public(keys, name, &here, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!has_key && !here)
		return 1;
	/* A public half alone may be somebody else's, under that name. */
	if (!json_equal(json_object_get(here, "keyval"), json_object_get(public, "keyval")))
		return err_set(
		    err, EEXIST, "%s is here already and is another key; nothing was restored", name);
	return !has_key;
}

static int
check_key(const char *name, const json_t *entry, const char *path, struct err *err)
{
	AUTO(public_key_freep) struct public_key *public = NULL;
	const json_t *key = json_object_get(entry, "key");
	int r;

	if ((r = keys_check_name(name, err)) < 0 ||
	    (r = public_key_read(json_object_get(entry, "pub"), name, &public, err)) < 0)
		return err_context(err, r, "%s", path);
	if (!json_is_string(key) || json_string_length(key) > KEYS_PRIVATE_MAX)
		return err_set(err, EBADMSG, "%s: %s: holds no key", path, name);
	return vault_check(json_string_value(key), json_string_length(key), "key", name, err);
}

static int
restore_all(const struct keys *keys, json_t *all, const char *path, backup_told *told, struct err *err)
{
	const char *name;
	json_t *entry;
	int r;

	json_object_foreach(all, name, entry)
	{
		if ((r = check_key(name, entry, path, err)) < 0 ||
		    (r = compare_key(keys, name, json_object_get(entry, "pub"), err)) < 0)
			return r;
		json_object_set_new(entry, "new", json_boolean(r > 0));
	}
	json_object_foreach(all, name, entry)
	{
		const json_t *key = json_object_get(entry, "key");
		bool is_new = json_is_true(json_object_get(entry, "new"));

		if (is_new && (r = keys_put(keys, name, json_string_value(key), json_string_length(key),
				   json_object_get(entry, "pub"), err)) < 0)
			return r;
		told(name, is_new);
	}
	return 0;
}

int
backup_restore(const struct keys *keys, const struct secret *passphrase, const char *path, backup_told *told,
    struct err *err)
{
	AUTO(secret_freep) struct secret *content = NULL;
	AUTO(json_decref_p) json_t *all = NULL;
	int r;

	if ((r = open_backup(path, passphrase, &content, err)) < 0 ||
	    (r = json_read((const char *)content->data, content->bytes, path, &all, err)) < 0)
		return r;
	if (!json_is_object(all) || json_object_size(all) > KEYS_MAX)
		return err_set(err, EBADMSG, "%s: holds no keys, or more than %d", path, KEYS_MAX);
	return restore_all(keys, all, path, told, err);
}
