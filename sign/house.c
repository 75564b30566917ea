#include "sign/house.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "sign/canonical.h"
#include "sign/envelope.h"

/* Made anew it would strand every device. */
static int
refuse_loss(const char *name, struct err *err)
{
	return err_set(err, ENOENT, "%s is gone: restore it from the backup", name);
}

/* -- roots -- */

int
house_read_root(const struct house *house, int version, char **envelope, size_t *bytes, struct err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "%d.root.json", version);
	return file_read(house->dir, name, ROOT_BYTES_MAX, envelope, bytes, err);
}

static int
load_newest(struct house *house, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = house_read_root(house, house->root_version, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, "root", &root, err)) < 0)
		return r;
	house->root = json_incref(json_object_get(root, "signed"));
	return house->root ? 0 : err_set(err, EBADMSG, "%d.root.json: has no signed part", house->root_version);
}

static int
load_roots(struct house *house, struct err *err)
{
	char name[32];
	struct stat st;

	for (int version = 1;; version++) {
		snprintf(name, sizeof(name), "%d.root.json", version);
		if (fstatat(house->dir, name, &st, 0) < 0) {
			if (errno != ENOENT)
				return err_sys(err, "%s", name);
			break;
		}
		house->root_version = version;
	}
	return house->root_version ? load_newest(house, err) : 0;
}

/* -- private keys -- */

int
house_find(const struct house *house, const char *public_id)
{
	for (int at = 0; at < house->count; at++)
		if (!strcmp(public_key_id(key_pair_public(house->keys[at].pair)), public_id))
			return at;
	return -1;
}

/* Reads "ROLE-N.key" and "ROLE-N-M.key"; false for other names. */
static bool
parse_name(const char *name, enum role *role, int *version)
{
	for (*role = 0; *role < ROLE_COUNT; ++*role) {
		size_t bytes = strlen(role_name(*role));
		int second, end = 0;

		if (strncmp(name, role_name(*role), bytes))
			continue;
		if (sscanf(name + bytes, "-%9d.key%n", version, &end) == 1 && end && !name[bytes + (size_t)end])
			return *version > 0;
		end = 0;
		if (sscanf(name + bytes, "-%9d-%9d.key%n", version, &second, &end) == 2 && end &&
		    !name[bytes + (size_t)end])
			return *version > 0 && second > 0;
	}
	return false;
}

void
house_hold(struct house *house, const char *file, enum role role, int version, struct key_pair *pair)
{
	int at = house->count++;

	for (; at > 0 && strcmp(public_key_id(key_pair_public(house->keys[at - 1].pair)),
			     public_key_id(key_pair_public(pair))) > 0;
	     at--)
		house->keys[at] = house->keys[at - 1];
	house->keys[at] = (struct house_key){ .pair = pair, .role = role, .version = version };
	snprintf(house->keys[at].file, HOUSE_FILE_SIZE, "%s", file);
}

/* A file that is damaged is a key that is lost: the others have to go on. */
static int
load_key(struct house *house, const char *file, enum role role, int version, struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *pair = NULL;
	int r;

	if (house->count == HOUSE_KEYS_MAX)
		return err_set(err, E2BIG, "has more than %d keys", HOUSE_KEYS_MAX);
	r = key_pair_load(house->dir, file, &pair, err);
	if (r == -EBADMSG) {
		log_line(LOG_ERR, "private key damaged repository=%s reason=\"%s\"",
		    repository_name(house->repository), err->text);
		return 0;
	}
	if (r < 0)
		return r;
	house_hold(house, file, role, version, MOVE(pair));
	return 0;
}

/* ROLE.key, from before a role could have several. */
static int
rename_old(const struct house *house, struct err *err)
{
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		char old[HOUSE_FILE_SIZE], file[HOUSE_FILE_SIZE];

		snprintf(old, sizeof(old), "%s.key", role_name(role));
		snprintf(file, sizeof(file), "%s-1.key", role_name(role));
		if (renameat(house->dir, old, house->dir, file) < 0 && errno != ENOENT)
			return err_sys(err, "%s", old);
	}
	return 0;
}

static int
load_keys(struct house *house, struct err *err)
{
	int fd = openat(house->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		r = err_sys(err, "cannot be listed");
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		enum role role;
		int version;

		if (parse_name(entry->d_name, &role, &version))
			r = load_key(house, entry->d_name, role, version, err);
	}
	return r == 0 && errno ? err_sys(err, "cannot be listed") : r;
}

