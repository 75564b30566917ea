#include "store/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sign/canonical.h"
#include "store/needed.h"

bool
offer_is_ascii(const json_t *json)
{
	const char *name;
	const json_t *member;
	size_t i;

	if (json_is_string(json))
		return name_is_printable(json_string_value(json));
	if (json_is_object(json))
		for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
		     at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
			name = json_object_iter_key(at);
			if (!name_is_printable(name) || !offer_is_ascii(json_object_iter_value(at)))
				return false;
		}
	for (i = 0; i < json_array_size(json); i++) {
		member = json_array_get(json, i);
		if (!offer_is_ascii(member))
			return false;
	}
	return true;
}

int
offer_check_name(const char *name, struct err *err)
{
	return name_check_target(name, err) < 0 ? DROP_BAD : 0;
}

int
offer_check_uri(const char *uri, struct err *err)
{
	if (strlen(uri) > OFFER_URI_MAX || (strncmp(uri, "https://", 8) && strncmp(uri, "http://", 7)) ||
	    !name_is_printable(uri) || strchr(uri, ' '))
		return drop_bad(err,
		    "uri is no http:// or https:// address of at most %d printable ASCII characters",
		    OFFER_URI_MAX);
	return 0;
}

/* -- a builder's own members -- */

static bool
is_reserved(const char *member)
{
	static const char *const reserved[] = { "name", "version", "hardwareIds", "targetFormat", "uri",
		"createdAt", "updatedAt", "comment", "ecuIdentifiers", "cliUploaded" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (!strcmp(member, reserved[i]))
			return true;
	return false;
}

static int
depth_of(const json_t *json)
{
	int deepest = 0, depth;

	for (size_t i = 0; i < json_array_size(json); i++)
		if ((depth = depth_of(json_array_get(json, i))) > deepest)
			deepest = depth;
	if (json_is_object(json))
		for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
		     at = json_object_iter_next((json_t *)(uintptr_t)json, at))
			if ((depth = depth_of(json_object_iter_value(at))) > deepest)
				deepest = depth;
	return json_is_object(json) || json_is_array(json) ? deepest + 1 : 0;
}

int
offer_check_custom(const json_t *custom, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	if (!json_is_object(custom))
		return drop_bad(err, "custom is no JSON object");
	for (void *at = json_object_iter((json_t *)(uintptr_t)custom); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)custom, at))
		if (is_reserved(json_object_iter_key(at)))
			return drop_bad(
			    err, "custom: member \"%s\" is not the builder's to set", json_object_iter_key(at));
	if (!offer_is_ascii(custom))
		return drop_bad(
		    err, "custom: is not all printable ASCII, which clients would hash in another way");
	if (depth_of(custom) > OFFER_CUSTOM_DEPTH)
		return drop_bad(err, "custom: is nested deeper than %d", OFFER_CUSTOM_DEPTH);
	if (canonical_write(custom, &text, &bytes, err) < 0) {
		err_context(err, 0, "custom");
		return err->code == ENOMEM ? -ENOMEM : DROP_BAD;
	}
	if (bytes > OFFER_CUSTOM_MAX)
		return drop_bad(
		    err, "custom: has %zu bytes as JSON, at most %d are allowed", bytes, OFFER_CUSTOM_MAX);
	return 0;
}

/* -- one release -- */

static json_t *
new_target(const struct release *release, const char *now)
{
	json_t *custom = json_pack("{s:s, s:s, s:O, s:s, s:O?, s:s, s:s, s:O*}", "name", release->name,
	    "version", release->version, "hardwareIds", release->hardware, "targetFormat",
	    release->is_binary ? "BINARY" : "OSTREE", "uri", release->uri, "createdAt", now, "updatedAt", now,
	    "comment", release->comment);

	if (custom && release->custom && json_object_update(custom, release->custom) < 0) {
		json_decref(custom);
		return NULL;
	}
	return json_pack("{s:I, s:{s:s}, s:o}", "length",
	    release->is_binary ? (json_int_t)release->length : (json_int_t)0, "hashes", "sha256",
	    release->commit, "custom", custom);
}

static int
check_same(const char *file, const json_t *target, const struct release *release, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *hash = json_text(json_object_get(target, "hashes"), "sha256");
	const char *name = json_text(custom, "name"), *version = json_text(custom, "version");
	const char *format = json_text(custom, "targetFormat");
	const char *kind = release->is_binary ? "BINARY" : "OSTREE";
	bool is_binary = format && !strcmp(format, "BINARY");

	if (!hash || strcmp(hash, release->commit))
		return drop_bad(err,
		    "%s: was published with %s %.64s; a file name is never used for other content, so %s %s "
		    "needs another version",
		    file, is_binary ? "sha256" : "commit", hash ? hash : "?",
		    release->is_binary ? "sha256" : "commit", release->commit);
	if (!name || strcmp(name, release->name) || !version || strcmp(version, release->version) || !format ||
	    strcmp(format, kind))
		return drop_bad(err,
		    "%s: is the file name of version \"%.64s\" of package \"%.64s\" (%.16s) already", file,
		    version ? version : "?", name ? name : "?", format ? format : "?");
	return 0;
}

