#include "sign/draft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/name.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/root.h"

#define CURRENT_FILE "current.json"
#define NEXT_FILE "next.json"
#define SIGNATURES_FOLDER "signatures"
#define README_FILE "README.txt"

/** {"repository","role","version"} has 60 bytes. */
#define HEAD_BYTES_MAX 1024
/** The signature of an RSA-4096 key has 684 characters. */
#define SIGNATURE_BYTES_MAX 4096
/** What one adds to the root at most: with its key id and its members' names. */
#define SIGNATURE_ROOM (684 + 64 + 64)
/** "signatures/", 64 digits and ".json". */
#define SIGNATURE_NAME_SIZE 96
/** More than signatures and what file managers leave beside them. */
#define ENTRIES_MAX (4 * ENVELOPE_SIGNATURES_MAX)

static const char readme[] =
    "This folder is the draft of root version %d of the %s repository. A root says which keys\n"
    "every device believes, so a root is signed by people who hold keys, one after the other.\n"
    "Nothing in here is secret. The folder may go from one to the next on a USB stick.\n"
    "\n"
    "If you hold a root key, on a machine that you trust and that has no network:\n"
    "\n"
    "  1. ota-sign root show FOLDER              Read what would change. Ask whoever gave you this\n"
    "                                            folder why, by another way than this folder.\n"
    "  2. ota-sign root sign FOLDER --key NAME   Shows it again, asks, and adds one small file to\n"
    "                                            FOLDER/signatures.\n"
    "  3. Give the folder to the next key holder, or back to the administrator.\n"
    "\n"
    "FOLDER is the folder that this file is in; NAME is your key in ~/.ota-sign, or the pkcs11: URI\n"
    "of a token. Do not change any file by hand: after the first signature, every change makes the\n"
    "signatures void, and ota-sign says so.\n"
    "\n"
    "The administrator, when \"root show\" says that enough have signed, on the server:\n"
    "\n"
    "     cp -r FOLDER .../spool/incoming/       or     ota-sign root finish FOLDER\n"
    "\n"
    "See ota-sign(1).\n";

void
draft_done(struct draft *draft)
{
	json_decref(draft->current);
	json_decref(draft->next);
	json_decref(draft->signatures);
	*draft = (struct draft){ 0 };
}

/* -- what has to be true -- */

static const json_t *
current_root(const struct draft *draft)
{
	return json_object_get(draft->current, "signed");
}

/* The form of one signature, apart from the keys. */
static int
check_form(const json_t *signature, const char *what, struct err *err)
{
	const char *text;
	int r;

	if ((r = json_need_text(signature, "keyid", what, &text, err)) < 0 ||
	    (r = json_need_text(signature, "method", what, &text, err)) < 0 ||
	    (r = json_need_text(signature, "sig", what, &text, err)) < 0)
		return r;
	if (json_object_size(signature) != 3)
		return err_set(err, EBADMSG, "%s: has more members than keyid, method and sig", what);
	return 0;
}

/* Whether @root gives its root role to @keyid. */
static bool
is_root_key(const json_t *root, const char *keyid)
{
	const json_t *ids = root_keyids(root, ROLE_ROOT);

	for (size_t i = 0; i < json_array_size(ids); i++)
		if (!strcmp(json_string_value(json_array_get(ids, i)) ?: "", keyid))
			return true;
	return false;
}

static int
check_signature(const struct draft *draft, const json_t *signature, const char *canonical, const char *what,
    struct err *err)
{
	const char *keyid = json_text(signature, "keyid");
	const json_t *root = is_root_key(draft->next, keyid) ? draft->next : current_root(draft);
	AUTO(public_key_freep) struct public_key *key = NULL;
	int r;

	if (!is_root_key(root, keyid))
		return err_set(err, EBADMSG,
		    "%s: key %.64s is no root key, neither of the current root nor of the next", what, keyid);
	if ((r = public_key_read(json_object_get(json_object_get(root, "keys"), keyid), what, &key, err)) < 0)
		return r;
	r = public_key_verify(key, json_text(signature, "method"), json_text(signature, "sig"), canonical,
	    strlen(canonical), err);
	if (r == -EBADMSG)
		return err_context(err, r,
		    "%s: TUF 1.0, 5.3: is no good signature of " NEXT_FILE
		    ", which was changed after it was signed, or the signature was; take it out and sign again",
		    what);
	return r;
}

