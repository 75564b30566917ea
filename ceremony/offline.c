/* ota-sign init, move-offline: roots of which the keys of root, or of image targets, are in a key folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ceremony/confirm.h"
#include "ceremony/document.h"
#include "ceremony/keys.h"
#include "ceremony/online.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/root.h"

#define DAY_SECONDS 86400

/** Longest path of a folder with targets that wait to be handed in. */
#define PATH_SIZE 4200

/* What goes, where to. */
struct move {
	struct online *online;
	const struct arguments *arguments;
	struct signer_options options;
	enum repository repository;
	bool is_moved[ROLE_COUNT];
	struct signer *signers[ROLE_COUNT]; /* of the moved roles, and of a root that had been moved before */
};

static void
move_done(struct move *move)
{
	for (enum role role = 0; role < ROLE_COUNT; role++)
		signer_free(move->signers[role]);
}

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "no memory");
}

/* -- keys -- */

static void
key_name(enum repository repository, enum role role, char name[static KEYS_NAME_MAX])
{
	snprintf(name, KEYS_NAME_MAX, "%s-%s", repository_name(repository), role_name(role));
}

/* Opens the key of @role in the folder, which an interrupted run may have left, or makes it. */
static int
open_key(struct move *move, enum role role, bool is_made, struct err *err)
{
	char name[KEYS_NAME_MAX];
	int r;

	key_name(move->repository, role, name);
	r = is_made ? signer_new(&move->options, name, &move->signers[role], err) : -EEXIST;
	return r == -EEXIST ? signer_open(&move->options, name, &move->signers[role], err) : r;
}

static int
open_keys(struct move *move, struct err *err)
{
	int r = 0;

	for (enum role role = 0; r == 0 && role < ROLE_COUNT; role++)
		if (move->is_moved[role])
			r = open_key(move, role, true, err);
	return r;
}

static int
want_key(const struct signer *signer, json_t *keys, struct err *err)
{
	json_t *key = public_key_json(signer_public(signer));

	if (json_object_set_new(key, "keyid", json_string(signer_id(signer))) < 0 ||
	    json_array_append_new(keys, key) < 0)
		return no_memory(err);
	return 0;
}

/* What the root is to be; in a preview the keys are not there yet. */
static int
want(const struct move *move, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *roles = json_object();

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		json_t *keys = json_array();
		int r;

		if (!move->is_moved[role]) {
			json_decref(keys);
			continue;
		}
		r = move->signers[role] ? want_key(move->signers[role], keys, err) : 0;
		if (json_object_set_new(roles, role_name(role),
			json_pack("{s:o,s:i,s:i}", "keys", keys, "new", !move->signers[role], "threshold", 1)) <
		    0)
			r = no_memory(err);
		if (r < 0)
			return r;
	}
	*out = MOVE(roles);
	return 0;
}

/* -- signing -- */

/* Adds the signature of @signer for @role of @root, if it is a key of that. */
static int
add_signature(struct signer *signer, const json_t *root, enum role role, const json_t *signed_part,
    json_t *signatures, struct err *err)
{
	const char *id = root_id_of(root, role, public_key_id(signer_public(signer)));
	AUTO(free_p) char *canonical = NULL;
	json_t *signature = NULL;
	size_t bytes;
	int r;

	if (!id)
		return 0;
	if ((r = canonical_write(signed_part, &canonical, &bytes, err)) < 0 ||
	    (r = signer_sign_as(signer, id, canonical, bytes, &signature, err)) < 0)
		return r;
	return json_array_append_new(signatures, signature) < 0 ? no_memory(err) : 0;
}

static int
make_root(struct move *move, const json_t *roles, json_t **next, struct err *err)
{
	AUTO(json_decref_p) json_t *signatures = json_array();
	struct signer *root = move->signers[ROLE_ROOT];
	int r = client_begin(move->online->client, move->repository, roles, NULL, false, next, err);

	if (r < 0 || (root && (r = add_signature(root, *next, ROLE_ROOT, *next, signatures, err)) < 0) ||
	    (r = online_finish(move->online, move->repository, *next, signatures, err)) < 0)
		return err_context(err, r, "%s", repository_name(move->repository));
	printf("%s: root %lld is made\n", repository_name(move->repository),
	    (long long)json_integer_value(json_object_get(*next, "version")));
	return 0;
}