/* The first free name for a key of @role that comes with root @version; EEXIST when all are taken. */
static int
free_name(
    const struct house *house, enum role role, int version, char file[static HOUSE_FILE_SIZE], struct err *err)
{
	struct stat st;

	for (int i = 1; i <= HOUSE_KEYS_MAX; i++) {
		if (i == 1)
			snprintf(file, HOUSE_FILE_SIZE, "%s-%d.key", role_name(role), version);
		else
			snprintf(file, HOUSE_FILE_SIZE, "%s-%d-%d.key", role_name(role), version, i);
		if (fstatat(house->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : err_sys(err, "%s", file);
	}
	return err_set(err, EEXIST, "%s: there are %d keys already", file, HOUSE_KEYS_MAX);
}

int
house_make_key(struct house *house, enum role role, int version, struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *pair = NULL;
	char file[HOUSE_FILE_SIZE];
	int r;

	if (house->count == HOUSE_KEYS_MAX)
		return err_set(
		    err, E2BIG, "there are %d private keys already, the most that are held", HOUSE_KEYS_MAX);
	if ((r = free_name(house, role, version, file, err)) < 0 || (r = key_pair_new(&pair, err)) < 0 ||
	    (r = key_pair_save(pair, house->dir, file, err)) < 0)
		return r;
	house_hold(house, file, role, version, MOVE(pair));
	return 0;
}

void
house_forget(struct house *house, int at)
{
	key_pair_free(house->keys[at].pair);
	memmove(&house->keys[at], &house->keys[at + 1], (size_t)(--house->count - at) * sizeof(house->keys[0]));
}

int
house_remove_key(struct house *house, int at, struct err *err)
{
	const struct house_key *key = &house->keys[at];

	if (unlinkat(house->dir, key->file, 0) < 0 && errno != ENOENT)
		return err_sys(err, "%s", key->file);
	if (fsync(house->dir) < 0)
		return err_sys(err, "%s: fsync of its folder", key->file);
	log_line(LOG_NOTICE, "private key deleted repository=%s file=%s keyid=%s",
	    repository_name(house->repository), key->file, public_key_id(key_pair_public(key->pair)));
	house_forget(house, at);
	return 0;
}

static bool
is_named(const struct house_key *key)
{
	for (enum role role = 0; role < ROLE_COUNT; role++)
		if (key->ids[role])
			return true;
	return false;
}

int
house_drop_unnamed(struct house *house, struct err *err)
{
	int r = 0;

	for (int at = house->count - 1; at >= 0; at--) {
		const struct house_key *key = &house->keys[at];
		int one =
		    is_named(key) || key->version > house->root_version ? 0 : house_remove_key(house, at, err);

		r = one < 0 ? one : r;
	}
	return r;
}

/* A deletion that a crash cut short after it was noted. */
static int
finish_deletions(struct house *house, struct err *err)
{
	for (int at = house->count - 1; at >= 0; at--) {
		int r = 0;

		if (notes_have(house, "deleted", public_key_id(key_pair_public(house->keys[at].pair))))
			r = house_remove_key(house, at, err);
		if (r < 0)
			return r;
	}
	return house_drop_unnamed(house, err);
}

/* -- which key has which role -- */

/* The ids of @role. A key under two ids has the first one. */
static int
name_role(
    const struct house *house, const json_t *root, enum role role, struct house_names *names, struct err *err)
{
	const json_t *ids = root_keyids(root, role);

	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";
		char public_id[DIGEST_HEX_SIZE];
		int at, r = root_public_id(root, id, public_id, err);

		if (r < 0)
			return r;
		if ((at = house_find(house, public_id)) >= 0 && !names->of[at][role])
			names->of[at][role] = id;
	}
	return 0;
}

int
house_name(const struct house *house, const json_t *root, struct house_names *names, struct err *err)
{
	int r = 0;

	memset(names, 0, sizeof(*names));
	for (enum role role = 0; r == 0 && role < ROLE_COUNT; role++)
		r = name_role(house, root, role, names, err);
	return r;
}

int
house_count(const struct house *house, const struct house_names *names, enum role role)
{
	int count = 0;

	for (int at = 0; at < house->count; at++)
		count += names->of[at][role] != NULL;
	return count;
}

static void
take_names(struct house *house, const struct house_names *names)
{
	for (int at = 0; at < house->count; at++)
		memcpy(house->keys[at].ids, names->of[at], sizeof(house->keys[at].ids));
}

void
house_adopt(struct house *house, json_t *root, const struct house_names *names)
{
	json_decref(house->root);
	house->root = json_incref(root);
	house->root_version++;
	house->is_told = false;
	take_names(house, names);
}

/* Whether the key was made here and not deleted, and is missing. */
static bool
is_lost(const struct house *house, const char *public_id)
{
	return house_find(house, public_id) < 0 && notes_have(house, "made", public_id) &&
	       !notes_have(house, "deleted", public_id);
}

static int
report_key(const struct house *house, const char *keyid, json_t *list, struct err *err)
{
	char public_id[DIGEST_HEX_SIZE];
	const char *where;
	int r = root_public_id(house->root, keyid, public_id, err);

	if (r < 0)
		return r;
	where = house_find(house, public_id) >= 0 ? "here" : is_lost(house, public_id) ? "lost" : "elsewhere";
	return json_array_append_new(list, json_pack("{s:s,s:s}", "keyid", keyid, "where", where)) < 0
		   ? err_set(err, ENOMEM, "no memory for a report")
		   : 0;
}

static int
report_role(const struct house *house, enum role role, json_t *roles, struct err *err)
{
	const json_t *ids = root_keyids(house->root, role);
	AUTO(json_decref_p) json_t *keys = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(ids); i++)
		r = report_key(house, json_string_value(json_array_get(ids, i)) ?: "", keys, err);
	if (r < 0)
		return r;
	return json_object_set_new(roles, role_name(role),
		   json_pack("{s:i,s:O}", "threshold", root_threshold(house->root, role), "keys", keys)) < 0
		   ? err_set(err, ENOMEM, "no memory for a report")
		   : 0;
}