static int
check_id(const char *id, const json_t *next, const json_t *current, struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL, *before = NULL;
	int r;

	if ((r = public_key_read(next, NEXT_FILE, &key, err)) < 0 ||
	    (r = public_key_read(current, CURRENT_FILE, &before, err)) < 0)
		return r;
	if (strcmp(public_key_id(key), public_key_id(before)) != 0)
		return err_set(err, EBADMSG,
		    "draft: key id %.64s is another key in the next root than in the current one", id);
	return 0;
}

/* Signatures are told apart by key ids, so one id is one key. */
static int
check_ids(const struct draft *draft, struct err *err)
{
	json_t *keys = json_object_get(draft->next, "keys"), *key;
	const char *id;
	int r;

	json_object_foreach(keys, id, key)
	{
		const json_t *current = json_object_get(json_object_get(current_root(draft), "keys"), id);

		if (current && (r = check_id(id, key, current, err)) < 0)
			return r;
	}
	return 0;
}

/* Devices read so many bytes of a root: there has to be room for everybody who may sign. */
static int
check_room(const struct draft *draft, size_t bytes, struct err *err)
{
	size_t signers = json_array_size(root_keyids(current_root(draft), ROLE_ROOT)) +
			 json_array_size(root_keyids(draft->next, ROLE_ROOT));

	if (bytes + signers * SIGNATURE_ROOM > ROOT_BYTES_MAX)
		return err_set(err, EBADMSG,
		    "draft: role root: with the signatures of %zu keys the root could have %zu bytes, devices "
		    "read %d",
		    signers, bytes + signers * SIGNATURE_ROOM, ROOT_BYTES_MAX);
	return 0;
}

static int
check_next(const struct draft *draft, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r, version;

	if ((r = draft_assemble(draft, &text, &bytes, err)) < 0 ||
	    (r = root_read(text, bytes, now, &root, err)) < 0 ||
	    (r = envelope_version(draft->next, NEXT_FILE, &version, err)) < 0)
		return r == -ENOMEM ? r : err_context(err, r, NEXT_FILE);
	if (version != draft->version)
		return err_set(err, EBADMSG, NEXT_FILE ": has version %d, " DRAFT_FILE " says %d", version,
		    draft->version);
	return check_room(draft, bytes, err);
}

static int
check_current(const struct draft *draft, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r, version;

	if (!draft->current)
		return draft->version == 1 ? 0
					   : err_set(err, EBADMSG,
						 "draft: has no " CURRENT_FILE
						 ", which only the draft of version 1 may lack, and this is %d",
						 draft->version);
	/* It may have expired: that is a reason for the next one. */
	if ((r = canonical_write(draft->current, &text, &bytes, err)) < 0 ||
	    (r = root_read(text, bytes, INT64_MIN, &root, err)) < 0 ||
	    (r = envelope_verify_role(draft->current, current_root(draft), ROLE_ROOT, "root", err)) < 0 ||
	    (r = envelope_version(current_root(draft), "root", &version, err)) < 0)
		return r == -ENOMEM ? r : err_context(err, r, CURRENT_FILE);
	if (draft->version - 1 != version)
		return err_set(err, EBADMSG,
		    "draft: TUF 1.0, 5.3: version of the next root is %d, after version %d it has to be %lld",
		    draft->version, version, version + 1LL);
	return 0;
}

static int
check(const struct draft *draft, int64_t now, struct err *err)
{
	int r = check_current(draft, err);

	if (r == 0)
		r = check_next(draft, now, err);
	return r < 0 ? r : check_ids(draft, err);
}

/* -- reading -- */

static int
open_folder(int dir, const char *name, int *out, struct err *err)
{
	*out = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? err_sys(err, "%s", name) : 0;
}

static int
read_json(int folder, const char *file, size_t max, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read_plain(folder, file, max, &text, &bytes, err);

	return r < 0 ? r : json_read(text, bytes, file, out, err);
}