/* -- targets that the new key signs -- */

/* Signed under @root, the newest, or under the one before: only then they are the image repository's, and not
 * what somebody put into ota-watcher's folder. */
static int
check_published(const struct move *move, const json_t *file, const json_t *root, struct err *err)
{
	int version = (int)json_integer_value(json_object_get(root, "version"));
	AUTO(json_decref_p) json_t *before = NULL;
	AUTO(free_p) char *text = NULL;
	struct err first;
	size_t bytes;
	int r = envelope_verify_role(file, root, ROLE_TARGETS, "published targets.json", &first);

	if (r == 0)
		return 0;
	if (version > 1 &&
	    (r = client_root(move->online->client, move->repository, version - 1, &text, &bytes, err)) < 0)
		return r;
	if (text && (r = json_read(text, bytes, "root", &before, err)) < 0)
		return r;
	if (before && envelope_verify_role(file, json_object_get(before, "signed"), ROLE_TARGETS,
			  "published targets.json", err) == 0)
		return 0;
	*err = first;
	return err_context(err, -EBADMSG, "targets are not signed anew");
}

/* The published targets, or empty ones before there were any. */
static int
read_targets(const struct move *move, const json_t *root, json_t **signed_part, struct err *err)
{
	AUTO(json_decref_p) json_t *file = NULL;
	char path[PATH_SIZE];
	int r;

	snprintf(path, sizeof(path), "%s/published/current/targets.json", move->online->config.repository);
	r = document_read(path, &file, NULL, err);
	if (r == 0 && (r = check_published(move, file, root, err)) == 0)
		*signed_part = json_incref(json_object_get(file, "signed"));
	else if (r == -ENOENT)
		*signed_part = json_pack("{s:s,s:{},s:i}", "_type", "Targets", "targets", "version", 0);
	else
		return r;
	return *signed_part ? 0 : no_memory(err);
}

/* What could not be signed anew is better known before there is a root. */
static int
check_targets(const struct move *move, const json_t *root, struct err *err)
{
	AUTO(json_decref_p) json_t *signed_part = NULL;

	return read_targets(move, root, &signed_part, err);
}

/* The same targets as the next version. */
static int
sign_targets(struct move *move, const json_t *root, json_t **out, int *version, struct err *err)
{
	int64_t expires = utc_now() + move->online->config.image_targets_days * DAY_SECONDS;
	AUTO(json_decref_p) json_t *signed_part = NULL;
	AUTO(json_decref_p) json_t *signatures = json_array();
	char text[UTC_TEXT_SIZE];
	int r = read_targets(move, root, &signed_part, err);

	if (r < 0)
		return r;
	utc_format(expires, text);
	*version = (int)json_integer_value(json_object_get(signed_part, "version")) + 1;
	if (json_object_set_new(signed_part, "version", json_integer(*version)) < 0 ||
	    json_object_set_new(signed_part, "expires", json_string(text)) < 0)
		return no_memory(err);
	r = add_signature(move->signers[ROLE_TARGETS], root, ROLE_TARGETS, signed_part, signatures, err);
	if (r < 0)
		return r;
	*out = json_pack("{s:O,s:O}", "signatures", signatures, "signed", signed_part);
	return *out ? 0 : no_memory(err);
}

/* The spool is ota-watcher's: what is written there goes into a folder of our own, whatever becomes of its
 * name.
 */
static int
open_drop(const char *path, int *folder, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	*folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*folder < 0 || fstat(*folder, &st) < 0)
		return err_sys(err, "%s", path);
	return st.st_uid == geteuid()
		   ? 0
		   : err_set(err, EPERM, "%s: is of user %u, not ours; remove it", path, st.st_uid);
}

/* A drop in @folder, whole before it has its name. */
static int
write_drop(const char *folder, const char *name, const json_t *targets, struct err *err)
{
	static const char push[] = "{\"targets\":\"image\"}\n";
	char moving[PATH_SIZE], path[PATH_SIZE];
	AUTO(close_p) int drop = -1;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	snprintf(moving, sizeof(moving), "%s/%s.moving", folder, name);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if ((r = open_drop(moving, &drop, err)) < 0 || (r = canonical_write(targets, &text, &bytes, err)) < 0 ||
	    (r = file_replace(drop, "targets.json", text, bytes, 0644, err)) < 0 ||
	    (r = file_replace(drop, "push.json", push, strlen(push), 0644, err)) < 0)
		return r;
	return rename(moving, path) < 0 ? err_sys(err, "%s", path) : 0;
}