int
house_report(const struct house *house, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *roles = json_object();
	const char *expires = house->root ? json_text(house->root, "expires") : "";
	int r = 0;

	for (enum role role = 0; r == 0 && house->root && role < ROLE_COUNT; role++)
		r = report_role(house, role, roles, err);
	if (r < 0)
		return r;
	*out = json_pack(
	    "{s:i,s:s,s:O}", "version", house->root_version, "expires", expires ?: "", "roles", roles);
	return *out ? 0 : err_set(err, ENOMEM, "no memory for a report");
}

/* Somebody has to be told at each start, in words that lead out. */
static void
tell_lost_of(const struct house *house, enum role role)
{
	const json_t *ids = root_keyids(house->root, role);
	const char *repository = repository_name(house->repository);
	char public_id[DIGEST_HEX_SIZE], command[80];
	struct err ignored;

	snprintf(command, sizeof(command),
	    house_can_sign(house, ROLE_ROOT) == HOUSE_OFFLINE ? "root begin %s --rotate %s DRAFT"
							      : "rotate %s %s",
	    repository, role_name(role));
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";

		if (root_public_id(house->root, id, public_id, &ignored) == 0 && is_lost(house, public_id))
			log_line(LOG_ERR,
			    "private key lost repository=%s role=%s keyid=%s: restore it from the backup, or "
			    "replace it: ota-sign %s",
			    repository, role_name(role), id, command);
	}
}

/* -- opening -- */

