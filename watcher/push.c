#include "watcher/push.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

/* push.json as far as it is given; the text is borrowed from the JSON. */
struct push {
	const char *name, *version, *ref, *commit;
	json_t *hardware, *comment;
};

int
push_text(const json_t *json, const char *member, const char **out, struct err *err)
{
	const json_t *value = json_object_get(json, member);

	if (!value)
		return 0;
	*out = json_string_value(value);
	if (!*out)
		return drop_bad(err, "push.json: member \"%s\" is no text", member);
	if (!name_is_printable(*out))
		return drop_bad(err, "push.json: member \"%s\" is not printable ASCII", member);
	return 0;
}

int
push_comment(const json_t *json, json_t **out, struct err *err)
{
	const char *text = NULL;
	int r = push_text(json, "comment", &text, err);

	if (r == 0 && text && strlen(text) > RELEASE_COMMENT_MAX)
		return drop_bad(err, "push.json: member \"comment\" has %zu bytes, at most %d are allowed",
		    strlen(text), RELEASE_COMMENT_MAX);
	*out = json_object_get(json, "comment");
	return r;
}

static int
take_hardware(const json_t *json, struct push *push, struct err *err)
{
	push->hardware = json_object_get(json, "hardwareIds");
	if (push->hardware && !json_is_array(push->hardware))
		return drop_bad(err, "push.json: member \"hardwareIds\" is no list");
	return 0;
}

/* A misspelt "hardwareIds" would publish for the wrong hardware, and what is published stays. */
int
push_members(json_t *json, const char *known, struct err *err)
{
	const char *member;
	json_t *value;

	json_object_foreach(json, member, value)
	{
		char shown[64], word[80];

		name_printable(member, shown, sizeof(shown));
		snprintf(word, sizeof(word), " %s ", shown);
		if (!strstr(known, word) || !*member)
			return drop_bad(err, "push.json: member \"%s\" is not known; known are%.*s", shown,
			    (int)strlen(known) - 1, known);
	}
	return 0;
}

static int
read_push(json_t *json, struct push *push, struct err *err)
{
	int r;

	if (!json_is_object(json))
		return drop_bad(err, "push.json: is no JSON object");
	if ((r = push_members(json, " name version hardwareIds ref commit comment ", err)) ||
	    (r = push_text(json, "name", &push->name, err)) ||
	    (r = push_text(json, "version", &push->version, err)) ||
	    (r = push_text(json, "ref", &push->ref, err)) ||
	    (r = push_text(json, "commit", &push->commit, err)) ||
	    (r = push_comment(json, &push->comment, err)) || (r = take_hardware(json, push, err)))
		return r;
	if (push->commit && !digest_is_sha256_hex(push->commit))
		return drop_bad(err, "push.json: member \"commit\" is no commit id (64 lower-case hex digits)");
	return 0;
}

/* -- which commits -- */

static const struct source_ref *
find_ref(const struct source_ref *refs, size_t count, const char *name, const char *commit)
{
	for (size_t i = 0; i < count; i++)
		if ((!name || !strcmp(refs[i].name, name)) && (!commit || !strcmp(refs[i].commit, commit)))
			return &refs[i];
	return NULL;
}

static int
add(struct releases *out, const char *ref, const char *commit, struct err *err)
{
	struct release *release = releases_add(out);

	if (!release)
		return err_set(err, ENOMEM, "no memory");
	if (strlen(ref) >= sizeof(release->ref))
		return drop_bad(err, "push.json: ref has %zu bytes, at most %d are allowed", strlen(ref),
		    RELEASE_REF_SIZE - 1);
	strcpy(release->ref, ref);
	strcpy(release->commit, commit);
	return 0;
}

static int
choose_one(
    const struct push *push, const struct source_ref *refs, size_t count, struct releases *out, struct err *err)
{
	const struct source_ref *ref = find_ref(refs, count, push->ref, NULL);

	if (!push->commit)
		return ref ? add(out, ref->name, ref->commit, err)
			   : drop_bad(err, "push.json: ref \"%.200s\" is not in the drop", push->ref);
	if (push->ref && ref && strcmp(ref->commit, push->commit))
		return drop_bad(err, "push.json: says commit %s, but ref %.200s names %s", push->commit,
		    push->ref, ref->commit);
	if (push->ref)
		return add(out, push->ref, push->commit, err);
	ref = find_ref(refs, count, NULL, push->commit);
	return ref ? add(out, ref->name, push->commit, err)
		   : drop_bad(
			 err, "push.json: no ref of the drop names commit %s; say \"ref\" too", push->commit);
}