/* Into the spool; or beside the keys when there is none yet. */
static int
hand_in(const struct move *move, const json_t *targets, int version, struct err *err)
{
	const char *spool = move->online->config.spool;
	char incoming[PATH_SIZE], name[64], from[PATH_SIZE], to[PATH_SIZE + 80];
	struct stat st;
	int r;

	snprintf(incoming, sizeof(incoming), "%s/incoming", spool);
	snprintf(name, sizeof(name), "image-targets-%d", version);
	if (stat(incoming, &st) < 0) {
		r = write_drop(move->options.folder, name, targets, err);
		if (r == 0)
			printf("targets %d are signed. When ota-watcher runs: cp -r %s/%s %s/\n", version,
			    move->options.folder, name, incoming);
		return r;
	}
	/* Beside incoming/, so that it comes there in one rename. */
	if ((r = write_drop(spool, name, targets, err)) < 0)
		return r;
	snprintf(from, sizeof(from), "%s/%s", spool, name);
	snprintf(to, sizeof(to), "%s/%s", incoming, name);
	if (rename(from, to) < 0)
		return err_sys(err, "%s", to);
	printf("targets %d%s are signed and handed in: %s/done/%s.receipt.json will tell\n", version,
	    version > 1 ? ", the same ones," : "", spool, name);
	return 0;
}

static int
renew_targets(struct move *move, const json_t *root, struct err *err)
{
	AUTO(json_decref_p) json_t *targets = NULL;
	int version = 0, r;

	if ((r = sign_targets(move, root, &targets, &version, err)) < 0)
		return r;
	return hand_in(move, targets, version, err);
}

static void
tell_folder(const struct move *move)
{
	printf("The keys are in %s, encrypted. Copy it to media that are kept apart from this machine and from "
	       "each\n"
	       "other, see that they can be read there, and remove it here.\n",
	    move->options.folder);
}

/* When what is signed elsewhere has to be signed again. */
static void
tell_expiry(const struct move *move, const json_t *next)
{
	const char *name = repository_name(move->repository);

	if (move->is_moved[ROLE_ROOT])
		printf("The root of %s expires %s. Renew it before: ota-sign root begin %s DRAFT\n", name,
		    json_text(next, "expires"), name);
	if (move->is_moved[ROLE_TARGETS])
		printf("Targets live %lld days, then they have to be signed anew: ota-sign targets, see "
		       "ota-sign(1)\n",
		    (long long)move->online->config.image_targets_days);
}

/* -- init -- */

static int
init_repository(
    struct online *online, const struct arguments *arguments, enum repository repository, struct err *err)
{
	const char *folder = arguments_text(arguments, "to");
	AUTO(move_done)
	struct move move = { .online = online,
		.arguments = arguments,
		.options = { folder, arguments_text(arguments, "passphrase-file") },
		.repository = repository,
		.is_moved[ROLE_ROOT] = folder != NULL,
		.is_moved[ROLE_TARGETS] =
		    repository == REPOSITORY_IMAGE && arguments_text(arguments, "offline-targets") };
	AUTO(json_decref_p) json_t *roles = NULL;
	AUTO(json_decref_p) json_t *next = NULL;
	int r;

	if ((r = open_keys(&move, err)) < 0 || (r = want(&move, &roles, err)) < 0 ||
	    (r = make_root(&move, roles, &next, err)) < 0)
		return r;
	if (move.is_moved[ROLE_TARGETS] && (r = renew_targets(&move, next, err)) < 0)
		return r;
	tell_expiry(&move, next);
	if (repository == REPOSITORY_COUNT - 1 && folder)
		tell_folder(&move);
	return 0;
}

/* A crash may have left the first of the two: then the second is made. */
static int
check_new(struct online *online, bool has_root[static REPOSITORY_COUNT], struct err *err)
{
	int count = 0;

	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		AUTO(present_done) struct present present = { 0 };
		int r = present_read(online, (enum repository)i, false, &present, err);

		if (r < 0)
			return r;
		has_root[i] = present.version > 0;
		count += present.version > 0;
	}
	return count < REPOSITORY_COUNT
		   ? 0
		   : err_set(err, EEXIST, "both repositories have roots: nothing is made; see ota-sign status");
}