static int
read_head(int folder, struct draft *draft, struct err *err)
{
	AUTO(json_decref_p) json_t *head = NULL;
	const char *repository, *role;
	int r;

	if ((r = read_json(folder, DRAFT_FILE, HEAD_BYTES_MAX, &head, err)) < 0 ||
	    (r = json_need_text(head, "repository", DRAFT_FILE, &repository, err)) < 0 ||
	    (r = json_need_text(head, "role", DRAFT_FILE, &role, err)) < 0 ||
	    (r = envelope_version(head, DRAFT_FILE, &draft->version, err)) < 0)
		return r;
	if (repository_of(repository) < 0)
		return err_set(err, EBADMSG, DRAFT_FILE ": repository is neither image nor director");
	if (role_of(role) != ROLE_ROOT)
		return err_set(err, EBADMSG, DRAFT_FILE ": role is not root");
	draft->repository = (enum repository)repository_of(repository);
	return 0;
}

static int
read_roots(int folder, struct draft *draft, struct err *err)
{
	int r = read_json(folder, NEXT_FILE, ROOT_BYTES_MAX, &draft->next, err);

	if (r < 0)
		return r == -ENOENT ? err_set(err, EBADMSG, "draft: has no " NEXT_FILE) : r;
	r = read_json(folder, CURRENT_FILE, ROOT_BYTES_MAX, &draft->current, err);
	return r == -ENOENT ? 0 : r;
}

/* In the order of key ids, so that the same signatures always make the same file. */
static int
keep_signature(const struct draft *draft, json_t *signature, struct err *err)
{
	const char *id = json_text(signature, "keyid");
	size_t at = 0, count = json_array_size(draft->signatures);

	if (count == ENVELOPE_SIGNATURES_MAX)
		return err_set(err, EBADMSG, "draft: has more than %d signatures", ENVELOPE_SIGNATURES_MAX);
	while (at < count && strcmp(json_text(json_array_get(draft->signatures, at), "keyid"), id) < 0)
		at++;
	return json_array_insert(draft->signatures, at, signature) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

static int
read_signature(int folder, const char *file, const struct draft *draft, const char *canonical, struct err *err)
{
	AUTO(json_decref_p) json_t *signature = NULL;
	char what[SIGNATURE_NAME_SIZE], shown[SIGNATURE_NAME_SIZE - sizeof(SIGNATURES_FOLDER)];
	size_t bytes = strlen(file);
	int r;

	name_printable(file, shown, sizeof(shown));
	snprintf(what, sizeof(what), SIGNATURES_FOLDER "/%s", shown);
	if (bytes != 64 + strlen(".json") || strcmp(file + 64, ".json"))
		return err_set(err, EBADMSG, "%s: is no signature, KEYID.json; take it out", what);
	if ((r = read_json(folder, file, SIGNATURE_BYTES_MAX, &signature, err)) < 0)
		return err_context(err, r, SIGNATURES_FOLDER);
	if ((r = check_form(signature, what, err)) < 0)
		return r;
	if (strncmp(json_text(signature, "keyid"), file, 64) || strlen(json_text(signature, "keyid")) != 64)
		return err_set(err, EBADMSG, "%s: is of another key id than its name says", what);
	if ((r = check_signature(draft, signature, canonical, what, err)) < 0)
		return r;
	return keep_signature(draft, signature, err);
}

static int
read_signatures(DIR *folder, const struct draft *draft, const char *canonical, struct err *err)
{
	const struct dirent *entry;
	int r = 0;

	for (int count = 0; r == 0; count++) {
		errno = 0;
		if (!(entry = readdir(folder)))
			return errno ? err_sys(err, SIGNATURES_FOLDER) : 0;
		if (count == ENTRIES_MAX)
			return err_set(err, EBADMSG, SIGNATURES_FOLDER ": has more than %d files", ENTRIES_MAX);
		if (*entry->d_name != '.')
			r = read_signature(dirfd(folder), entry->d_name, draft, canonical, err);
	}
	return r;
}

/* No folder is as good as an empty one, which some ways of copying leave out. */
static int
open_signatures(int folder, DIR **out, struct err *err)
{
	AUTO(close_p) int fd = -1;
	int r = open_folder(folder, SIGNATURES_FOLDER, &fd, err);

	*out = NULL;
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!(*out = fdopendir(fd)))
		return err_sys(err, SIGNATURES_FOLDER);
	fd = -1;
	return 0;
}

