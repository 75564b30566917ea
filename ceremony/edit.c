#include "ceremony/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/arguments.h"
#include "ceremony/authority.h"
#include "ceremony/document.h"
#include "ceremony/form.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/envelope.h"

#define TARGETS_DAYS 31
/* Options of every change: who may sign. */
#define EDIT_NAMES "root=", "parent=", "delegation="

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "no memory");
}

/* -- one edit -- */

struct edit {
	const char *file;
	json_t *envelope, *before;
	json_t *signed_part; /* borrowed from envelope */
	struct authority authority;
	bool is_unfinished; /* it lacks signatures, as far as --root or --parent says: it was never published */
	int64_t now;
};

static void
edit_done(struct edit *edit)
{
	json_decref(edit->envelope);
	json_decref(edit->before);
	authority_done(&edit->authority);
}

static int
set_time(json_t *object, const char *member, int64_t seconds, struct err *err)
{
	char text[UTC_TEXT_SIZE];

	utc_format(seconds, text);
	return json_object_set_new(object, member, json_string(text)) < 0 ? no_memory(err) : 0;
}

static int
edit_open(struct edit *edit, const struct arguments *arguments, struct err *err)
{
	size_t bytes;
	int r;

	edit->file = arguments->words[0];
	edit->now = utc_now();
	/* It may have expired: editing is what helps. */
	if ((r = document_read(edit->file, &edit->envelope, &bytes, err)) < 0 ||
	    (r = form_check(edit->envelope, bytes, INT64_MIN, edit->file, err)) < 0)
		return r;
	edit->signed_part = json_object_get(edit->envelope, "signed");
	if (form_role(edit->signed_part) != ROLE_TARGETS)
		return err_set(err, EBADMSG, "%.200s: is no document of type Targets", edit->file);
	if (form_repository(edit->signed_part) == REPOSITORY_DIRECTOR)
		return err_set(err, EBADMSG,
		    "%.200s: is the director's, for one device; the image repository's targets.json is edited "
		    "here",
		    edit->file);
	if ((arguments_text(arguments, "parent") || arguments_text(arguments, "root")) &&
	    (r = authority_open(arguments, edit->file, edit->envelope, &edit->authority, err)) < 0)
		return r;
	edit->is_unfinished = edit->authority.document &&
			      authority_count(&edit->authority, edit->envelope) < edit->authority.threshold;
	edit->before = json_deep_copy(edit->signed_part);
	return edit->before ? 0 : no_memory(err);
}

/* The first change to what is signed begins a new version. */
static int
begin_version(struct edit *edit, struct err *err)
{
	int r, version;

	if (edit->is_unfinished)
		return json_object_set_new(edit->envelope, "signatures", json_array()) < 0 ? no_memory(err) : 0;
	if ((r = envelope_version(edit->signed_part, edit->file, &version, err)) < 0)
		return r;
	if (version == INT32_MAX)
		return err_set(err, EBADMSG, "%.200s: has the last version that devices count to", edit->file);
	if (json_object_set_new(edit->signed_part, "version", json_integer(version + 1)) < 0 ||
	    json_object_set_new(edit->envelope, "signatures", json_array()) < 0)
		return no_memory(err);
	return set_time(edit->signed_part, "expires", edit->now + TARGETS_DAYS * 86400LL, err);
}

static void
tell(const struct edit *edit)
{
	printf("%s: version %lld, %zu targets, expires %s, not signed yet\n", edit->file,
	    (long long)json_integer_value(json_object_get(edit->signed_part, "version")),
	    json_object_size(json_object_get(edit->signed_part, "targets")),
	    json_text(edit->signed_part, "expires"));
}

/* @is_renewed: begin a version even if nothing changes. */
static int
edit_save(struct edit *edit, const struct arguments *arguments, bool is_renewed, struct err *err)
{
	bool is_signed = json_array_size(json_object_get(edit->envelope, "signatures")) > 0;
	int64_t expires = 0;
	int r = arguments_expires(arguments, edit->now, &expires, err);

	if (r < 0)
		return r;
	if (!expires && !is_renewed && json_equal(edit->before, edit->signed_part)) {
		printf("%s: is so already\n", edit->file);
		return 0;
	}
	if ((is_signed && (r = begin_version(edit, err)) < 0) ||
	    (expires && (r = set_time(edit->signed_part, "expires", expires, err)) < 0) ||
	    (r = authority_check_paths(&edit->authority, edit->signed_part, err)) < 0 ||
	    (r = form_check(edit->envelope, 0, edit->now, edit->file, err)) < 0 ||
	    (r = document_write(edit->file, edit->envelope, false, err)) < 0)
		return r;
	tell(edit);
	return 0;
}