int
init_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "online", "to=", "offline-targets",
		"passphrase-file=", NULL };
	AUTO(online_done) struct online online = { 0 };
	bool has_root[REPOSITORY_COUNT];
	struct arguments arguments;
	int r;

	if ((r = online_open(argc, argv, names, 0, 0, &arguments, &online, err)) < 0)
		return r;
	if (!arguments_text(&arguments, "online") == !arguments_text(&arguments, "to"))
		return err_set(err, EINVAL,
		    "init: where are the keys of root to be? --to DIR: in DIR, encrypted, to be kept "
		    "elsewhere; "
		    "--online: with ota-signd");
	if (arguments_text(&arguments, "offline-targets") && !arguments_text(&arguments, "to"))
		return err_set(err, EINVAL, "init: --offline-targets needs --to DIR");
	if ((r = check_new(&online, has_root, err)) < 0)
		return r;
	for (int i = 0; r == 0 && i < REPOSITORY_COUNT; i++)
		if (!has_root[i])
			r = init_repository(&online, &arguments, (enum repository)i, err);
	return r;
}

/* -- move-offline -- */

/* Which roles: root when none is named. */
static int
read_roles(struct move *move, struct err *err)
{
	const struct arguments *arguments = move->arguments;

	if (arguments->word_count == 1)
		move->is_moved[ROLE_ROOT] = true;
	for (size_t i = 1; i < arguments->word_count; i++) {
		enum role role;
		int r = online_role(arguments->words[i], &role, err);

		if (r < 0)
			return r;
		if (role != ROLE_ROOT && (role != ROLE_TARGETS || move->repository != REPOSITORY_IMAGE))
			return err_set(err, EINVAL,
			    "%s of the %s repository is signed all the time: its keys stay with ota-signd",
			    role_name(role), repository_name(move->repository));
		move->is_moved[role] = true;
	}
	return 0;
}

/* Whether the newest root has the role's keys elsewhere already: an interrupted run, or a mistake. */
static bool
is_away(const struct present *present, enum role role)
{
	return !present_count(present, role, "here") && !present_count(present, role, "lost");
}

/* A root that went before signs with its key in the folder, if that is enough. */
static int
need_root_key(struct move *move, const struct present *present, struct err *err)
{
	char name[KEYS_NAME_MAX], way_out[160];
	int r;

	if (present_has_root_keys(present) || !is_away(present, ROLE_ROOT))
		return present_need_root_keys(present, NULL, err);
	key_name(move->repository, ROLE_ROOT, name);
	snprintf(way_out, sizeof(way_out),
	    "let their holders sign it: ota-sign root begin %s --remove-key targets=ID --add-key "
	    "targets=NEW.pub DRAFT",
	    repository_name(move->repository));
	if (root_threshold(present->root, ROLE_ROOT) > 1)
		return err_set(err, ENOKEY, "the keys of root are elsewhere, and %d have to sign: %s",
		    root_threshold(present->root, ROLE_ROOT), way_out);
	if (arguments_text(move->arguments, "preview"))
		return 0;
	if ((r = open_key(move, ROLE_ROOT, false, err)) < 0)
		return r == -ENOENT
			   ? err_set(err, ENOKEY, "the keys of root are elsewhere, and %s is not in %s: %s",
				 name, move->options.folder, way_out)
			   : r;
	return root_id_of(present->root, ROLE_ROOT, public_key_id(signer_public(move->signers[ROLE_ROOT])))
		   ? 0
		   : err_set(err, ENOKEY, "the key of root in %s is not that of the newest root: %s",
			 move->options.folder, way_out);
}

static int
preview(const struct move *move, const struct present *present, struct err *err)
{
	AUTO(json_decref_p) json_t *roles = NULL;
	AUTO(json_decref_p) json_t *shown = NULL;
	int r;

	if ((r = want(move, &roles, err)) < 0 ||
	    (r = client_begin(move->online->client, move->repository, roles, NULL, true, &shown, err)) < 0)
		return r;
	online_show(present, move->repository == REPOSITORY_IMAGE && move->is_moved[ROLE_TARGETS], shown);
	printf("The new keys are made in %s, encrypted; those that ota-signd has are deleted.\n",
	    move->options.folder);
	if (move->is_moved[ROLE_TARGETS])
		printf("The published targets are signed anew with the new key, as the next version. From then "
		       "on\n"
		       "releases are added where that key is.\n");
	fflush(stdout);
	return 0;
}