static int
choose(
    const struct push *push, const struct source_ref *refs, size_t count, struct releases *out, struct err *err)
{
	int r = 0;

	if (push->ref || push->commit)
		return choose_one(push, refs, count, out, err);
	if (count == 0)
		return drop_bad(err, "there is no ref below refs/heads, so nothing says what to publish");
	if (push->name && count > 1)
		return drop_bad(err,
		    "push.json: gives one name to %zu refs (%.100s, %.100s ...); say \"ref\" too", count,
		    refs[0].name, refs[1].name);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add(out, refs[i].name, refs[i].commit, err);
	return r;
}

/* -- what they are called -- */

static int
set_name(struct release *release, const struct push *push, struct err *err)
{
	const char *slash = strrchr(release->ref, '/');
	const char *name = push->name ? push->name : slash ? slash + 1 : release->ref;

	if (name_check_package(name, err) < 0) {
		err_context(
		    err, 0, "%s", push->name ? "push.json" : "named after the ref; push.json can give another");
		return DROP_BAD;
	}
	strcpy(release->name, name);
	return 0;
}

static int
set_version(struct release *release, const struct push *push, const struct commit_info *info, struct err *err)
{
	const char *version = push->version   ? push->version
			      : info->version ? json_string_value(info->version)
					      : release->commit;

	if (name_check_version(version, err) < 0) {
		err_context(err, 0, "%s",
		    push->version ? "push.json" : "commit's metadata; push.json can give another");
		return DROP_BAD;
	}
	strcpy(release->version, version);
	if (strlen(release->name) + 1 + strlen(version) > NAME_TARGET_MAX)
		return drop_bad(err, "name and version have %zu bytes together, at most %d are allowed",
		    strlen(release->name) + 1 + strlen(version), NAME_TARGET_MAX);
	return 0;
}

static bool
contains(const json_t *list, const json_t *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), text))
			return true;
	return false;
}

int
push_hardware(const json_t *from, const char *where, json_t *to, struct err *err)
{
	size_t i;
	json_t *value;

	json_array_foreach(from, i, value)
	{
		const char *id = json_string_value(value);

		if (i == RELEASE_HARDWARE_MAX)
			return drop_bad(err, "%s: more than %d hardware ids", where, RELEASE_HARDWARE_MAX);
		if (!id)
			return drop_bad(err, "%s: hardware id %zu is no text", where, i + 1);
		if (name_check_hardware(id, err) < 0) {
			err_context(err, 0, "%s", where);
			return DROP_BAD;
		}
		if (!contains(to, value) && json_array_append(to, value) < 0)
			return err_set(err, ENOMEM, "no memory");
	}
	return json_array_size(to) ? 0 : drop_bad(err, "%s: the list of hardware ids is empty", where);
}

static int
set_hardware(struct release *release, const struct push *push, const struct commit_info *info, struct err *err)
{
	release->hardware = json_array();
	if (!release->hardware)
		return err_set(err, ENOMEM, "no memory");
	if (push->hardware)
		return push_hardware(push->hardware, "push.json", release->hardware, err);
	if (info->hardware)
		return push_hardware(info->hardware, "commit's ota.hardware-ids", release->hardware, err);
	/* meta-updater's rule: the branch is the machine. */
	json_array_append_new(release->hardware, json_stringn(release->ref, strcspn(release->ref, "/")));
	return 0;
}

static int
describe(struct release *release, const struct push *push, push_read_commit *read_commit, void *data,
    struct err *err)
{
	struct commit_info info = { 0 };
	int r;

	r = read_commit(data, release->commit, &info, err);
	if (r == 0)
		r = set_name(release, push, err);
	if (r == 0)
		r = set_version(release, push, &info, err);
	if (r == 0)
		r = set_hardware(release, push, &info, err);
	commit_info_done(&info);
	release->comment = json_incref(push->comment);
	return r == DROP_BAD ? err_context(err, r, "ref %.100s", release->ref) : r;
}

int
push_plan(const char *text, size_t bytes, const struct source_ref *refs, size_t count,
    push_read_commit *read_commit, void *data, struct releases *out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	struct push push = { 0 };
	int r = 0;

	if (text && json_read(text, bytes, "push.json", &json, err) < 0)
		return DROP_BAD;
	if (json)
		r = read_push(json, &push, err);
	if (r == 0)
		r = choose(&push, refs, count, out, err);
	for (size_t i = 0; r == 0 && i < out->count; i++)
		r = describe(&out->list[i], &push, read_commit, data, err);
	return r;
}