/* -- new -- */

int
edit_new(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expires=", NULL };
	int64_t now = utc_now(), expires = now + TARGETS_DAYS * 86400LL;
	AUTO(json_decref_p) json_t *envelope = NULL;
	char text[UTC_TEXT_SIZE];
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = arguments_expires(&arguments, now, &expires, err)) < 0)
		return r;
	utc_format(expires, text);
	envelope = json_pack("{s:[],s:{s:s,s:s,s:{},s:i}}", "signatures", "signed", "_type", "Targets",
	    "expires", text, "targets", "version", 1);
	return envelope ? document_write(arguments.words[0], envelope, true, err) : no_memory(err);
}

/* -- add -- */

/* Hashes the file --file. */
static int
measure(const char *file, char hex[static DIGEST_HEX_SIZE], int64_t *length, struct err *err)
{
	AUTO(close_p) int fd = open(file, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(err, "%.200s", file);
	r = digest_sha256_fd(fd, hex, length);
	return r < 0 ? err_set(err, -r, "%.200s: %s", file, strerror(-r)) : 0;
}

/* The content: of --file, --commit, or --sha256 and --length. */
static int
read_content(
    const struct arguments *arguments, char hex[static DIGEST_HEX_SIZE], int64_t *length, struct err *err)
{
	const char *file = arguments_text(arguments, "file"), *commit = arguments_text(arguments, "commit");
	const char *sha256 = arguments_text(arguments, "sha256"), *given = commit ? commit : sha256;

	*length = 0;
	if (!!file + !!commit + !!sha256 != 1)
		return err_set(
		    err, EINVAL, "give one of --file FILE, --commit HEX, or --sha256 HEX --length BYTES");
	if (!!arguments_text(arguments, "length") != !!sha256)
		return err_set(err, EINVAL, "--length and --sha256 belong together");
	if (file)
		return measure(file, hex, length, err);
	if (!digest_is_sha256_hex(given))
		return err_set(err, EINVAL, "--%s: \"%.70s\" is not 64 lower-case hex digits",
		    commit ? "commit" : "sha256", given);
	snprintf(hex, DIGEST_HEX_SIZE, "%s", given);
	return arguments_integer(arguments, "length", 0, INT64_MAX, length, err);
}

static json_t *
all_of(const struct arguments *arguments, const char *name)
{
	json_t *list = json_array();
	const char *text;
	size_t at = 0;

	while ((text = arguments_next(arguments, name, &at)))
		json_array_append_new(list, json_string(text));
	return list;
}

/* What the arguments describe, as if it were new. */
static int
describe(const struct arguments *arguments, int64_t now, json_t **out, struct err *err)
{
	const char *name, *version, *uri = arguments_text(arguments, "uri");
	char hex[DIGEST_HEX_SIZE], time[UTC_TEXT_SIZE];
	int64_t length;
	int r;

	if ((r = arguments_need(arguments, "name", &name, err)) < 0 ||
	    (r = arguments_need(arguments, "version", &version, err)) < 0 ||
	    (r = read_content(arguments, hex, &length, err)) < 0)
		return r;
	utc_format(now, time);
	*out = json_pack("{s:I,s:{s:s},s:{s:s,s:s,s:o,s:s,s:s?,s:s,s:s}}", "length", (json_int_t)length,
	    "hashes", "sha256", hex, "custom", "name", name, "version", version, "hardwareIds",
	    all_of(arguments, "hardware"), "targetFormat",
	    arguments_text(arguments, "commit") ? "OSTREE" : "BINARY", "uri", uri, "createdAt", time,
	    "updatedAt", time);
	return *out ? 0 : no_memory(err);
}

/* A file name is never used for other content: devices that have the one would not take the other. */
static int
check_same(const char *file, const json_t *present, const json_t *target, struct err *err)
{
	static const char *const members[] = { "name", "version", "targetFormat" };
	const json_t *custom = json_object_get(target, "custom"), *other = json_object_get(present, "custom");
	const char *hash = json_text(json_object_get(present, "hashes"), "sha256");

	if (strcmp(hash, json_text(json_object_get(target, "hashes"), "sha256")) != 0 ||
	    !json_equal(json_object_get(present, "length"), json_object_get(target, "length")))
		return err_set(err, EEXIST,
		    "%.100s: is there with sha256 %s and %lld bytes; a file name is never used for other "
		    "content, so "
		    "give it another version",
		    file, hash, (long long)json_integer_value(json_object_get(present, "length")));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_object_get(other, members[i]) &&
		    !json_equal(json_object_get(other, members[i]), json_object_get(custom, members[i])))
			return err_set(err, EEXIST, "%.100s: is there with %s \"%.64s\"", file, members[i],
			    json_text(other, members[i]) ?: "?");
	return 0;
}

