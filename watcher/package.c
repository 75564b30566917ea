/* Binary targets as Repo Server takes them: PUT with the bytes, POST with a description of what lies elsewhere.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "store/binary.h"
#include "store/offer.h"
#include "store/source.h"
#include "store/upload.h"
#include "watcher/multipart.h"
#include "watcher/push.h"
#include "watcher/repo.h"

#define PIECE_BYTES (64 * 1024)
/** The description of one target. */
#define DESCRIPTION_MAX (64 * 1024)
/** hardwareIds in a query. */
#define QUERY_IDS_SIZE 4096

bool
package_check_name(struct api_request *request, const char *file)
{
	struct err err = { 0 };

	if (offer_check_name(file, &err) == 0)
		return true;
	api_refuse(request, "400 Bad Request", "invalid_entity", "%s", err.text);
	return false;
}

/* -- what is published -- */

struct search {
	const char *file;
	struct package *package;
	bool is_found;
};

/* The first that is found counts: targets.json comes before delegations, as for devices. */
static int
look(const char *file, const json_t *target, void *data, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *format = json_text(custom, "targetFormat");
	struct search *search = data;

	(void)err;
	if (search->is_found || strcmp(file, search->file))
		return 0;
	search->is_found = true;
	search->package->is_binary = !format || strcmp(format, "OSTREE");
	snprintf(search->package->sha256, DIGEST_HEX_SIZE, "%s",
	    json_text(json_object_get(target, "hashes"), "sha256") ?: "");
	snprintf(search->package->uri, sizeof(search->package->uri), "%s", json_text(custom, "uri") ?: "");
	return 0;
}

int
package_find(const struct api *api, const char *file, struct package *package, struct err *err)
{
	struct search search = { file, package, false };
	int r;

	memset(package, 0, sizeof(*package));
	r = image_each(api->image, look, &search, err);
	if (r == 0 && !search.is_found) {
		err_set(err, ENOENT, "no target has the file name %.128s", file);
		return PACKAGE_NONE;
	}
	return r;
}

void
package_send(struct api_request *request, const char *sha256)
{
	struct err err = { 0 };
	uint64_t bytes;
	char path[128];

	if (digest_is_sha256_hex(sha256))
		binary_has(request->api->repository, sha256, &bytes, &err); /* it is relied on */
	snprintf(path, sizeof(path), "binaries/%.2s/%s", sha256, strlen(sha256) > 2 ? sha256 + 2 : "");
	api_file(request, request->api->repository, path, "application/octet-stream", "missing_entity");
}

