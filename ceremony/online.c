/* ota-sign on ota-signd's machine: what its commands share, and its state. */
#include "ceremony/online.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/change.h"
#include "ceremony/command.h"
#include "ceremony/confirm.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/program.h"
#include "lib/utc.h"
#include "sign/envelope.h"
#include "sign/root.h"

int
online_open(int argc, char **argv, const char *const *names, size_t least, size_t most,
    struct arguments *arguments, struct online *online, struct err *err)
{
	const char *path;
	int r;

	if ((r = arguments_parse(argc, argv, names, least, most, arguments, err)) < 0)
		return r;
	path = arguments_text(arguments, "config");
	if ((r = config_read(path ? path : PROGRAM_CONFIG, &online->config, err)) < 0)
		return r;
	online->client = client_new(online->config.sign_socket);
	return online->client ? 0 : err_set(err, ENOMEM, "no memory");
}

void
online_done(struct online *online)
{
	client_free(online->client);
}

int
online_repository(const char *name, enum repository *repository, struct err *err)
{
	int number = repository_of(name);

	if (number < 0)
		return err_set(err, EINVAL, "\"%.32s\" is no repository: image or director", name);
	*repository = (enum repository)number;
	return 0;
}

int
online_role(const char *name, enum role *role, struct err *err)
{
	int number = role_of(name);

	if (number < 0)
		return err_set(err, EINVAL, "\"%.32s\" is no role: root, targets, snapshot or timestamp", name);
	*role = (enum role)number;
	return 0;
}

/* -- what there is -- */

static int
read_root(struct online *online, struct present *present, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = client_root(online->client, present->repository, present->version, &text, &bytes, err);

	if (r == CLIENT_NO_ROOT)
		return err_set(err, EBADMSG, "ota-signd has no root %d", present->version);
	if (r < 0 || (r = json_read(text, bytes, "root", &present->file, err)) < 0)
		return r;
	present->root = json_object_get(present->file, "signed");
	return 0;
}

int
present_read(
    struct online *online, enum repository repository, bool needs_root, struct present *out, struct err *err)
{
	int r;

	*out = (struct present){ .repository = repository };
	if ((r = client_keys(online->client, repository, &out->keys, err)) < 0)
		return r;
	out->version = (int)json_integer_value(json_object_get(out->keys, "version"));
	if (out->version)
		return read_root(online, out, err);
	return needs_root ? err_set(err, ENOENT, "the %s repository has no root yet: ota-sign init makes it",
				repository_name(repository))
			  : 0;
}

void
present_done(struct present *present)
{
	json_decref(present->keys);
	json_decref(present->file);
}

static const json_t *
keys_of(const struct present *present, enum role role)
{
	return json_object_get(
	    json_object_get(json_object_get(present->keys, "roles"), role_name(role)), "keys");
}

int
present_count(const struct present *present, enum role role, const char *where)
{
	const json_t *keys = keys_of(present, role);
	int count = 0;

	for (size_t i = 0; i < json_array_size(keys); i++)
		count += !strcmp(json_text(json_array_get(keys, i), "where") ?: "", where);
	return count;
}

bool
present_has_root_keys(const struct present *present)
{
	return present_count(present, ROLE_ROOT, "here") >= root_threshold(present->root, ROLE_ROOT);
}

/* "--rotate snapshot --rotate timestamp" */
static void
write_options(const json_t *roles, char text[static 96])
{
	size_t used = 0;

	*text = '\0';
	for (enum role role = 0; role < ROLE_COUNT; role++)
		if (json_object_get(roles, role_name(role)))
			used += (size_t)snprintf(
			    text + used, 96 - used, "%s--rotate %s", used ? " " : "", role_name(role));
	if (!used)
		strcpy(text, "--rotate ROLE");
}

int
present_need_root_keys(const struct present *present, const json_t *roles, struct err *err)
{
	const char *name = repository_name(present->repository);
	int here = present_count(present, ROLE_ROOT, "here"), lost = present_count(present, ROLE_ROOT, "lost"),
	    need = root_threshold(present->root, ROLE_ROOT);
	char options[96];

	if (here >= need)
		return 0;
	if (lost)
		return err_set(err, ENOKEY,
		    "%s: role root needs %d keys, %d are with ota-signd and %d are lost: restore keys/%s from "
		    "the backup",
		    name, need, here, lost, name);
	write_options(roles, options);
	return err_set(err, ENOKEY,
	    "%s: role root needs %d keys, %d are with ota-signd: begin a root for the others to sign: "
	    "ota-sign root begin %s %s DRAFT",
	    name, need, here, name, options);
}