/* Whether the keys that the newest root gives to targets signed those that are published. */
static bool
is_caught_up(const struct move *move, const struct present *present)
{
	AUTO(json_decref_p) json_t *file = NULL;
	char path[PATH_SIZE];
	struct err err;

	snprintf(path, sizeof(path), "%s/published/current/targets.json", move->online->config.repository);
	return document_read(path, &file, NULL, &err) == 0 &&
	       envelope_verify_role(file, present->root, ROLE_TARGETS, "targets.json", &err) == 0;
}

/* The root went through, the targets did not: only these are left to do. */
static int
catch_up(struct move *move, const struct present *present, struct err *err)
{
	int r;

	if (is_caught_up(move, present))
		return err_set(
		    err, EEXIST, "the keys of targets are elsewhere already, and signed what is published");
	if (arguments_text(move->arguments, "preview")) {
		printf("The keys of targets are elsewhere already; with the one in %s the published targets "
		       "are signed\n"
		       "anew, as the next version.\n\nThis was a preview: nothing is changed.\n",
		    move->options.folder);
		return 0;
	}
	if ((r = open_key(move, ROLE_TARGETS, false, err)) < 0)
		return r;
	if (!root_id_of(present->root, ROLE_TARGETS, public_key_id(signer_public(move->signers[ROLE_TARGETS]))))
		return err_set(err, EEXIST, "the keys of targets are elsewhere already, and not in %s",
		    move->options.folder);
	printf("The keys of targets are in %s already.\n", move->options.folder);
	return renew_targets(move, present->root, err);
}

static int
carry_out(struct move *move, struct err *err)
{
	AUTO(json_decref_p) json_t *roles = NULL;
	AUTO(json_decref_p) json_t *next = NULL;
	int r;

	if ((r = open_keys(move, err)) < 0 || (r = want(move, &roles, err)) < 0 ||
	    (r = make_root(move, roles, &next, err)) < 0)
		return r;
	if (move->is_moved[ROLE_TARGETS] && (r = renew_targets(move, next, err)) < 0)
		return r;
	tell_folder(move);
	tell_expiry(move, next);
	return 0;
}

static int
move_roles(struct move *move, struct err *err)
{
	AUTO(present_done) struct present present = { 0 };
	int r;

	if ((r = present_read(move->online, move->repository, true, &present, err)) < 0)
		return r;
	if (move->is_moved[ROLE_TARGETS] && is_away(&present, ROLE_TARGETS))
		return catch_up(move, &present, err);
	if (move->is_moved[ROLE_TARGETS] && (r = check_targets(move, present.root, err)) < 0)
		return r;
	if (move->is_moved[ROLE_ROOT] && is_away(&present, ROLE_ROOT))
		return err_set(err, EEXIST, "the keys of root are elsewhere already");
	/* Before anything is shown, asked for or made. */
	r = move->is_moved[ROLE_ROOT] ? present_need_root_keys(&present, NULL, err)
				      : need_root_key(move, &present, err);
	if (r < 0 || (r = preview(move, &present, err)) < 0)
		return r;
	if (arguments_text(move->arguments, "preview")) {
		printf("\nThis was a preview: nothing is changed.\n");
		return 0;
	}
	if (!arguments_text(move->arguments, "yes") && (r = confirm("Move these keys?", err)) < 0)
		return r;
	return carry_out(move, err);
}

int
move_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "to=", "passphrase-file=", "preview", "yes", NULL };
	AUTO(online_done) struct online online = { 0 };
	struct arguments arguments;
	AUTO(move_done) struct move move = { .online = &online, .arguments = &arguments };
	int r;

	if ((r = online_open(argc, argv, names, 1, 3, &arguments, &online, err)) < 0 ||
	    (r = online_repository(arguments.words[0], &move.repository, err)) < 0 ||
	    (r = arguments_need(&arguments, "to", &move.options.folder, err)) < 0 ||
	    (r = read_roles(&move, err)) < 0)
		return r;
	move.options.passphrase_file = arguments_text(&arguments, "passphrase-file");
	return move_roles(&move, err);
}