static int
open_folder(struct house *house, int dir, const char *name, bool is_new, struct err *err)
{
	if (is_new && mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", name);
	house->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (house->dir < 0)
		return errno == ENOENT ? refuse_loss(name, err) : err_sys(err, "%s", name);
	return 0;
}

/* Roots are noted when they are on disk: a crash in between leaves one more than was noted, never fewer. */
static int
check_roots(struct house *house, struct err *err)
{
	char name[32];

	if (house->root_version >= notes_root(house))
		return notes_set_root(house, house->root_version, err);
	snprintf(name, sizeof(name), "%d.root.json", house->root_version + 1);
	return refuse_loss(name, err);
}

static int
load(struct house *house, struct err *err)
{
	struct house_names names;
	int r;

	if ((r = load_roots(house, err)) < 0 || (r = notes_read(house, err)) < 0 ||
	    (r = check_roots(house, err)) < 0 || (r = rename_old(house, err)) < 0 ||
	    (r = load_keys(house, err)) < 0)
		return r;
	if (!house->root)
		return 0;
	if ((r = house_name(house, house->root, &names, err)) < 0)
		return r;
	take_names(house, &names);
	if ((r = finish_deletions(house, err)) < 0)
		return r;
	for (enum role role = 0; role < ROLE_COUNT; role++)
		tell_lost_of(house, role);
	return 0;
}

int
house_open(struct house *house, int dir, enum repository repository, bool is_new, struct err *err)
{
	const char *name = repository_name(repository);
	int r;

	house->repository = repository;
	if ((r = open_folder(house, dir, name, is_new, err)) < 0)
		return r;
	r = load(house, err);
	return r < 0 ? err_context(err, r, "%s", name) : 0;
}

void
house_done(struct house *house)
{
	for (int at = 0; at < house->count; at++)
		key_pair_free(house->keys[at].pair);
	json_decref(house->root);
	json_decref(house->notes);
	if (house->dir >= 0)
		close(house->dir);
}

/* -- signing -- */

static int
count_signers(const struct house *house, enum role role)
{
	int count = 0;

	for (int at = 0; at < house->count; at++)
		count += house->keys[at].ids[role] != NULL;
	return count;
}

int
house_can_sign(const struct house *house, enum role role)
{
	int threshold = root_threshold(house->root, role);

	return threshold >= 1 && count_signers(house, role) >= threshold ? 0 : HOUSE_OFFLINE;
}

static int
add_signature(const struct key_pair *pair, const char *id, const char *canonical, size_t bytes,
    json_t *signatures, struct err *err)
{
	json_t *signature;
	int r = key_pair_sign(pair, canonical, bytes, &signature, err);

	if (r < 0)
		return r;
	if (json_object_set_new(signature, "keyid", json_string(id)) < 0) {
		json_decref(signature);
		return err_set(err, ENOMEM, "no memory for a signature");
	}
	return json_array_append_new(signatures, signature) < 0
		   ? err_set(err, ENOMEM, "no memory for a signature")
		   : 0;
}

static bool
has_signature(const json_t *signatures, const char *id)
{
	for (size_t i = 0; i < json_array_size(signatures); i++)
		if (!strcmp(json_text(json_array_get(signatures, i), "keyid") ?: "", id))
			return true;
	return false;
}

int
house_sign_as(const struct house *house, const struct house_names *names, enum role role, const char *canonical,
    size_t bytes, json_t *signatures, struct err *err)
{
	int r = 0;

	for (int at = 0; r == 0 && at < house->count; at++) {
		const char *id = names->of[at][role];

		if (id && !has_signature(signatures, id))
			r = add_signature(house->keys[at].pair, id, canonical, bytes, signatures, err);
	}
	return r;
}

static void
present_names(const struct house *house, struct house_names *names)
{
	for (int at = 0; at < house->count; at++)
		memcpy(names->of[at], house->keys[at].ids, sizeof(names->of[at]));
}

static int
need_keys(const struct house *house, enum role role, struct err *err)
{
	if (house_can_sign(house, role) == 0)
		return 0;
	return err_set(err, ENOKEY, "%s: %d.root.json needs %d signatures, keys for %d are here",
	    role_name(role), house->root_version, root_threshold(house->root, role),
	    count_signers(house, role));
}

int
house_sign_text(
    const struct house *house, enum role role, const char *text, size_t bytes, FILE *out, struct err *err)
{
	char signature[KEY_PAIR_TEXT_SIZE];
	const char *comma = "";
	int r = need_keys(house, role, err);

	if (r < 0)
		return r;
	/* An id is of one key, and is 64 hex digits: see root_read(). */
	fputs("{\"signatures\":[", out);
	for (int at = 0; at < house->count; at++) {
		const char *id = house->keys[at].ids[role];

		if (!id)
			continue;
		key_pair_sign_text(house->keys[at].pair, text, bytes, signature);
		fprintf(
		    out, "%s{\"keyid\":\"%s\",\"method\":\"ed25519\",\"sig\":\"%s\"}", comma, id, signature);
		comma = ",";
	}
	fputs("],\"signed\":", out);
	fwrite(text, 1, bytes, out);
	fputs("}", out);
	return 0;
}

int
house_sign(const struct house *house, enum role role, const json_t *signed_part, char **envelope, size_t *bytes,
    struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	AUTO(json_decref_p) json_t *signatures = json_array();
	struct house_names names;
	size_t n;
	int r = need_keys(house, role, err);

	if (r < 0)
		return r;
	present_names(house, &names);
	if ((r = canonical_write(signed_part, &canonical, &n, err)) < 0 ||
	    (r = house_sign_as(house, &names, role, canonical, n, signatures, err)) < 0)
		return r;
	return envelope_write(signed_part, signatures, envelope, bytes, err);
}
