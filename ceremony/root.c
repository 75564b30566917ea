/* ota-sign root: makes and changes the draft of a root that is signed by hand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/arguments.h"
#include "ceremony/change.h"
#include "ceremony/command.h"
#include "ceremony/document.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/root.h"

#define ROOT_DAYS 365

static json_t *
keyids_of(json_t *root, enum role role)
{
	return json_object_get(json_object_get(json_object_get(root, "roles"), role_name(role)), "keyids");
}

/* -- changes to the "signed" part -- */

static int
add_key(json_t *root, const char *text, struct err *err)
{
	char keyid[DIGEST_HEX_SIZE];
	const char *file;
	enum role role;
	int r;

	if ((r = arguments_role("key", text, &role, &file, err)) < 0 ||
	    (r = document_add_key(json_object_get(root, "keys"), file, keyid, err)) < 0)
		return r;
	for (size_t i = 0; i < json_array_size(keyids_of(root, role)); i++)
		if (!strcmp(json_string_value(json_array_get(keyids_of(root, role), i)), keyid))
			return err_set(
			    err, EINVAL, "%s: role %s has key %s already", file, role_name(role), keyid);
	return json_array_append_new(keyids_of(root, role), json_string(keyid)) < 0
		   ? err_set(err, ENOMEM, "no memory")
		   : 0;
}

/* The place of the key in the list of @ids: @which is an id, the unmistakable start of one, or a file. */
static int
find_key(const json_t *root, const json_t *ids, const char *which, size_t *at, struct err *err)
{
	char keyid[DIGEST_HEX_SIZE] = "";
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	size_t found = 0;
	int r;

	if (strspn(which, "0123456789abcdef") != strlen(which) &&
	    ((r = document_read_key(which, &json, keyid, err)) < 0 ||
		(r = public_key_read(json, which, &key, err)) < 0))
		return r;
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (key ? document_is_key(json_object_get(root, "keys"), id, public_key_id(key))
			: !strncmp(id, which, strlen(which))) {
			*at = i;
			found++;
		}
	}
	return found == 1 ? 0
			  : err_set(err, ENOENT, "%.200s: %s", which,
				found ? "several keys begin like that" : "the role has no such key");
}

/* A key that no role has any more only lengthens what every device reads. */
static void
drop_unused(json_t *root)
{
	json_t *keys = json_object_get(root, "keys"), *key;
	const char *id;
	void *next;

	json_object_foreach_safe(keys, next, id, key)
	{
		bool is_used = false;

		for (enum role role = 0; role < ROLE_COUNT; role++)
			for (size_t i = 0; i < json_array_size(keyids_of(root, role)); i++)
				is_used |=
				    !strcmp(json_string_value(json_array_get(keyids_of(root, role), i)), id);
		if (!is_used)
			json_object_del(keys, id);
	}
}

static int
remove_key(json_t *root, const char *text, struct err *err)
{
	const char *which;
	enum role role;
	size_t at = 0;
	int r;

	if ((r = arguments_role("key", text, &role, &which, err)) < 0)
		return r;
	if ((r = find_key(root, keyids_of(root, role), which, &at, err)) < 0)
		return err_context(err, r, "role %s", role_name(role));
	json_array_remove(keyids_of(root, role), at);
	drop_unused(root);
	return 0;
}

static int
set_threshold(json_t *root, const char *text, struct err *err)
{
	enum role role;
	int count, r = arguments_threshold(text, &role, &count, err);

	if (r < 0)
		return r;
	return json_object_set_new(json_object_get(json_object_get(root, "roles"), role_name(role)),
		   "threshold", json_integer(count)) < 0
		   ? err_set(err, ENOMEM, "no memory")
		   : 0;
}

static int
set_expires(json_t *root, int64_t expires, struct err *err)
{
	char text[UTC_TEXT_SIZE];

	utc_format(expires, text);
	return json_object_set_new(root, "expires", json_string(text)) < 0 ? err_set(err, ENOMEM, "no memory")
									   : 0;
}

/* Carries out each --key with @change, and each --threshold. */
static int
change_root(json_t *root, const struct arguments *arguments,
    int (*change)(json_t *root, const char *text, struct err *err), struct err *err)
{
	const char *text;
	size_t at = 0;
	int r = 0;

	while (r == 0 && change && (text = arguments_next(arguments, "key", &at)))
		r = change(root, text, err);
	at = 0;
	while (r == 0 && (text = arguments_next(arguments, "threshold", &at)))
		r = set_threshold(root, text, err);
	return r;
}

/* -- root new -- */

static int
empty_root(json_t **out, struct err *err)
{
	*out = json_pack("{s:s,s:b,s:{},s:{},s:i}", "_type", "Root", "consistent_snapshot", 0, "keys", "roles",
	    "version", 0);
	for (enum role role = 0; *out && role < ROLE_COUNT; role++)
		if (json_object_set_new(json_object_get(*out, "roles"), role_name(role),
			json_pack("{s:[],s:i}", "keyids", "threshold", 1)) < 0)
			return err_set(err, ENOMEM, "no memory");
	return *out ? 0 : err_set(err, ENOMEM, "no memory");
}