static int
read_all(int folder, int64_t now, struct draft *draft, struct err *err)
{
	AUTO(closedir_p) DIR *signatures = NULL;
	AUTO(free_p) char *canonical = NULL;
	int r;

	if ((r = read_head(folder, draft, err)) < 0 || (r = read_roots(folder, draft, err)) < 0 ||
	    (r = check(draft, now, err)) < 0 || (r = canonical_write(draft->next, &canonical, NULL, err)) < 0 ||
	    (r = open_signatures(folder, &signatures, err)) < 0)
		return r;
	return signatures ? read_signatures(signatures, draft, canonical, err) : 0;
}

int
draft_read(int dir, const char *name, int64_t now, struct draft *out, struct err *err)
{
	AUTO(draft_done) struct draft draft = { .signatures = json_array() };
	AUTO(close_p) int folder = -1;
	int r = draft.signatures ? open_folder(dir, name, &folder, err) : err_set(err, ENOMEM, "no memory");

	if (r < 0)
		return r;
	if ((r = read_all(folder, now, &draft, err)) < 0)
		return err_context(err, r, "%.128s", name);
	*out = draft;
	draft = (struct draft){ 0 };
	return 0;
}

/* -- writing -- */

int
draft_assemble(const struct draft *draft, char **out, size_t *bytes, struct err *err)
{
	return envelope_write(draft->next, draft->signatures, out, bytes, err);
}

static int
write_json(int folder, const char *file, const json_t *json, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = canonical_write(json, &text, &bytes, err);

	return r < 0 ? r : file_replace(folder, file, text, bytes, 0644, err);
}

static int
write_signature(int folder, const json_t *signature, struct err *err)
{
	AUTO(close_p) int signatures = -1;
	char file[SIGNATURE_NAME_SIZE];
	int r = open_folder(folder, SIGNATURES_FOLDER, &signatures, err);

	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%.64s.json", json_text(signature, "keyid"));
	return write_json(signatures, file, signature, err);
}

static int
write_readme(int folder, const struct draft *draft, struct err *err)
{
	char text[sizeof(readme) + 64];
	int bytes = snprintf(text, sizeof(text), readme, draft->version, repository_name(draft->repository));

	return file_replace(folder, README_FILE, text, (size_t)bytes, 0644, err);
}

/* Last, since it makes the folder a draft. */
static int
write_head(int folder, const struct draft *draft, struct err *err)
{
	AUTO(json_decref_p)
	json_t *head = json_pack("{s:s,s:s,s:i}", "repository", repository_name(draft->repository), "role",
	    role_name(ROLE_ROOT), "version", draft->version);

	return head ? write_json(folder, DRAFT_FILE, head, err) : err_set(err, ENOMEM, "no memory");
}

static int
fill(int folder, const struct draft *draft, struct err *err)
{
	int r = 0;

	if (mkdirat(folder, SIGNATURES_FOLDER, 0755) < 0)
		return err_sys(err, SIGNATURES_FOLDER);
	if (draft->current)
		r = write_json(folder, CURRENT_FILE, draft->current, err);
	if (r == 0)
		r = write_json(folder, NEXT_FILE, draft->next, err);
	for (size_t i = 0; r == 0 && i < json_array_size(draft->signatures); i++)
		r = write_signature(folder, json_array_get(draft->signatures, i), err);
	if (r == 0)
		r = write_readme(folder, draft, err);
	return r == 0 ? write_head(folder, draft, err) : r;
}

static void
remove_draft(int dir, const char *name, int folder, const struct draft *draft)
{
	static const char *const files[] = { DRAFT_FILE, README_FILE, NEXT_FILE, CURRENT_FILE };
	char file[SIGNATURE_NAME_SIZE];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(folder, files[i], 0);
	for (size_t i = 0; i < json_array_size(draft->signatures); i++) {
		snprintf(file, sizeof(file), SIGNATURES_FOLDER "/%.64s.json",
		    json_text(json_array_get(draft->signatures, i), "keyid"));
		unlinkat(folder, file, 0);
	}
	unlinkat(folder, SIGNATURES_FOLDER, AT_REMOVEDIR);
	unlinkat(dir, name, AT_REMOVEDIR);
}

/* What is going to be written has to be readable again. */
static int
check_all(const struct draft *draft, int64_t now, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	int r = check(draft, now, err);

	if (r == 0)
		r = canonical_write(draft->next, &canonical, NULL, err);
	for (size_t i = 0; r == 0 && i < json_array_size(draft->signatures); i++) {
		const json_t *signature = json_array_get(draft->signatures, i);

		if ((r = check_form(signature, "signature", err)) == 0)
			r = check_signature(draft, signature, canonical, "signature", err);
	}
	return r;
}

