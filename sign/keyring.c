#include "sign/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/ledger.h"

/** aktualizr reads 64 KiB of a root. */
#define ROOT_BYTES_MAX (64 * 1024)
#define DAY_SECONDS 86400

struct house {
	int dir; /* image/ or director/ */
	struct key_pair *pairs[ROLE_COUNT];
	int root_version;
};

struct keyring {
	struct house houses[REPOSITORY_COUNT];
	int64_t root_days;
	bool is_new; /* there is no ledger yet: keys and first roots may be made */
};

static void
root_file_name(int version, char name[static 32])
{
	snprintf(name, 32, "%d.root.json", version);
}

/* Something is missing in a key ring that was complete: made anew it would strand every device. */
static int
refuse_loss(const char *name, struct err *err)
{
	return err_set(err, ENOENT, "%s is gone: restore it from the backup", name);
}

static int
open_pair(struct house *house, enum role role, bool is_new, struct err *err)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%s.key", role_name(role));
	r = key_pair_load(house->dir, name, &house->pairs[role], err);
	if (r != -ENOENT)
		return r;
	if (house->root_version || !is_new)
		return refuse_loss(name, err);
	if ((r = key_pair_new(&house->pairs[role], err)) < 0)
		return r;
	return key_pair_save(house->pairs[role], house->dir, name, err);
}

static int
find_root_version(struct house *house, struct err *err)
{
	char name[32];
	struct stat st;

	for (int version = 1;; version++) {
		root_file_name(version, name);
		if (fstatat(house->dir, name, &st, 0) < 0)
			return errno == ENOENT ? 0 : err_sys(err, "%s", name);
		house->root_version = version;
	}
}

/* The "signed" part of the next root: every role has its one key. */
static json_t *
make_root(const struct house *house, int64_t expires)
{
	json_t *keys = json_object(), *roles = json_object();
	char text[UTC_TEXT_SIZE];

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const struct public_key *public = key_pair_public(house->pairs[role]);

		json_object_set_new(keys, public_key_id(public), public_key_json(public));
		json_object_set_new(roles, role_name(role),
		    json_pack("{s:[s],s:i}", "keyids", public_key_id(public), "threshold", 1));
	}
	utc_format(expires, text);
	return json_pack("{s:s,s:b,s:s,s:o,s:o,s:i}", "_type", "Root", "consistent_snapshot", 0, "expires",
	    text, "keys", keys, "roles", roles, "version", house->root_version + 1);
}

static int
sign(const struct house *house, enum role role, const json_t *signed_part, char **envelope, size_t *bytes,
    struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	AUTO(json_decref_p) json_t *signatures = json_array();
	json_t *signature;
	size_t n;
	int r;

	if ((r = canonical_write(signed_part, &canonical, &n, err)) < 0)
		return r;
	if ((r = key_pair_sign(house->pairs[role], canonical, n, &signature, err)) < 0)
		return r;
	if (json_array_append_new(signatures, signature) < 0)
		return err_set(err, ENOMEM, "no memory for a signature");
	return envelope_write(signed_part, signatures, envelope, bytes, err);
}

static int
add_root(struct house *house, int64_t expires, struct err *err)
{
	AUTO(json_decref_p) json_t *root = make_root(house, expires);
	AUTO(free_p) char *envelope = NULL;
	char name[32];
	size_t bytes;
	int r;

	if (!root)
		return err_set(err, ENOMEM, "no memory for a root");
	if ((r = sign(house, ROLE_ROOT, root, &envelope, &bytes, err)) < 0)
		return r;
	root_file_name(house->root_version + 1, name);
	if ((r = file_replace(house->dir, name, envelope, bytes, 0600, err)) < 0)
		return r;
	house->root_version++;
	return 0;
}

static int
read_root(const struct house *house, int version, char **envelope, size_t *bytes, struct err *err)
{
	char name[32];

	root_file_name(version, name);
	return file_read(house->dir, name, ROOT_BYTES_MAX, envelope, bytes, err);
}

static int
root_expires(const struct house *house, int64_t *expires, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	*expires = 0;
	if (house->root_version == 0)
		return 0;
	if ((r = read_root(house, house->root_version, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, "root", &root, err)) < 0)
		return r;
	return envelope_expires(json_object_get(root, "signed"), "root", expires, err);
}

static int
open_house(struct house *house, int dir, const char *name, bool is_new, struct err *err)
{
	int r;

	if (is_new && mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", name);
	house->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (house->dir < 0)
		return errno == ENOENT ? refuse_loss(name, err) : err_sys(err, "%s", name);
	if ((r = find_root_version(house, err)) < 0)
		return err_context(err, r, "%s", name);
	if (house->root_version == 0 && !is_new)
		return err_context(err, refuse_loss("1.root.json", err), "%s", name);
	for (enum role role = 0; role < ROLE_COUNT; role++)
		if ((r = open_pair(house, role, is_new, err)) < 0)
			return err_context(err, r, "%s", name);
	return 0;
}

int
keyring_open(int dir, int64_t root_days, int64_t now, struct keyring **out, struct err *err)
{
	AUTO(keyring_freep) struct keyring *keyring = calloc(1, sizeof(*keyring));
	int r;

	if (!keyring)
		return err_set(err, ENOMEM, "no memory for the key ring");
	keyring->root_days = root_days;
	keyring->is_new = faccessat(dir, LEDGER_FILE, F_OK, 0) < 0 && errno == ENOENT;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		keyring->houses[i].dir = -1;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if ((r = open_house(&keyring->houses[i], dir, repository_name((enum repository)i),
			 keyring->is_new, err)) < 0)
			return r;
	if (keyring->is_new && keyring->houses[REPOSITORY_IMAGE].root_version &&
	    keyring->houses[REPOSITORY_DIRECTOR].root_version)
		return refuse_loss(LEDGER_FILE, err);
	if ((r = keyring_renew(keyring, now, err)) < 0)
		return r;
	*out = MOVE(keyring);
	return 0;
}

void
keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		for (int role = 0; role < ROLE_COUNT; role++)
			key_pair_free(keyring->houses[i].pairs[role]);
		if (keyring->houses[i].dir >= 0)
			close(keyring->houses[i].dir);
	}
	free(keyring);
}

void
keyring_freep(struct keyring **keyring)
{
	keyring_free(*keyring);
}

int
keyring_renew(struct keyring *keyring, int64_t now, struct err *err)
{
	int64_t life = keyring->root_days * DAY_SECONDS;

	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		struct house *house = &keyring->houses[i];
		const char *name = repository_name((enum repository)i);
		int64_t expires;
		int r;

		if ((r = root_expires(house, &expires, err)) < 0)
			return err_context(err, r, "%s", name);
		if (expires - now > life / 4)
			continue;
		if ((r = add_root(house, now + life, err)) < 0)
			return err_context(err, r, "%s", name);
		log_line(LOG_NOTICE, "new root repository=%s version=%d", name, house->root_version);
	}
	return 0;
}

int
keyring_sign(const struct keyring *keyring, enum repository repository, enum role role,
    const json_t *signed_part, char **envelope, size_t *bytes, struct err *err)
{
	return sign(&keyring->houses[repository], role, signed_part, envelope, bytes, err);
}

int
keyring_root_version(const struct keyring *keyring, enum repository repository)
{
	return keyring->houses[repository].root_version;
}

int
keyring_root(const struct keyring *keyring, enum repository repository, int version, char **envelope,
    size_t *bytes, struct err *err)
{
	return read_root(&keyring->houses[repository], version, envelope, bytes, err);
}
