/* ota-sign root begin, finish: a root that others sign, from ota-signd's newest and back to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/change.h"
#include "ceremony/document.h"
#include "ceremony/online.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/root.h"

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "no memory");
}

/* What is asked for the role: as it is now, to begin with. NULL: no memory. */
static json_t *
wanted_role(const struct present *present, json_t *roles, enum role role)
{
	json_t *wanted = json_object_get(roles, role_name(role));

	if (wanted)
		return wanted;
	json_object_set_new(roles, role_name(role),
	    json_pack("{s:o,s:i,s:i}", "keys", present_role_keys(present, role, NULL), "new", 0, "threshold",
		root_threshold(present->root, role)));
	return json_object_get(roles, role_name(role));
}

/* All its keys go, and as many new ones of ota-signd come. */
static int
rotate(const struct present *present, json_t *roles, const char *name, struct err *err)
{
	json_t *wanted, *keys;
	enum role role;
	int r = online_role(name, &role, err);

	if (r < 0)
		return r;
	if (!(wanted = wanted_role(present, roles, role)))
		return no_memory(err);
	keys = json_object_get(wanted, "keys");
	if (json_object_set_new(wanted, "new", json_integer((json_int_t)json_array_size(keys))) < 0)
		return no_memory(err);
	json_array_clear(keys);
	return 0;
}

static int
add_key(const struct present *present, json_t *roles, const char *text, struct err *err)
{
	AUTO(json_decref_p) json_t *key = NULL;
	char keyid[DIGEST_HEX_SIZE];
	const char *file;
	json_t *wanted;
	enum role role;
	int r;

	if ((r = arguments_role("add-key", text, &role, &file, err)) < 0 ||
	    (r = document_read_key(file, &key, keyid, err)) < 0)
		return r;
	wanted = wanted_role(present, roles, role);
	if (!wanted || json_object_set_new(key, "keyid", json_string(keyid)) < 0 ||
	    json_array_append(json_object_get(wanted, "keys"), key) < 0)
		return no_memory(err);
	return 0;
}

static int
remove_key(const struct present *present, json_t *roles, const char *text, struct err *err)
{
	json_t *wanted, *keys;
	enum role role;
	const char *id;
	size_t at = 0;
	int r, found = 0;

	if ((r = arguments_role("remove-key", text, &role, &id, err)) < 0)
		return r;
	if (!(wanted = wanted_role(present, roles, role)))
		return no_memory(err);
	keys = json_object_get(wanted, "keys");
	for (size_t i = 0; i < json_array_size(keys); i++)
		if (*id && !strncmp(json_text(json_array_get(keys, i), "keyid") ?: "", id, strlen(id))) {
			at = i;
			found++;
		}
	if (found != 1)
		return err_set(err, ENOENT, "--remove-key: %s",
		    found ? "several keys of the role begin like that" : "the role has no such key");
	json_array_remove(keys, at);
	return 0;
}

static int
set_threshold(const struct present *present, json_t *roles, const char *text, struct err *err)
{
	json_t *wanted;
	enum role role;
	int count, r = arguments_threshold(text, &role, &count, err);

	if (r < 0)
		return r;
	wanted = wanted_role(present, roles, role);
	return !wanted || json_object_set_new(wanted, "threshold", json_integer(count)) < 0 ? no_memory(err)
											    : 0;
}

/* Who holds them should not find himself replaced by a word that was meant for the keys here. */
static int
check_rotated(const struct present *present, const struct arguments *arguments, struct err *err)
{
	const char *name;
	enum role role;
	size_t at = 0;
	int r;

	while ((name = arguments_next(arguments, "rotate", &at))) {
		if ((r = online_role(name, &role, err)) < 0)
			return r;
		if (present_count(present, role, "elsewhere") && !arguments_text(arguments, "online"))
			return err_set(err, EPERM,
			    "--rotate %s: keys of it are elsewhere: --remove-key and --add-key replace them, "
			    "or say "
			    "with --online that ota-signd has the role from now on",
			    name);
	}
	return 0;
}