json_t *
present_role_keys(const struct present *present, enum role role, const char *but)
{
	const json_t *ids = root_keyids(present->root, role);
	AUTO(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";
		json_t *key;

		if (but && !strcmp(id, but))
			continue;
		key = json_copy(json_object_get(json_object_get(present->root, "keys"), id));
		if (json_object_set_new(key, "keyid", json_string(id)) < 0 ||
		    json_array_append_new(list, key) < 0)
			return NULL;
	}
	return MOVE(list);
}

/* -- what is to be -- */

bool
online_holds_back(const struct present *present, const json_t *roles)
{
	const json_t *targets = json_object_get(roles, "targets");

	return present->repository == REPOSITORY_IMAGE && targets &&
	       !json_integer_value(json_object_get(targets, "new"));
}

static void
show_work(const struct present *present, bool is_held_back)
{
	if (present->repository == REPOSITORY_DIRECTOR)
		printf("Each device's documents get a new version, made when it reads them next.\n");
	else if (is_held_back)
		printf("The root is held back from devices until targets are handed in that the new keys "
		       "signed.\n");
	else
		printf("%snapshot and timestamp are signed anew by ota-watcher within seconds.\n",
		    present_count(present, ROLE_TARGETS, "elsewhere") ? "S" : "Targets, s");
}

void
online_show(const struct present *present, bool is_held_back, const json_t *next)
{
	printf("%s repository\n", repository_name(present->repository));
	change_print(stdout, present->root, next, utc_now());
	printf(
	    "\nDevices fetch %d.root.json when they poll next, and go on with it by themselves; new ones walk\n"
	    "from their first root to it. Keys that leave are good for nothing once a device has it.\n",
	    present->version + 1);
	show_work(present, is_held_back);
	fflush(stdout);
}

int
online_finish(struct online *online, enum repository repository, const json_t *next, const json_t *signatures,
    struct err *err)
{
	AUTO(json_decref_p) json_t *none = json_array();
	AUTO(json_decref_p)
	json_t *file = json_pack("{s:O,s:O}", "signatures", signatures ? signatures : none, "signed", next);
	AUTO(free_p) char *text = file ? json_write(file) : NULL;
	AUTO(free_p) char *envelope = NULL;

	if (!text)
		return err_set(err, ENOMEM, "no memory for a root");
	return client_finish(online->client, repository, text, strlen(text), &envelope, NULL, err);
}

static int
make(struct online *online, enum repository repository, const json_t *roles, struct err *err)
{
	AUTO(json_decref_p) json_t *next = NULL;
	int r;

	if ((r = client_begin(online->client, repository, roles, NULL, false, &next, err)) < 0 ||
	    (r = online_finish(online, repository, next, NULL, err)) < 0)
		return r;
	printf("%s: root %lld is made\n", repository_name(repository),
	    (long long)json_integer_value(json_object_get(next, "version")));
	return 0;
}

int
online_change(struct online *online, const struct arguments *arguments, const struct present *present,
    const json_t *roles, struct err *err)
{
	AUTO(json_decref_p) json_t *shown = NULL;
	int r = client_begin(online->client, present->repository, roles, NULL, true, &shown, err);

	if (r < 0)
		return r;
	online_show(present, online_holds_back(present, roles), shown);
	if ((r = present_need_root_keys(present, roles, err)) < 0)
		return r;
	if (arguments_text(arguments, "preview")) {
		printf("\nThis was a preview: nothing is changed.\n");
		return 0;
	}
	if (!arguments_text(arguments, "yes") && (r = confirm("Make this root?", err)) < 0)
		return r;
	return make(online, present->repository, roles, err);
}

/* -- status -- */