/* Starts from --from, or from nothing. */
static int
start_draft(const struct arguments *arguments, struct draft *draft, struct err *err)
{
	const char *from = arguments_text(arguments, "from"), *repository;
	int r, version = 0;

	if ((r = arguments_need(arguments, "repository", &repository, err)) < 0)
		return r;
	if (repository_of(repository) < 0)
		return err_set(err, EINVAL, "--repository is image or director");
	draft->repository = (enum repository)repository_of(repository);
	if (!(draft->signatures = json_array()))
		return err_set(err, ENOMEM, "no memory");
	if (!from) {
		r = empty_root(&draft->next, err);
	} else if ((r = document_read(from, &draft->current, NULL, err)) == 0 &&
		   (r = root_check(json_object_get(draft->current, "signed"), INT64_MIN, err)) == 0 &&
		   (r = envelope_version(json_object_get(draft->current, "signed"), from, &version, err)) ==
		       0) {
		draft->next = json_deep_copy(json_object_get(draft->current, "signed"));
		r = draft->next ? 0 : err_set(err, ENOMEM, "no memory");
	}
	draft->version = version + 1;
	return r;
}

static int
run_new(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "repository=", "from=", "key=+", "threshold=+", "expires=", NULL };
	AUTO(draft_done) struct draft draft = { 0 };
	int64_t now = utc_now(), expires = now + ROOT_DAYS * 86400LL;
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = arguments_expires(&arguments, now, &expires, err)) < 0 ||
	    (r = start_draft(&arguments, &draft, err)) < 0 ||
	    (r = change_root(draft.next, &arguments, add_key, err)) < 0 ||
	    (r = set_expires(draft.next, expires, err)) < 0)
		return r;
	if (json_object_set_new(draft.next, "version", json_integer(draft.version)) < 0)
		return err_set(err, ENOMEM, "no memory");
	if ((r = draft_write(AT_FDCWD, arguments.words[0], &draft, now, err)) < 0)
		return r;
	change_print(stdout, json_object_get(draft.current, "signed"), draft.next, now);
	return 0;
}

/* -- changes to a draft -- */

static int
edit(int argc, char **argv, const char *const *names, int (*change)(json_t *, const char *, struct err *),
    struct err *err)
{
	AUTO(draft_done) struct draft draft = { 0 };
	AUTO(json_decref_p) json_t *next = NULL;
	int64_t now = utc_now(), expires = 0;
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0)
		return r;
	if (arguments.option_count == 0)
		return err_set(err, EINVAL, "%s: nothing to change was given; see ota-sign --help", argv[0]);
	if ((r = arguments_expires(&arguments, now, &expires, err)) < 0 ||
	    (r = draft_read(AT_FDCWD, arguments.words[0], now, &draft, err)) < 0)
		return r;
	if (!(next = json_deep_copy(draft.next)))
		return err_set(err, ENOMEM, "no memory");
	if ((r = change_root(next, &arguments, change, err)) < 0 ||
	    (expires && (r = set_expires(next, expires, err)) < 0) ||
	    (r = draft_change(&draft, AT_FDCWD, arguments.words[0], next, now, err)) < 0)
		return r;
	change_print(stdout, json_object_get(draft.current, "signed"), draft.next, now);
	return 0;
}

static int
run_add_key(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "key=+", "threshold=+", NULL };

	return edit(argc, argv, names, add_key, err);
}

static int
run_remove_key(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "key=+", "threshold=+", NULL };

	return edit(argc, argv, names, remove_key, err);
}

static int
run_set_threshold(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "threshold=+", NULL };

	return edit(argc, argv, names, NULL, err);
}

static int
run_set_expiry(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expires=", NULL };

	return edit(argc, argv, names, NULL, err);
}

const struct command root_commands[] = {
	{ "root new",
	    "DRAFT --repository image|director [--from ROOT.json] --key ROLE=FILE.pub... [--threshold "
	    "ROLE=N...]\n"
	    "      [--expires DAYS]",
	    "begins a root wholly off line: the first, or the one after ROOT.json", run_new },
	{ "root add-key", "DRAFT --key ROLE=FILE.pub... [--threshold ROLE=N...]",
	    "gives a role another key, as long as nobody has signed", run_add_key },
	{ "root remove-key", "DRAFT --key ROLE=KEYID|FILE.pub... [--threshold ROLE=N...]",
	    "takes a key from a role", run_remove_key },
	{ "root set-threshold", "DRAFT --threshold ROLE=N...", "how many of a role's keys have to sign",
	    run_set_threshold },
	{ "root set-expiry", "DRAFT --expires DAYS|TIME", "until when the root is good", run_set_expiry },
	{ 0 },
};
