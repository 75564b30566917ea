#include "watcher/repo.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "sign/key.h"
#include "store/publish.h"

#define JSON_TYPE "Content-Type: application/json\r\n"
/** Keys and roles of trusted delegations are far smaller. */
#define TRUST_BODY_MAX (256 * 1024)
#define ROOT_BODY_MAX (64 * 1024)
/** snapshot.json is read by devices up to 64 KiB. */
#define SMALL_FILE_MAX (1024 * 1024)

/* Large documents are read one at a time, for what they become in memory; and trust, of which a request changes
 * a part, is changed by one at a time. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static pthread_mutex_t *
take_turn(void)
{
	pthread_mutex_lock(&turn);
	return &turn;
}

static void
end_turn(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

void
repo_refuse(struct api_request *request, int r, const char *status, const char *code, const struct err *err)
{
	if (r == DROP_BAD)
		api_refuse(request, status, code, "%s", err->text);
	else if (r == LIMITS_REFUSED)
		api_refuse_limit(request, err);
	else if (r == -ENOKEY)
		api_refuse(request, "412 Precondition Failed", "role_keys_not_found", "%s", err->text);
	else
		api_refuse_err(request, "not_available", err);
}

static void
reply_json(struct api_request *request, const json_t *json)
{
	AUTO(free_p) char *text = json_write(json);

	if (!text)
		api_refuse(request, "503 Service Unavailable", "not_available", "no memory");
	else
		api_reply(request, "200 OK", JSON_TYPE, text, strlen(text));
}

static void
reply_done(struct api_request *request)
{
	api_reply(request, "204 No Content", "", NULL, 0);
}

/* -- roles -- */

static void
reply_role(struct api_request *request, const char *text, size_t bytes, const char *checksum)
{
	char headers[256];

	snprintf(headers, sizeof(headers), JSON_TYPE "x-ats-role-checksum: %s\r\n", checksum);
	api_reply(request, "200 OK", headers, text, bytes);
}