/* A header must not be continued by what somebody signed. */
static bool
is_url(const char *uri)
{
	for (const char *p = uri; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *uri;
}

void
package_get(struct api_request *request, const char *file)
{
	struct package package;
	struct err err = { 0 };
	char headers[1100];
	uint64_t bytes;
	int r = package_find(request->api, file, &package, &err);

	if (r < 0) {
		api_refuse_err(request, "not_available", &err);
	} else if (r == PACKAGE_NONE) {
		api_refuse(request, "404 Not Found", "missing_entity", "%s", err.text);
	} else if (!package.is_binary) {
		api_refuse(request, "404 Not Found", "missing_entity",
		    "%.128s is an OSTree commit, to be pulled from TreeHub", file);
	} else if (binary_has(request->api->repository, package.sha256, &bytes, &err) == BINARY_NONE &&
		   is_url(package.uri)) {
		snprintf(headers, sizeof(headers), "Location: %s\r\n", package.uri);
		api_reply(request, "302 Found", headers, NULL, 0);
	} else {
		package_send(request, package.sha256);
	}
}

void
package_delete(struct api_request *request, const char *file)
{
	const char *const files[] = { file };
	struct package package;
	struct err err = { 0 };
	int r = package_find(request->api, file, &package, &err);

	if (r == PACKAGE_NONE) {
		api_refuse(request, "404 Not Found", "missing_entity", "%s", err.text);
		return;
	}
	if (r == 0)
		r = image_retire(request->api->image, files, 1, &err);
	if (r == 0)
		api_reply(request, "204 No Content", "", NULL, 0);
	else
		repo_refuse(request, r, "409 Conflict", "target_in_use", &err);
}

/* -- publishing -- */

/* Refuses before bytes come that nobody here could offer. */
static bool
is_online(struct api_request *request)
{
	struct err err = { 0 };
	int r = client_can_sign(request->api->signer, REPOSITORY_IMAGE, ROLE_TARGETS, &err);

	if (r == CLIENT_OFFLINE)
		api_refuse(request, "412 Precondition Failed", "role_keys_not_found",
		    "the keys of targets are off line: sign targets with them and push those");
	else if (r < 0)
		api_refuse_err(request, "not_available", &err);
	return r == 0;
}

static int
set_text(const char *text, char *out, size_t room, const char *what, struct err *err)
{
	if (strlen(text) >= room)
		return drop_bad(err, "the %s is longer than %zu characters", what, room - 1);
	snprintf(out, room, "%s", text);
	return 0;
}

/* Sets what both ways of publishing have, if the builder may; @hardware is an array of text. */
static int
describe(const struct limits *limits, struct release *release, const char *file, const char *name,
    const char *version, const char *format, const json_t *hardware, struct err *err)
{
	int r;

	if (strcmp(format, "BINARY") && strcmp(format, "OSTREE"))
		return drop_bad(err, "the targetFormat \"%.32s\" is neither BINARY nor OSTREE", format);
	release->is_binary = !strcmp(format, "BINARY");
	if ((r = set_text(file, release->target, sizeof(release->target), "file name", err)) ||
	    (r = set_text(name, release->name, sizeof(release->name), "name", err)) ||
	    (r = set_text(version, release->version, sizeof(release->version), "version", err)))
		return r;
	if (name_check_package(name, err) < 0 || name_check_version(version, err) < 0)
		return DROP_BAD;
	release->hardware = json_array();
	if (!release->hardware)
		return err_set(err, ENOMEM, "no memory");
	r = push_hardware(hardware, "hardwareIds", release->hardware, err);
	if (r == 0 && json_array_size(release->hardware) == 0)
		return drop_bad(err, "hardwareIds has no hardware id");
	return r ? r : limits_check_package(limits, release->name, release->hardware, err);
}

/* Publishes what came by PUT with its bytes, or by POST without. */
static void
publish(struct api_request *request, struct releases *releases, struct binary *binary)
{
	const struct image_judge judge = { limits_judge, &request->limits };
	struct err err = { 0 };
	int r, version;

	releases->judge = &judge;
	r = image_check(request->api->image, releases, &err);
	if (r == IMAGE_OFFLINE)
		r = -ENOKEY;
	if (r == 0 && binary)
		r = binary_commit(binary, &err);
	if (r == 0)
		r = image_publish(request->api->image, releases, &version, &err);
	if (r && r != IMAGE_SAME)
		repo_refuse(request, r, "409 Conflict", "conflicting_entity", &err);
	else if (binary)
		api_reply(request, "204 No Content", "", NULL, 0);
	else
		repo_get_targets(request, NULL);
}

/* "a,b" as an array. */
static json_t *
split(const char *ids)
{
	json_t *list = json_array();

	while (*ids) {
		size_t n = strcspn(ids, ",");

		if (n)
			json_array_append_new(list, json_stringn(ids, n));
		ids += n + (ids[n] == ',');
	}
	return list;
}

static int
describe_by_query(struct api_request *request, const char *file, struct release *release, struct err *err)
{
	char name[256], version[256], format[32] = "BINARY", ids[QUERY_IDS_SIZE];
	AUTO(json_decref_p) json_t *hardware = NULL;

	if (!api_query(request, "name", name, sizeof(name)) ||
	    !api_query(request, "version", version, sizeof(version)) ||
	    !api_query(request, "hardwareIds", ids, sizeof(ids)))
		return drop_bad(err, "the query needs name, version and hardwareIds");
	api_query(request, "targetFormat", format, sizeof(format));
	hardware = split(ids);
	if (strcmp(format, "BINARY"))
		return drop_bad(err, "only a BINARY has bytes here; push commits to TreeHub");
	return describe(&request->limits, release, file, name, version, format, hardware, err);
}

static int
sink(void *data, const char *bytes, size_t count, struct err *err)
{
	return binary_write(data, bytes, count, err);
}

/* Takes the body into @binary: as it is, or the part "file" of a form. */
static int
receive(struct api_request *request, struct binary *binary, struct err *err)
{
	const char *type = scgi_get(request->scgi, "CONTENT_TYPE");
	bool is_form = !strncasecmp(type, "multipart/form-data", 19);
	AUTO(free_p) char *piece = malloc(PIECE_BYTES);
	AUTO(free_p) struct multipart *form = malloc(sizeof(*form));
	ssize_t n;
	int r = 0;

	if (!piece || !form)
		return err_set(err, ENOMEM, "no memory");
	if (is_form && (r = multipart_init(form, type, "file", sink, binary, err)) < 0)
		return r;
	while ((n = api_read(request, piece, PIECE_BYTES, err)) > 0) {
		r = is_form ? multipart_write(form, piece, (size_t)n, err)
			    : binary_write(binary, piece, (size_t)n, err);
		if (r)
			return r;
	}
	if (n == 0 && is_form)
		return multipart_end(form, err);
	return (int)n;
}

void
package_put(struct api_request *request, const char *file)
{
	AUTO(binary_freep) struct binary *binary = NULL;
	AUTO(releases_done) struct releases releases = { 0 };
	struct release *release = releases_add(&releases);
	struct err err = { 0 };
	int r;

	if (!package_check_name(request, file) || !is_online(request))
		return;
	if (!release || (r = describe_by_query(request, file, release, &err))) {
		if (release)
			repo_refuse(request, r, "400 Bad Request", "invalid_entity", &err);
		return;
	}
	if (request->length == 0) {
		api_refuse(request, "411 Length Required", "length_required", "the request has no body");
		return;
	}
	if ((r = binary_new(request->api->repository, request->length, &binary, &err)) < 0 ||
	    (r = receive(request, binary, &err)) || (r = binary_end(binary, &err)) < 0) {
		repo_refuse(request, r, "400 Bad Request", "invalid_entity", &err);
		return;
	}
	release->length = binary_length(binary);
	snprintf(release->commit, sizeof(release->commit), "%s", binary_sha256(binary));
	publish(request, &releases, binary);
}

/* What the description says of the content has to be here, or to have a uri. */
static int
check_content(struct api_request *request, const struct release *release, struct err *err)
{
	uint64_t bytes;
	int r;

	if (release->uri && (r = offer_check_uri(json_string_value(release->uri), err)))
		return r;
	if (release->is_binary && !release->uri) {
		r = binary_has(request->api->repository, release->commit, &bytes, err);
		if (r == BINARY_NONE || (r == 0 && bytes != release->length))
			return drop_bad(err, "there are no such bytes here, and no uri says where they are");
		return r;
	}
	if (!release->is_binary) {
		r = upload_has(request->api->ingest, release->commit, "commit", err);
		if (r == SOURCE_MISSING)
			return drop_bad(err, "commit %s was not pushed to TreeHub", release->commit);
		return r ? r : ingest_check_complete(request->api->ingest, release->commit, err);
	}
	return 0;
}

static int
describe_by_json(
    const struct limits *limits, const json_t *json, const char *file, struct release *release, struct err *err)
{
	const json_t *checksum = json_object_get(json, "checksum");
	const char *method = json_text(checksum, "method"), *hash = json_text(checksum, "hash"),
		   *name = json_text(json, "name"), *version = json_text(json, "version");
	int64_t length;

	if (!name || !version || !method || !hash)
		return drop_bad(err, "name, version and checksum {method, hash} are needed");
	if (strcasecmp(method, "sha256") || !digest_is_sha256_hex(hash))
		return drop_bad(err, "the checksum is no sha256 of 64 lower-case hex digits");
	if (json_need_integer(json, "length", "the body", INT64_MAX, &length, err) < 0)
		return DROP_BAD;
	snprintf(release->commit, sizeof(release->commit), "%s", hash);
	if (*(json_text(json, "uri") ?: ""))
		release->uri = json_incref(json_object_get(json, "uri"));
	release->length = (uint64_t)length;
	return describe(limits, release, file, name, version, json_text(json, "targetFormat") ?: "BINARY",
	    json_object_get(json, "hardwareIds"), err);
}

void
package_post(struct api_request *request, const char *file)
{
	AUTO(releases_done) struct releases releases = { 0 };
	struct release *release = releases_add(&releases);
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	int r;

	if (!release || !package_check_name(request, file) || !is_online(request) ||
	    api_body(request, DESCRIPTION_MAX, &text, &bytes) < 0)
		return;
	if ((r = json_read(text, bytes, "the body", &json, &err)) < 0 ||
	    (r = describe_by_json(&request->limits, json, file, release, &err)) ||
	    (r = check_content(request, release, &err))) {
		repo_refuse(request, r, "400 Bad Request", "invalid_entity", &err);
		return;
	}
	if (!release->is_binary)
		release->length = 0;
	publish(request, &releases, NULL);
}