static void
show_role(const struct present *present, enum role role)
{
	const json_t *keys = keys_of(present, role);

	printf(
	    "  %-10s %d of %zu\n", role_name(role), root_threshold(present->root, role), json_array_size(keys));
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *id = json_text(json_array_get(keys, i), "keyid");
		char kind[24];

		printf("    %s  %-8s  %s\n", id,
		    change_key_kind(json_object_get(present->root, "keys"), id, kind),
		    json_text(json_array_get(keys, i), "where"));
	}
}

/* What to do about lost keys of the role. Returns how many there are. */
static int
show_lost(const struct present *present, enum role role)
{
	const char *name = repository_name(present->repository);
	int lost = present_count(present, role, "lost");

	if (!lost)
		return 0;
	printf("  %d of the keys of %s lost: restore keys/%s from the backup, or replace them:\n", lost,
	    role_name(role), name);
	if (present_has_root_keys(present))
		printf("      ota-sign rotate %s %s\n", name, role_name(role));
	else if (present_count(present, ROLE_ROOT, "lost"))
		printf("      not without the keys of root, which are lost too; devices have to be given "
		       "another root\n"
		       "      by hand before this one expires\n");
	else
		printf("      ota-sign root begin %s --rotate %s DRAFT\n", name, role_name(role));
	return lost;
}

static int
show_repository(struct online *online, enum repository repository, int *lost, struct err *err)
{
	AUTO(present_done) struct present present = { .repository = repository };
	const char *name = repository_name(repository);
	int64_t expires;
	char when[48];
	int r = present_read(online, repository, false, &present, err);

	if (r < 0)
		return r;
	if (!present.root) {
		printf("%s: no root yet: ota-sign init makes it\n", name);
		return 0;
	}
	if ((r = envelope_expires(present.root, "root", &expires, err)) < 0)
		return r;
	change_when(expires, utc_now(), when);
	printf("%s: root %d, expires %s, %s; %s\n", name, present.version, json_text(present.root, "expires"),
	    when,
	    present_has_root_keys(&present) ? "ota-signd renews it" : "renewed by hand: ota-sign root begin");
	for (enum role role = 0; role < ROLE_COUNT; role++)
		show_role(&present, role);
	for (enum role role = 0; role < ROLE_COUNT; role++)
		*lost += show_lost(&present, role);
	return 0;
}

static int
run_status(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", NULL };
	AUTO(online_done) struct online online = { 0 };
	struct arguments arguments;
	int lost = 0, r;

	if ((r = online_open(argc, argv, names, 0, 0, &arguments, &online, err)) < 0)
		return r;
	for (int i = 0; r == 0 && i < REPOSITORY_COUNT; i++)
		r = show_repository(&online, (enum repository)i, &lost, err);
	if (r == 0 && lost) {
		fflush(stdout);
		r = err_set(err, ENOKEY, lost == 1 ? "1 key is lost" : "%d keys are lost", lost);
	}
	return r;
}

const struct command online_commands[] = {
	{ "init", "[-c FILE] --to DIR [--offline-targets] [--passphrase-file FILE] | --online",
	    "makes the first roots of both repositories: the keys of root, and of image targets, in DIR,\n"
	    "      or all with ota-signd",
	    init_run },
	{ "status", "[-c FILE]", "the roots, what they ask for, and where each key is", run_status },
	{ "rotate", "[-c FILE] REPOSITORY ROLE... [--keys N] [--threshold T] [--online] [--preview] [--yes]",
	    "replaces the keys of roles by new ones with ota-signd", rotate_run },
	{ "revoke", "[-c FILE] REPOSITORY KEYID [--replace] [--preview] [--yes]",
	    "takes a key from all its roles", revoke_run },
	{ "move-offline",
	    "[-c FILE] REPOSITORY [ROLE...] --to DIR [--passphrase-file FILE] [--preview] [--yes]",
	    "gives root, or image targets, new keys in DIR and deletes those of ota-signd", move_run },
	{ "root begin",
	    "[-c FILE] REPOSITORY [--rotate ROLE...] [--add-key ROLE=FILE.pub...] [--remove-key ROLE=ID...]\n"
	    "      [--threshold ROLE=N...] [--expires DAYS|TIME] [--online] DRAFT",
	    "begins the next root for others to sign; without changes it is renewed", begin_run },
	{ "root finish", "[-c FILE] DRAFT", "has ota-signd add its signatures to a draft and take it",
	    finish_run },
	{ 0 },
};