static void
send_root(struct api_request *request, int version)
{
	AUTO(free_p) char *text = NULL;
	char checksum[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	size_t bytes;
	int r = client_root(request->api->signer, REPOSITORY_IMAGE, version, &text, &bytes, &err);

	if (r == CLIENT_NO_ROOT) {
		api_refuse(
		    request, "404 Not Found", "root_role_not_found", "there is no %d.root.json", version);
	} else if (r < 0) {
		api_refuse_err(request, "not_available", &err);
	} else {
		digest_sha256_hex(text, bytes, checksum);
		reply_role(request, text, bytes, checksum);
	}
}

static void
get_root(struct api_request *request, const char *rest)
{
	(void)rest;
	send_root(request, 0);
}

static void
get_numbered_root(struct api_request *request, const char *rest)
{
	char *end;
	long version = strtol(rest, &end, 10);

	if (*rest < '1' || *rest > '9' || strcmp(end, ".root.json") || version > INT32_MAX)
		api_refuse(request, "404 Not Found", "root_role_not_found", "%.64s is no root's name", rest);
	else
		send_root(request, (int)version);
}

void
repo_get_targets(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *text = NULL;
	char checksum[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	size_t bytes;
	int r = image_read(request->api->image, NULL, &text, &bytes, checksum, &err);

	(void)rest;
	if (r == 0)
		reply_role(request, text, bytes, checksum);
	else if (r == PUBLISH_NONE)
		api_refuse(request, "404 Not Found", "signed_role_not_found", "nothing is published yet");
	else
		api_refuse_err(request, "not_available", &err);
}

/* snapshot.json or timestamp.json, made here of what is published. */
static void
get_online_role(struct api_request *request, const char *name)
{
	AUTO(free_p) char *text = NULL;
	char path[64], checksum[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	size_t bytes;
	int r;

	snprintf(path, sizeof(path), "published/current/%s", name);
	r = file_read(request->api->repository, path, SMALL_FILE_MAX, &text, &bytes, &err);
	if (r == -ENOENT) {
		api_refuse(request, "404 Not Found", "signed_role_not_found", "nothing is published yet");
	} else if (r < 0) {
		api_refuse_err(request, "not_available", &err);
	} else {
		digest_sha256_hex(text, bytes, checksum);
		reply_role(request, text, bytes, checksum);
	}
}

static void
get_snapshot(struct api_request *request, const char *rest)
{
	(void)rest;
	get_online_role(request, "snapshot.json");
}

static void
get_timestamp(struct api_request *request, const char *rest)
{
	(void)rest;
	get_online_role(request, "timestamp.json");
}

static void
put_targets(struct api_request *request, const char *rest)
{
	const char *checksum = scgi_get(request->scgi, "HTTP_X_ATS_ROLE_CHECKSUM");
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	char headers[80];
	size_t bytes;
	int r;

	(void)rest;
	if (api_body(request, IMAGE_TARGETS_MAX, &text, &bytes) < 0)
		return;

	AUTO(end_turn) pthread_mutex_t *held = take_turn();
	(void)held;
	r = image_put_targets(request->api->image, text, bytes, *checksum ? checksum : NULL,
	    &(struct image_judge){ limits_judge, &request->limits }, &err);
	snprintf(headers, sizeof(headers), "x-ats-targets-role-size-limit: %d\r\n", IMAGE_PUSHED_MAX);
	if (r == 0)
		api_reply(request, "204 No Content", headers, NULL, 0);
	else if (r == IMAGE_NO_CHECKSUM)
		api_refuse(request, "428 Precondition Required", "role_checksum_not_provided", "%s", err.text);
	else if (r == IMAGE_OTHER_CHECKSUM)
		api_refuse(request, "412 Precondition Failed", "role_checksum_mismatch", "%s", err.text);
	else if (r == IMAGE_OTHER_VERSION)
		api_refuse(request, "409 Conflict", "invalid_version_bump", "%s", err.text);
	else
		repo_refuse(request, r, "400 Bad Request", "invalid_offline_targets", &err);
}

static void
post_root(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	int r;

	(void)rest;
	if (api_body(request, ROOT_BODY_MAX, &text, &bytes) < 0)
		return;
	r = image_put_root(request->api->image, text, bytes, &err);
	if (r == 0 || r == IMAGE_HELD_BACK)
		reply_done(request);
	else
		repo_refuse(request, r, "400 Bad Request", "invalid_root_role", &err);
}

/* -- the root key -- */

static void
refuse_key(struct api_request *request, int r, const struct err *err)
{
	if (r == CLIENT_NO_KEY)
		api_refuse(request, "403 Forbidden", "private_key_not_available", "%s", err->text);
	else
		api_refuse_err(request, "not_available", err);
}

static bool
is_key_id(struct api_request *request, const char *keyid)
{
	if (digest_is_sha256_hex(keyid))
		return true;
	api_refuse(request, "404 Not Found", "key_not_found", "a key id has 64 lower-case hex digits");
	return false;
}

static void
get_private_key(struct api_request *request, const char *keyid)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	int r;

	if (!is_key_id(request, keyid))
		return;
	r = client_take_key(request->api->signer, keyid, &text, &bytes, &err);
	if (r) {
		refuse_key(request, r, &err);
		return;
	}
	api_reply(request, "200 OK", JSON_TYPE "Cache-Control: no-store\r\n", text, bytes);
	explicit_bzero(text, bytes);
	free(text);
}

static void
delete_private_key(struct api_request *request, const char *keyid)
{
	struct err err = { 0 };
	int r;

	if (!is_key_id(request, keyid))
		return;
	r = client_delete_key(request->api->signer, keyid, &err);
	if (r)
		refuse_key(request, r, &err);
	else
		reply_done(request);
}

/* -- delegations -- */

static json_t *
trust_of(struct api_request *request)
{
	json_t *trust = image_trust(request->api->image);

	if (!trust)
		api_refuse(request, "503 Service Unavailable", "not_available", "no memory");
	return trust;
}

static void
get_trust_roles(struct api_request *request, const char *rest)
{
	AUTO(json_decref_p) json_t *trust = trust_of(request);

	(void)rest;
	if (trust)
		reply_json(request, json_object_get(trust, "roles"));
}

static void
get_trust_keys(struct api_request *request, const char *rest)
{
	AUTO(json_decref_p) json_t *trust = trust_of(request);
	AUTO(json_decref_p) json_t *list = json_array();
	const char *id;
	json_t *key;

	(void)rest;
	if (!trust)
		return;
	json_object_foreach(json_object_get(trust, "keys"), id, key) json_array_append(list, key);
	reply_json(request, list);
}

/* Reads the body, a JSON array; NULL when the request is refused already. */
static json_t *
read_list(struct api_request *request)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *list = NULL;
	struct err err = { 0 };
	size_t bytes;

	if (api_body(request, TRUST_BODY_MAX, &text, &bytes) < 0)
		return NULL;
	if (json_read(text, bytes, "the body", &list, &err) < 0) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "%s", err.text);
		return NULL;
	}
	if (!json_is_array(list)) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "the body is no JSON array");
		return NULL;
	}
	return MOVE(list);
}