/* Joins hardware ids and address of @target into @present, which has the same content. */
static int
join(json_t *present, const json_t *target, const struct arguments *arguments, struct err *err)
{
	json_t *custom = json_object_get(present, "custom"), *list = json_object_get(custom, "hardwareIds");
	const json_t *added = json_object_get(target, "custom"), *ids = json_object_get(added, "hardwareIds");
	AUTO(json_decref_p) json_t *before = json_deep_copy(custom);
	int r = before ? 0 : -1;

	for (size_t i = 0; i < json_array_size(ids); i++) {
		bool is_there = false;

		for (size_t k = 0; k < json_array_size(list); k++)
			is_there |= json_equal(json_array_get(list, k), json_array_get(ids, i));
		if (!is_there)
			r |= json_array_append(list, json_array_get(ids, i));
	}
	if (arguments_text(arguments, "uri"))
		r |= json_object_set(custom, "uri", json_object_get(added, "uri"));
	if (r == 0 && !json_equal(before, custom))
		r |= json_object_set(custom, "updatedAt", json_object_get(added, "updatedAt"));
	return r ? no_memory(err) : 0;
}

static int
add(struct edit *edit, const struct arguments *arguments, struct err *err)
{
	json_t *targets = json_object_get(edit->signed_part, "targets"), *present;
	AUTO(json_decref_p) json_t *target = NULL;
	const char *file = arguments_text(arguments, "as");
	char made[2 * NAME_TARGET_MAX];
	int r = describe(arguments, edit->now, &target, err);

	if (r < 0)
		return r;
	snprintf(made, sizeof(made), "%.250s-%.250s", arguments_text(arguments, "name"),
	    arguments_text(arguments, "version"));
	file = file ? file : made;
	if ((r = form_check_target(file, target, REPOSITORY_IMAGE, err)) < 0)
		return r;
	present = json_object_get(targets, file);
	if (!present)
		return json_object_set(targets, file, target) < 0 ? no_memory(err) : 0;
	r = check_same(file, present, target, err);
	return r < 0 ? r : join(present, target, arguments, err);
}

int
edit_add(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "name=", "version=", "hardware=+",
		"file=", "commit=", "sha256=", "length=", "uri=", "as=", "expires=", EDIT_NAMES, NULL };
	AUTO(edit_done) struct edit edit = { 0 };
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = edit_open(&edit, &arguments, err)) < 0 || (r = add(&edit, &arguments, err)) < 0)
		return r;
	return edit_save(&edit, &arguments, false, err);
}

/* -- remove -- */

int
edit_remove(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expires=", EDIT_NAMES, NULL };
	AUTO(edit_done) struct edit edit = { 0 };
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 2, ARGUMENTS_MAX, &arguments, err)) < 0 ||
	    (r = edit_open(&edit, &arguments, err)) < 0)
		return r;
	for (size_t i = 1; i < arguments.word_count; i++)
		if (json_object_del(json_object_get(edit.signed_part, "targets"), arguments.words[i]) < 0)
			return err_set(
			    err, ENOENT, "%.200s: has no target \"%.100s\"", edit.file, arguments.words[i]);
	return edit_save(&edit, &arguments, false, err);
}

int
edit_renew(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expires=", EDIT_NAMES, NULL };
	AUTO(edit_done) struct edit edit = { 0 };
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 1, 1, &arguments, err)) < 0 ||
	    (r = edit_open(&edit, &arguments, err)) < 0 ||
	    (r = set_time(edit.signed_part, "expires", edit.now + TARGETS_DAYS * 86400LL, err)) < 0)
		return r;
	return edit_save(&edit, &arguments, true, err);
}