int
draft_write(int dir, const char *name, const struct draft *draft, int64_t now, struct err *err)
{
	AUTO(close_p) int folder = -1;
	int r = check_all(draft, now, err);

	if (r < 0)
		return r;
	if (mkdirat(dir, name, 0755) < 0)
		return err_sys(err, "%s", name);
	if ((r = open_folder(dir, name, &folder, err)) == 0 && (r = fill(folder, draft, err)) < 0)
		remove_draft(dir, name, folder, draft);
	else if (r < 0)
		unlinkat(dir, name, AT_REMOVEDIR);
	return r < 0 ? err_context(err, r, "%.128s", name) : 0;
}

/* -- signing -- */

/* Whether a root key of @root that is the same as that of @keyid comes before the place @before in its list. */
static bool
is_counted(const json_t *root, const json_t *ids, size_t before, const struct draft *draft)
{
	char key[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE];

	if (!root_resolve(root, json_string_value(json_array_get(ids, before)), key))
		return true;
	for (size_t i = 0; i < before; i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (draft_has_signed(draft, id) && root_resolve(root, id, other) && !strcmp(key, other))
			return true;
	}
	return false;
}

bool
draft_has_signed(const struct draft *draft, const char *keyid)
{
	for (size_t i = 0; i < json_array_size(draft->signatures); i++)
		if (!strcmp(json_text(json_array_get(draft->signatures, i), "keyid"), keyid))
			return true;
	return false;
}

int
draft_count(const struct draft *draft, const json_t *root)
{
	const json_t *ids = root_keyids(root, ROLE_ROOT);
	int count = 0;

	for (size_t i = 0; i < json_array_size(ids); i++)
		count += draft_has_signed(draft, json_string_value(json_array_get(ids, i))) &&
			 !is_counted(root, ids, i, draft);
	return count;
}

static int
add_signature(struct draft *draft, int folder, const json_t *signature, struct err *err)
{
	const char *id = json_text(signature, "keyid");
	AUTO(json_decref_p) json_t *copy = json_deep_copy(signature);
	AUTO(free_p) char *canonical = NULL;
	int r = copy ? check_form(copy, "signature", err) : err_set(err, ENOMEM, "no memory");

	if (r < 0 || (r = canonical_write(draft->next, &canonical, NULL, err)) < 0 ||
	    (r = check_signature(draft, copy, canonical, "signature", err)) < 0)
		return r;
	if (draft_has_signed(draft, id))
		return err_set(err, EEXIST, "key %s has signed already", id);
	if (mkdirat(folder, SIGNATURES_FOLDER, 0755) < 0 && errno != EEXIST)
		return err_sys(err, SIGNATURES_FOLDER);
	r = write_signature(folder, copy, err);
	return r == 0 ? keep_signature(draft, copy, err) : r;
}

int
draft_add_signature(struct draft *draft, int dir, const char *name, const json_t *signature, struct err *err)
{
	AUTO(close_p) int folder = -1;
	int r = open_folder(dir, name, &folder, err);

	if (r < 0)
		return r;
	r = add_signature(draft, folder, signature, err);
	return r < 0 ? err_context(err, r, "%.128s", name) : 0;
}

int
draft_change(struct draft *draft, int dir, const char *name, const json_t *next, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *copy = json_deep_copy(next);
	struct draft changed = { draft->repository, draft->version, draft->current, copy, draft->signatures };
	AUTO(close_p) int folder = -1;
	int r;

	if (!copy)
		return err_set(err, ENOMEM, "no memory");
	if (json_array_size(draft->signatures) > 0)
		return err_set(err, EPERM,
		    "%.128s: key %.64s has signed it already; a change would make that void. Begin a new draft",
		    name, json_text(json_array_get(draft->signatures, 0), "keyid"));
	if ((r = check(&changed, now, err)) < 0 || (r = open_folder(dir, name, &folder, err)) < 0 ||
	    (r = write_json(folder, NEXT_FILE, copy, err)) < 0)
		return r;
	json_decref(draft->next);
	draft->next = MOVE(copy);
	return 0;
}