/* Publishes the present trust with @member set to @value, which is taken over. */
static void
set_trust(struct api_request *request, const char *member, json_t *value)
{
	AUTO(json_decref_p) json_t *present = trust_of(request);
	AUTO(json_decref_p) json_t *trust = present ? json_copy(present) : NULL;
	struct err err = { 0 };
	int r;

	if (!present) {
		json_decref(value);
		return;
	}
	if (!trust || !value || json_object_set_new(trust, member, value) < 0) {
		api_refuse(request, "503 Service Unavailable", "not_available", "no memory");
		return;
	}
	r = image_put_trust(request->api->image, trust, &err);
	if (r)
		repo_refuse(request, r, "400 Bad Request", "invalid_trusted_delegations", &err);
	else
		reply_done(request);
}

static void
put_trust_roles(struct api_request *request, const char *rest)
{
	json_t *list = read_list(request);
	AUTO(end_turn) pthread_mutex_t *held = take_turn();

	(void)rest;
	(void)held;
	if (list)
		set_trust(request, "roles", list);
}

/* The keys of @list by their ids; NULL and the reason in @err if one is none. */
static json_t *
keys_by_id(const json_t *list, struct err *err)
{
	AUTO(json_decref_p) json_t *keys = json_object();
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json)
	{
		AUTO(public_key_freep) struct public_key *key = NULL;

		if (public_key_read(json, "trusted delegations", &key, err) < 0)
			return NULL;
		json_object_set_new(keys, public_key_id(key), public_key_json(key));
	}
	return MOVE(keys);
}

static void
put_trust_keys(struct api_request *request, const char *rest)
{
	AUTO(json_decref_p) json_t *list = read_list(request);
	AUTO(end_turn) pthread_mutex_t *held = take_turn();
	struct err err = { 0 };
	json_t *keys;

	(void)rest;
	(void)held;
	if (!list)
		return;
	keys = keys_by_id(list, &err);
	if (keys)
		set_trust(request, "keys", keys);
	else
		api_refuse(request, "400 Bad Request", "invalid_entity", "%s", err.text);
}

static void
delete_trust(struct api_request *request, const char *name)
{
	AUTO(end_turn) pthread_mutex_t *held = take_turn();
	AUTO(json_decref_p) json_t *trust = trust_of(request);
	json_t *roles = json_array(), *role;
	bool is_found = false;
	size_t i;

	(void)held;

	json_array_foreach(json_object_get(trust, "roles"), i, role)
	{
		if (!strcmp(json_text(role, "name") ?: "", name))
			is_found = true;
		else
			json_array_append(roles, role);
	}
	if (is_found) {
		set_trust(request, "roles", roles);
		return;
	}
	json_decref(roles);
	api_refuse(request, "404 Not Found", "delegations_not_found", "there is no delegation \"%.64s\"", name);
}

/* Takes ".json" off @rest; false when it is not there, and the request refused. */
static bool
read_delegation_name(struct api_request *request, const char *rest, char *name, size_t room)
{
	size_t n = strlen(rest);

	if (n > 5 && n - 5 < room && !strcmp(rest + n - 5, ".json")) {
		snprintf(name, room, "%.*s", (int)(n - 5), rest);
		return true;
	}
	api_refuse(request, "404 Not Found", "delegations_not_found", "\"%.64s\" is not NAME.json", rest);
	return false;
}

