#include "tests/device/meta.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tests/device/target.h"

#define PATH_ROOM 256

static const char *
base_of(const struct trust *trust)
{
	return trust->repository == REPOSITORY_DIRECTOR ? "/director" : "/repo";
}

/* @is_news: whether to store it. */
static int
take(struct trust *trust, enum role role, const char *text, size_t bytes, bool *is_news, struct err *err)
{
	*is_news = true;
	if (role == ROLE_ROOT)
		return trust_first_root(trust, text, bytes, err);
	if (trust->repository == REPOSITORY_DIRECTOR)
		return trust_director_targets(trust, text, bytes, is_news, err);
	if (role == ROLE_TIMESTAMP)
		return trust_timestamp(trust, text, bytes, err);
	return role == ROLE_SNAPSHOT ? trust_snapshot(trust, text, bytes, err)
				     : trust_image_targets(trust, text, bytes, err);
}

/* Takes what is stored. Nothing stored is fine, and what is no good any more gets fetched again; but a root
 * that was trusted has to stay so. */
static int
load(struct device *device, struct trust *trust, enum role role, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	bool is_news;
	int r = store_read_metadata(device->store, trust->repository, role, &text, &bytes, err);

	if (r)
		return r == STORE_NONE ? 0 : r;
	r = take(trust, role, text, bytes, &is_news, err);
	if (r == 0 || role == ROLE_ROOT)
		return r;
	log_line(LOG_NOTICE, "stored=%s/%s usable=no reason=\"%s\"", repository_name(trust->repository),
	    role_name(role), err->text);
	return 0;
}

static int
fetch(struct device *device, struct trust *trust, enum role role, struct err *err)
{
	struct http_answer answer = { 0 };
	char path[PATH_ROOM];
	bool is_news;
	int r;

	snprintf(path, sizeof(path), "%s/%s.json", base_of(trust), role_name(role));
	r = http_get(&device->http, path, trust_limit(trust, role), &answer, err);
	if (r == 0)
		r = take(trust, role, answer.body, answer.bytes, &is_news, err);
	if (r == 0 && is_news)
		r = store_write_metadata(
		    device->store, trust->repository, role, answer.body, answer.bytes, err);
	http_answer_done(&answer);
	return r;
}

/* There is no root N: where the chain ends. */
#define ROOT_NONE 1

static int
fetch_root(struct device *device, struct trust *trust, int version, struct err *err)
{
	struct http_answer answer = { 0 };
	char path[PATH_ROOM];
	int r;

	snprintf(path, sizeof(path), "%s/%d.root.json", base_of(trust), version);
	if (http_get(&device->http, path, TRUST_SMALL_MAX, &answer, err) < 0)
		r = ROOT_NONE;
	else
		r = version == 1 ? trust_first_root(trust, answer.body, answer.bytes, err)
				 : trust_next_root(trust, answer.body, answer.bytes, err);
	if (r == 0)
		r = store_write_metadata(
		    device->store, trust->repository, ROLE_ROOT, answer.body, answer.bytes, err);
	if (r == 0 && version > 1)
		r = store_forget_metadata(device->store, trust->repository, err);
	http_answer_done(&answer);
	return r;
}

/* The first failure of any kind ends the chain silently; but a first root there must be. */
static int
update_root(struct device *device, struct trust *trust, int64_t now, struct err *err)
{
	int r = load(device, trust, ROLE_ROOT, err);

	if (r == 0 && !trust->document[ROLE_ROOT])
		r = fetch_root(device, trust, 1, err);
	if (r == ROOT_NONE)
		return -err->code;
	while (r == 0)
		r = fetch_root(device, trust, trust_version(trust, ROLE_ROOT) + 1, err);
	return r < 0 ? r : trust_check_expiry(trust, ROLE_ROOT, now, err);
}

static int
update_director(struct device *device, struct trust *trust, int64_t now, struct err *err)
{
	int r;

	if ((r = load(device, trust, ROLE_TARGETS, err)) < 0 ||
	    (r = fetch(device, trust, ROLE_TARGETS, err)) < 0)
		return r;
	return trust_check_expiry(trust, ROLE_TARGETS, now, err);
}