/* -- delegations -- */

/* The member of @object, made if it is missing or null. */
static json_t *
member_of(json_t *object, const char *name, json_t *(*make)(void))
{
	json_t *member = json_object_get(object, name);

	if (!member || json_is_null(member))
		json_object_set_new(object, name, make());
	return json_object_get(object, name);
}

static int
delegate(struct edit *edit, const struct arguments *arguments, struct err *err)
{
	json_t *delegations = member_of(edit->signed_part, "delegations", json_object);
	json_t *keys = member_of(delegations, "keys", json_object);
	json_t *roles = member_of(delegations, "roles", json_array), *ids = json_array();
	AUTO(json_decref_p)
	json_t *role = json_pack("{s:o,s:s,s:o,s:b,s:i}", "keyids", ids, "name", arguments->words[1], "paths",
	    all_of(arguments, "path"), "terminating", arguments_text(arguments, "terminating") != NULL,
	    "threshold", 1);
	int64_t threshold = 1;
	const char *key;
	size_t at = 0;
	int r;

	if (!role || !keys || !roles)
		return no_memory(err);
	if ((r = arguments_integer(arguments, "threshold", 1, ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0)
		return r;
	while ((key = arguments_next(arguments, "key", &at))) {
		char keyid[DIGEST_HEX_SIZE];

		if ((r = document_add_key(keys, key, keyid, err)) < 0)
			return r;
		if (json_array_append_new(ids, json_string(keyid)) < 0)
			return no_memory(err);
	}
	if (json_object_set_new(role, "threshold", json_integer(threshold)) < 0 ||
	    json_array_append(roles, role) < 0)
		return no_memory(err);
	return 0;
}

int
edit_delegate(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "key=+", "threshold=", "path=+", "terminating",
		"expires=", EDIT_NAMES, NULL };
	AUTO(edit_done) struct edit edit = { 0 };
	struct arguments arguments;
	int r;

	if ((r = arguments_parse(argc, argv, names, 2, 2, &arguments, err)) < 0 ||
	    (r = name_check_delegation(arguments.words[1], err)) < 0 ||
	    (r = edit_open(&edit, &arguments, err)) < 0)
		return r;
	if (form_delegation(edit.signed_part, arguments.words[1]))
		return err_set(err, EEXIST, "%.200s: has a delegation %s already; undelegate it first",
		    edit.file, arguments.words[1]);
	if ((r = delegate(&edit, &arguments, err)) < 0)
		return r;
	return edit_save(&edit, &arguments, false, err);
}

/* Takes out keys that no delegation names any more. */
static void
drop_unused(json_t *delegations)
{
	json_t *keys = json_object_get(delegations, "keys"), *key;
	const json_t *roles = json_object_get(delegations, "roles");
	const char *id;
	void *next;

	json_object_foreach_safe(keys, next, id, key)
	{
		bool is_used = false;

		for (size_t i = 0; i < json_array_size(roles); i++) {
			const json_t *ids = json_object_get(json_array_get(roles, i), "keyids");

			for (size_t k = 0; k < json_array_size(ids); k++)
				is_used |= !strcmp(json_string_value(json_array_get(ids, k)), id);
		}
		if (!is_used)
			json_object_del(keys, id);
	}
}

int
edit_undelegate(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "expires=", EDIT_NAMES, NULL };
	AUTO(edit_done) struct edit edit = { 0 };
	struct arguments arguments;
	const json_t *role;
	json_t *roles;
	int r;

	if ((r = arguments_parse(argc, argv, names, 2, 2, &arguments, err)) < 0 ||
	    (r = edit_open(&edit, &arguments, err)) < 0)
		return r;
	roles = json_object_get(json_object_get(edit.signed_part, "delegations"), "roles");
	role = form_delegation(edit.signed_part, arguments.words[1]);
	if (!role)
		return err_set(err, ENOENT, "%.200s: has no delegation %.64s", edit.file, arguments.words[1]);
	for (size_t i = json_array_size(roles); i-- > 0;)
		if (json_array_get(roles, i) == role)
			json_array_remove(roles, i);
	drop_unused(json_object_get(edit.signed_part, "delegations"));
	return edit_save(&edit, &arguments, false, err);
}