static int
want(const struct present *present, const struct arguments *arguments, json_t *roles, struct err *err)
{
	static const struct {
		const char *option;
		int (*change)(const struct present *present, json_t *roles, const char *text, struct err *err);
	} changes[] = { { "rotate", rotate }, { "remove-key", remove_key }, { "add-key", add_key },
		{ "threshold", set_threshold } };

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *text;
		size_t at = 0;

		while ((text = arguments_next(arguments, changes[i].option, &at))) {
			int r = changes[i].change(present, roles, text, err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* While a root waits for targets the one before is published, which does not know new keys of the others. */
static int
check_one_by_one(const struct present *present, const json_t *roles, struct err *err)
{
	if (!online_holds_back(present, roles) ||
	    (!json_object_get(roles, "snapshot") && !json_object_get(roles, "timestamp")))
		return 0;
	return err_set(err, EPERM,
	    "image: a root that gives targets to keys elsewhere waits until these have signed; give new keys "
	    "to "
	    "snapshot and timestamp with the root after it");
}

static int
write_draft(const struct present *present, const char *name, json_t *next, struct err *err)
{
	AUTO(json_decref_p) json_t *signatures = json_array();
	const struct draft draft = { .repository = present->repository,
		.version = present->version + 1,
		.current = present->file,
		.next = next,
		.signatures = signatures };

	return signatures ? draft_write(AT_FDCWD, name, &draft, utc_now(), err) : no_memory(err);
}

int
begin_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "rotate=+", "add-key=+", "remove-key=+", "threshold=+",
		"expires=", "online", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(present_done) struct present present = { 0 };
	AUTO(json_decref_p) json_t *roles = json_object();
	AUTO(json_decref_p) json_t *next = NULL;
	char expires_text[UTC_TEXT_SIZE];
	enum repository repository;
	struct arguments arguments;
	int64_t expires = 0;
	int r;

	if ((r = online_open(argc, argv, names, 2, 2, &arguments, &online, err)) < 0 ||
	    (r = arguments_expires(&arguments, utc_now(), &expires, err)) < 0 ||
	    (r = online_repository(arguments.words[0], &repository, err)) < 0 ||
	    (r = present_read(&online, repository, true, &present, err)) < 0 ||
	    (r = check_rotated(&present, &arguments, err)) < 0 ||
	    (r = want(&present, &arguments, roles, err)) < 0)
		return r;
	if ((r = check_one_by_one(&present, roles, err)) < 0)
		return r;
	utc_format(expires, expires_text);
	if ((r = client_begin(
		 online.client, repository, roles, expires ? expires_text : NULL, false, &next, err)) < 0 ||
	    (r = write_draft(&present, arguments.words[1], next, err)) < 0)
		return r;
	online_show(&present, online_holds_back(&present, roles), next);
	printf("\nThe draft is %s. Root keys sign it: ota-sign root sign DRAFT --key NAME.\n"
	       "When enough have: ota-sign root finish DRAFT here, or copy it into %s/incoming.\n",
	    arguments.words[1], online.config.spool);
	return 0;
}

int
finish_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(draft_done) struct draft draft = { 0 };
	struct arguments arguments;
	int r;

	if ((r = online_open(argc, argv, names, 1, 1, &arguments, &online, err)) < 0 ||
	    (r = draft_read(AT_FDCWD, arguments.words[0], utc_now(), &draft, err)) < 0)
		return r;
	r = online_finish(&online, draft.repository, draft.next, draft.signatures, err);
	if (r < 0 && strstr(err->text, "needed signatures")) {
		struct err why = *err;

		return err_set(
		    err, -r, "%.400s; who has signed: ota-sign root show %.80s", why.text, arguments.words[0]);
	}
	if (r < 0)
		return r;
	printf("%s: root %d is made\n", repository_name(draft.repository), draft.version);
	return 0;
}