static int
update_image(struct device *device, struct trust *trust, int64_t now, struct err *err)
{
	static const enum role order[] = { ROLE_TIMESTAMP, ROLE_SNAPSHOT, ROLE_TARGETS };
	int r = 0;

	/* All that is stored first: it was consistent then, and says what a rollback would be. */
	for (size_t i = 0; r == 0 && i < 3; i++)
		r = load(device, trust, order[i], err);
	for (size_t i = 0; r == 0 && i < 3; i++) {
		if (order[i] == ROLE_TIMESTAMP || !trust_is_current(trust, order[i]))
			r = fetch(device, trust, order[i], err);
		if (r == 0)
			r = trust_check_expiry(trust, order[i], now, err);
	}
	return r;
}

int
meta_update(struct device *device, struct trust *trust, int64_t now, struct err *err)
{
	int r = update_root(device, trust, now, err);

	if (r < 0)
		return r;
	return trust->repository == REPOSITORY_DIRECTOR ? update_director(device, trust, now, err)
							: update_image(device, trust, now, err);
}

/* What the search for one target needs on its way down. */
struct search {
	struct device *device;
	const struct trust *image;
	const char *name;
	const json_t *target;
	int64_t now;
	json_t *found; /* owned */
};

/* Nothing here nor below. */
#define FIND_NONE 1

static int
search_level(struct search *search, const json_t *part, int level, bool is_terminating, struct err *err);

static bool
is_for(const json_t *role, const char *name)
{
	const json_t *paths = json_object_get(role, "paths"), *path;

	for (size_t i = 0; (path = json_array_get(paths, i)); i++)
		if (json_is_string(path) && fnmatch(json_string_value(path), name, 0) == 0)
			return true;
	return false;
}

static int
search_delegation(struct search *search, const json_t *parent, const json_t *role, int level, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	struct http_answer answer = { 0 };
	char path[PATH_ROOM];
	int r;

	snprintf(path, sizeof(path), "/repo/delegations/%s.json", json_text(role, "name"));
	r = http_get(&search->device->http, path, TRUST_IMAGE_TARGETS_MAX, &answer, err);
	if (r == 0)
		r = trust_delegation(search->image, parent, role, answer.body, answer.bytes, &document, err);
	http_answer_done(&answer);
	if (r < 0)
		return r;
	/* An expired delegation is passed over. */
	if (trust_check_document_expiry(document, path, search->now, err) < 0)
		return FIND_NONE;
	return search_level(search, json_object_get(document, "signed"), level,
	    json_is_true(json_object_get(role, "terminating")), err);
}

static int
search_level(struct search *search, const json_t *part, int level, bool is_terminating, struct err *err)
{
	const json_t *roles = json_object_get(json_object_get(part, "delegations"), "roles"), *role;
	json_t *entry = json_object_get(json_object_get(part, "targets"), search->name);

	if (entry && target_is_same(search->name, search->target, search->name, entry)) {
		search->found = json_incref(entry);
		return 0;
	}
	if (is_terminating || level >= TRUST_DEPTH_MAX)
		return FIND_NONE;
	for (size_t i = 0; (role = json_array_get(roles, i)); i++) {
		int r = is_for(role, search->name) ? search_delegation(search, part, role, level + 1, err)
						   : FIND_NONE;

		if (r != FIND_NONE)
			return r;
	}
	return FIND_NONE;
}

int
meta_find_image(struct device *device, const struct trust *image, const char *name, const json_t *target,
    int64_t now, json_t **entry, struct err *err)
{
	struct search search = { .device = device, .image = image, .name = name, .target = target, .now = now };
	const json_t *part = trust_signed(image, ROLE_TARGETS);
	int r = search_level(&search, part, 0, false, err);

	if (r == FIND_NONE)
		return target_mismatch(
		    name, target, json_object_get(json_object_get(part, "targets"), name), err);
	*entry = search.found;
	return r;
}