/* Whether @list has @value. */
static bool
has(const json_t *list, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

static int
join_hardware(json_t *list, const struct release *release, bool *is_changed, struct err *err)
{
	for (size_t i = 0; i < json_array_size(release->hardware); i++) {
		json_t *id = json_array_get(release->hardware, i);

		if (has(list, id))
			continue;
		*is_changed = true;
		if (json_array_append(list, id) < 0)
			return err_set(err, ENOMEM, "no memory");
	}
	if (json_array_size(list) > RELEASE_HARDWARE_MAX)
		return drop_bad(err, "%s-%s: would have more than %d hardware ids", release->name,
		    release->version, RELEASE_HARDWARE_MAX);
	return 0;
}

/* Sets the member of @custom unless it is so already. */
static int
bring(json_t *custom, const char *member, json_t *value, bool *is_changed, struct err *err)
{
	if (!value || json_equal(json_object_get(custom, member), value))
		return 0;
	*is_changed = true;
	return json_object_set(custom, member, value) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

static int
join(json_t *target, const struct release *release, const char *now, struct err *err)
{
	json_t *custom = json_object_get(target, "custom"), *value;
	const char *member;
	bool is_changed = false;
	int r;

	if ((r = join_hardware(json_object_get(custom, "hardwareIds"), release, &is_changed, err)) ||
	    (r = bring(custom, "comment", release->comment, &is_changed, err)) ||
	    (r = bring(custom, "uri", release->uri, &is_changed, err)))
		return r;
	json_object_foreach(release->custom, member, value)
	{
		if ((r = bring(custom, member, value, &is_changed, err)))
			return r;
	}
	if (!is_changed)
		return OFFER_SAME;
	return json_object_set_new(custom, "updatedAt", json_string(now)) < 0
		   ? err_set(err, ENOMEM, "no memory")
		   : 0;
}

int
offer_add(json_t *targets, const struct release *release, const char *now, struct err *err)
{
	char name[NAME_TARGET_MAX + 1];
	json_t *target;
	int r;

	release_target(release, name);
	if ((r = offer_check_name(name, err)) ||
	    (release->uri && (r = offer_check_uri(json_string_value(release->uri), err)) != 0) ||
	    (release->custom && (r = offer_check_custom(release->custom, err)) != 0))
		return r;
	target = json_object_get(targets, name);
	if (target) {
		r = check_same(name, target, release, err);
		return r ? r : join(target, release, now, err);
	}
	/* The lists of the release stay its own. */
	target = new_target(release, now);
	r = !target || json_object_set_new(targets, name, json_deep_copy(target)) < 0
		? err_set(err, ENOMEM, "no memory")
		: 0;
	json_decref(target);
	return r;
}

/* -- what others signed -- */

static int
check_hardware(const json_t *list, const char *file, struct err *err)
{
	if (!json_is_array(list) || !json_array_size(list))
		return drop_bad(
		    err, "%.100s: custom.hardwareIds is missing or empty; no device would take it", file);
	if (json_array_size(list) > RELEASE_HARDWARE_MAX)
		return drop_bad(err, "%.100s: has more than %d hardware ids", file, RELEASE_HARDWARE_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *id = json_string_value(json_array_get(list, i));

		if (!id)
			return drop_bad(err, "%.100s: hardware id %zu is no text", file, i + 1);
		if (name_check_hardware(id, err) < 0) {
			err_context(err, 0, "%.100s", file);
			return DROP_BAD;
		}
	}
	return 0;
}

static int
check_whole(const json_t *custom, const char *file, int64_t length, struct err *err)
{
	const char *name = json_text(custom, "name"), *version = json_text(custom, "version");
	const char *format = json_text(custom, "targetFormat");

	if (!name || !version)
		return drop_bad(err, "%.100s: custom.name or custom.version is missing or no text", file);
	if (name_check_package(name, err) < 0 || name_check_version(version, err) < 0) {
		err_context(err, 0, "%.100s", file);
		return DROP_BAD;
	}
	if (!format || (strcmp(format, "OSTREE") && strcmp(format, "BINARY")))
		return drop_bad(err, "%.100s: custom.targetFormat is neither OSTREE nor BINARY", file);
	if (!strcmp(format, "OSTREE") && length)
		return drop_bad(
		    err, "%.100s: is OSTREE and has length %lld; it has to be 0", file, (long long)length);
	return 0;
}

static int
check_one(const char *file, const json_t *target, bool is_whole, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom"), *uri = json_object_get(custom, "uri");
	const char *hash = json_text(json_object_get(target, "hashes"), "sha256");
	int64_t length;
	int r;

	if ((r = offer_check_name(file, err)))
		return r;
	if (json_need_integer(target, "length", file, INT64_MAX, &length, err) < 0)
		return DROP_BAD;
	if (!hash || !digest_is_sha256_hex(hash))
		return drop_bad(err, "%.100s: hashes.sha256 is not 64 lower-case hex digits", file);
	if (!json_is_object(custom))
		return drop_bad(err, "%.100s: has no custom", file);
	if (uri && !json_is_null(uri) && !json_is_string(uri))
		return drop_bad(err, "%.100s: custom.uri is neither null nor text", file);
	r = check_hardware(json_object_get(custom, "hardwareIds"), file, err);
	return r || !is_whole ? r : check_whole(custom, file, length, err);
}

static int
check_content(const char *file, const json_t *target, const json_t *present, struct err *err)
{
	const char *hash = json_text(json_object_get(target, "hashes"), "sha256");
	const char *other = json_text(json_object_get(present, "hashes"), "sha256");

	if (!present || (other && !strcmp(hash, other) &&
			    json_equal(json_object_get(target, "length"), json_object_get(present, "length"))))
		return 0;
	return drop_bad(err,
	    "%.100s: was published with sha256 %.64s; a file name is never used for other content, so give it "
	    "another version",
	    file, other ? other : "?");
}

int
offer_check_list(
    const json_t *signed_part, const json_t *present, bool is_whole, const char *what, struct err *err)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const char *file;
	int r;

	if (!json_is_object(targets))
		return drop_bad(err, "%s: has no object \"targets\"", what);
	json_object_foreach(targets, file, target)
	{
		if ((r = check_one(file, target, is_whole, err)) ||
		    (r = check_content(file, target, json_object_get(present, file), err))) {
			err_context(err, 0, "%s", what);
			return r;
		}
	}
	return 0;
}

/* -- how long versions stay -- */

/* One version of a package for one hardware id. */
struct version {
	const char *package, *hardware, *updated, *version;
	const char *file;
};

static int
by_age(const void *a, const void *b)
{
	const struct version *x = a, *y = b;
	int r = strcmp(x->package, y->package);

	if (r == 0)
		r = strcmp(x->hardware, y->hardware);
	if (r == 0)
		r = strcmp(y->updated, x->updated);
	return r ? r : strverscmp(y->version, x->version);
}

static const char *
text_or_none(const json_t *custom, const char *member)
{
	const char *text = json_text(custom, member);

	return text ? text : "";
}

static size_t
list_versions(json_t *targets, struct version *out, size_t room)
{
	json_t *target;
	const char *file;
	size_t n = 0;

	json_object_foreach(targets, file, target)
	{
		const json_t *custom = json_object_get(target, "custom"),
			     *list = json_object_get(custom, "hardwareIds");

		for (size_t i = 0; i < json_array_size(list) && n < room; i++)
			out[n++] = (struct version){ text_or_none(custom, "name"),
				json_string_value(json_array_get(list, i)), text_or_none(custom, "updatedAt"),
				text_or_none(custom, "version"), file };
	}
	return n;
}

static size_t
count_versions(json_t *targets)
{
	json_t *target;
	const char *file;
	size_t n = 0;

	json_object_foreach(targets, file, target) n +=
	    json_array_size(json_object_get(json_object_get(target, "custom"), "hardwareIds"));
	return n;
}

/* The file names that are among the newest for some hardware id, as members of a new object. */
static json_t *
find_newest(json_t *targets, int64_t keep)
{
	size_t count = count_versions(targets), n;
	AUTO(free_p) struct version *list = calloc(count + 1, sizeof(*list));
	json_t *kept = json_object();
	int64_t rank = 0;

	if (!list || !kept)
		return kept;
	n = list_versions(targets, list, count);
	qsort(list, n, sizeof(*list), by_age);
	for (size_t i = 0; i < n; i++) {
		bool is_first = i == 0 || strcmp(list[i].package, list[i - 1].package) ||
				strcmp(list[i].hardware, list[i - 1].hardware);

		rank = is_first ? 0 : rank + 1;
		if (rank < keep)
			json_object_set_new(kept, list[i].file, json_true());
	}
	return kept;
}

int
offer_expire(json_t *targets, int64_t keep, const json_t *needed, json_t *retired, struct err *err)
{
	AUTO(json_decref_p) json_t *kept = find_newest(targets, keep);
	json_t *target;
	const char *file;
	void *next;

	/* Without memory for the list nothing is old. */
	if (!kept || (json_object_size(kept) == 0 && json_object_size(targets) > 0))
		return err_set(err, ENOMEM, "no memory");
	json_object_foreach_safe(targets, next, file, target)
	{
		const char *hash = json_text(json_object_get(target, "hashes"), "sha256");

		if (json_object_get(kept, file) || needed_has(needed, file, hash))
			continue;
		if (json_array_append_new(retired, json_string(file)) < 0)
			return err_set(err, ENOMEM, "no memory");
		json_object_del(targets, file);
	}
	return 0;
}