static void
get_delegation(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *text = NULL;
	char name[128], checksum[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	size_t bytes;
	int r;

	if (!read_delegation_name(request, rest, name, sizeof(name)))
		return;
	r = image_read(request->api->image, name, &text, &bytes, checksum, &err);
	if (r == 0)
		reply_role(request, text, bytes, checksum);
	else if (r < 0)
		api_refuse_err(request, "not_available", &err);
	else
		api_refuse(request, "404 Not Found", "delegations_not_found", "%s", err.text);
}

static void
put_delegation(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	const char *code;
	char name[128];
	size_t bytes;
	int r;

	if (!read_delegation_name(request, rest, name, sizeof(name)) ||
	    api_body(request, IMAGE_TARGETS_MAX, &text, &bytes) < 0)
		return;

	AUTO(end_turn) pthread_mutex_t *held = take_turn();
	(void)held;
	r = image_put_delegation(request->api->image, name, text, bytes,
	    &(struct image_judge){ limits_judge, &request->limits }, &err);
	/* Old clients tell people the code only: whether a signature is bad, or what was signed. */
	code = err.code == EKEYREJECTED ? "payload_signature_invalid" : "invalid_delegated_target";
	if (r == 0)
		reply_done(request);
	else if (r == IMAGE_NO_DELEGATION)
		api_refuse(request, "400 Bad Request", "delegations_not_defined", "%s", err.text);
	else
		repo_refuse(request, r, "400 Bad Request", code, &err);
}

/* -- the store -- */

static void
delete_ostree(struct api_request *request, const char *rest)
{
	(void)rest;
	upkeep_wake(request->api->upkeep);
	api_reply(request, "202 Accepted", "", NULL, 0);
}

static const char *const prefixes[] = { REPO_PREFIX, "/repo" REPO_PREFIX, NULL };

static const struct api_route routes[] = {
	{ "HEAD GET", "root.json", get_root, API_PUSHER },
	{ "HEAD GET", "*.root.json", get_numbered_root, API_PUSHER },
	{ "HEAD GET", "targets.json", repo_get_targets, API_PUSHER },
	{ "HEAD GET", "snapshot.json", get_snapshot, API_PUSHER },
	{ "HEAD GET", "timestamp.json", get_timestamp, API_PUSHER },
	{ "PUT", "targets", put_targets, API_BUILDER },
	{ "POST", "root", post_root, API_OWNER },
	{ "GET", "root/private_keys/", get_private_key, API_OWNER },
	{ "DELETE", "root/private_keys/", delete_private_key, API_OWNER },
	{ "HEAD GET", "trusted-delegations", get_trust_roles, API_PUSHER },
	{ "PUT", "trusted-delegations", put_trust_roles, API_OWNER },
	{ "HEAD GET", "trusted-delegations/keys", get_trust_keys, API_PUSHER },
	{ "PUT", "trusted-delegations/keys", put_trust_keys, API_OWNER },
	{ "DELETE", "trusted-delegations/", delete_trust, API_OWNER },
	{ "HEAD GET", "delegations/", get_delegation, API_PUSHER },
	{ "PUT", "delegations/", put_delegation, API_BUILDER },
	{ "DELETE", "ostree", delete_ostree, API_BUILDER },
	{ "HEAD GET", "targets/", package_get, API_PUSHER },
	{ "PUT", "targets/", package_put, API_PUSHER },
	{ "POST", "targets/", package_post, API_PUSHER },
	{ "DELETE", "targets/", package_delete, API_OWNER },
	{ "POST", "multipart/initiate/", parts_initiate, API_PUSHER },
	{ "GET", "multipart/url/", parts_url, API_PUSHER },
	{ "PUT", "multipart/part/", parts_put, API_PUSHER },
	{ "PUT", "multipart/complete/", parts_complete, API_PUSHER },
	{ "HEAD GET", "uploads/", parts_verify, API_PUSHER },
	{ 0 },
};

static const struct api_route public_routes[] = {
	{ "HEAD GET", "download/", parts_download, API_PUSHER },
	{ 0 },
};

const struct api_table repo_table = { prefixes, routes, false };
const struct api_table repo_public_table = { prefixes, public_routes, true };
