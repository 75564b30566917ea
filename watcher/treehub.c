#include "watcher/treehub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/source.h"
#include "store/upload.h"
#include "watcher/multipart.h"
#include "watcher/pushed.h"

/** What is read of a body at once. */
#define PIECE_BYTES (64 * 1024)
/** "ostree/objects/ab/62 digits.commitmeta" */
#define OBJECT_PATH_SIZE 128
/** A commit id, and a line break that some write behind it. */
#define COMMIT_BODY_MAX (DIGEST_HEX_SIZE + 1)

#define OCTETS "application/octet-stream"

/* Refs are set, and manifests written, one after the other. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
unlock_p(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *
take_lock(void)
{
	pthread_mutex_lock(&lock);
	return &lock;
}

/* -- objects -- */

/* Reads "ab/62 digits.kind"; false if it is not of that form. */
static bool
read_name(const char *rest, char checksum[static DIGEST_HEX_SIZE], const char **kind)
{
	static const char *const kinds[] = { "commit", "dirtree", "dirmeta", "filez", "commitmeta" };

	if (strlen(rest) < 67 || rest[2] != '/' || rest[65] != '.')
		return false;
	snprintf(checksum, DIGEST_HEX_SIZE, "%.2s%.62s", rest, rest + 3);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		*kind = kinds[i];
		if (!strcmp(rest + 66, *kind))
			return digest_is_sha256_hex(checksum);
	}
	return false;
}

static void
get_object(struct api_request *request, const char *rest)
{
	char checksum[DIGEST_HEX_SIZE], path[OBJECT_PATH_SIZE];
	struct err err = { 0 };
	const char *kind;
	int r;

	if (!read_name(rest, checksum, &kind)) {
		api_refuse(request, "404 Not Found", "not_found", "\"%.200s\" is no object's name", rest);
		return;
	}
	/* It is going to be relied on: this keeps garbage collection away from it. */
	r = upload_has(request->api->ingest, checksum, kind, &err);
	snprintf(path, sizeof(path), "ostree/objects/%.2s/%s.%s", checksum, checksum + 2, kind);
	if (r < 0)
		api_refuse_err(request, "not_available", &err);
	else if (r == SOURCE_MISSING)
		api_refuse(
		    request, "404 Not Found", "object_not_found", "there is no object %s.%s", checksum, kind);
	else
		api_file(request, request->api->repository, path, OCTETS, "object_not_found");
}

static int
write_upload(void *upload, const char *bytes, size_t count, struct err *err)
{
	return upload_write(upload, bytes, count, err);
}

/* Hands the body on piece by piece. 0, DROP_BAD, -errno. */
static int
receive(struct api_request *request, struct upload *upload, struct multipart *multipart, struct err *err)
{
	char piece[PIECE_BYTES];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = api_read(request, piece, sizeof(piece), err)) != 0) {
		if (n < 0)
			return (int)n;
		r = multipart ? multipart_write(multipart, piece, (size_t)n, err)
			      : upload_write(upload, piece, (size_t)n, err);
	}
	return r || !multipart ? r : multipart_end(multipart, err);
}

/* What becomes of an upload that did not work. */
static void
refuse_upload(struct api_request *request, int r, const struct err *err)
{
	if (r == DROP_BAD)
		api_refuse(request, "400 Bad Request", "object_not_accepted", "%s", err->text);
	else
		api_refuse_err(
		    request, err->code == EBADMSG ? "object_not_accepted" : "object_not_stored", err);
}

static void
upload_object(struct api_request *request, const char *checksum, const char *kind)
{
	const char *type = scgi_get(request->scgi, "CONTENT_TYPE");
	bool is_form = !strncasecmp(type, "multipart/", 10);
	AUTO(upload_freep) struct upload *upload = NULL;
	struct multipart multipart;
	struct err err = { 0 };
	int r = upload_new(request->api->ingest, checksum, kind, request->length, &upload, &err);

	if (r == UPLOAD_EXISTS) {
		api_reply(request, "409 Conflict", "", NULL, 0);
		return;
	}
	if (r == 0 && is_form)
		r = multipart_init(&multipart, type, "file", write_upload, upload, &err);
	if (r == 0)
		r = receive(request, upload, is_form ? &multipart : NULL, &err);
	if (r == 0)
		r = upload_commit(upload, &err);
	if (r)
		refuse_upload(request, r, &err);
	else
		api_reply(request, is_form ? "200 OK" : "204 No Content", "", NULL, 0);
}

static void
post_object(struct api_request *request, const char *rest)
{
	char checksum[DIGEST_HEX_SIZE];
	const char *kind;

	if (!read_name(rest, checksum, &kind))
		api_refuse(request, "400 Bad Request", "bad_object_name",
		    "\"%.200s\" is no object's name: XX/62 hex digits.commit, dirtree, dirmeta, filez or "
		    "commitmeta",
		    rest);
	else if (request->length == 0)
		api_refuse(
		    request, "411 Length Required", "length_required", "an object has a body with a length");
	else if (strcmp(kind, "filez") && request->length > SOURCE_METADATA_MAX)
		api_refuse(request, "413 Content Too Large", "object_too_large",
		    "a %s of %llu bytes: libostree takes at most %d", kind, (unsigned long long)request->length,
		    SOURCE_METADATA_MAX);
	else
		upload_object(request, checksum, kind);
}

/* -- refs -- */

static void
get_ref(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *text = NULL;
	char path[API_PATH_SIZE + 32];
	struct err err = { 0 };
	size_t bytes = 0;
	int r;

	snprintf(path, sizeof(path), "ostree/refs/%s", rest);
	r = source_read(request->api->repository, path, COMMIT_BODY_MAX, &text, &bytes, &err);
	if (r < 0)
		api_refuse_err(request, "not_available", &err);
	else if (r)
		api_refuse(request, "404 Not Found", "ref_not_found", "there is no ref %s", rest);
	else
		api_reply(request, "200 OK", "Content-Type: text/plain\r\n", text, strcspn(text, "\n"));
}

/* The body is a commit id whatever its content type says. */
static int
read_commit_id(struct api_request *request, char commit[static DIGEST_HEX_SIZE])
{
	AUTO(free_p) char *text = NULL;
	size_t bytes = 0;
	int r = api_body(request, COMMIT_BODY_MAX, &text, &bytes);

	if (r < 0)
		return r;
	text[strcspn(text, "\r\n")] = '\0';
	if (!digest_is_sha256_hex(text)) {
		api_refuse(request, "400 Bad Request", "bad_commit",
		    "the body is no commit id (64 lower-case hex digits)");
		return -EBADMSG;
	}
	strcpy(commit, text);
	return 0;
}

/* garage-push shows the status at best: the words are in failed/ too. */
static void
refuse_push(
    struct api_request *request, const char *ref, const char *commit, const char *code, const char *words)
{
	pushed_refused(request->api, request->user, ref, commit, words);
	api_refuse(request, "412 Precondition Failed", code, "%s", words);
}

/* Whether the commit and all that it needs are there; refuses the request otherwise. */
static int
check_commit(struct api_request *request, const char *ref, const char *commit)
{
	struct err err = { 0 };
	int r = upload_has(request->api->ingest, commit, "commit", &err);

	if (r == SOURCE_MISSING) {
		err_set(&err, ENOENT, "commit %s is not stored", commit);
		refuse_push(request, ref, commit, "commit_missing", err.text);
		return -ENOENT;
	}
	if (r == 0)
		r = ingest_check_complete(request->api->ingest, commit, &err);
	if (r == DROP_BAD)
		refuse_push(request, ref, commit, "objects_missing", err.text);
	else if (r < 0)
		api_refuse_err(request, "not_available", &err);
	return r ? -ENOENT : 0;
}

static int
set_ref(struct api_request *request, const char *ref, const char *commit)
{
	bool is_forced = !strcmp(scgi_get(request->scgi, "HTTP_X_ATS_OSTREE_FORCE"), "true");
	struct err err = { 0 };
	int r = ingest_set_ref(request->api->ingest, ref, commit, is_forced, &err);

	if (r == INGEST_NOT_FORWARD)
		err_context(&err, r, "x-ats-ostree-force: true would set it");
	if (r == INGEST_NO_COMMIT || r == INGEST_NOT_FORWARD)
		refuse_push(request, ref, commit, r == INGEST_NO_COMMIT ? "commit_missing" : "not_fast_forward",
		    err.text);
	else if (r == DROP_BAD)
		api_refuse(request, "400 Bad Request", "bad_ref", "%s", err.text);
	else if (r < 0)
		api_refuse_err(request, "ref_not_set", &err);
	return r;
}

/* Sets the ref and publishes what the settings say; tells all of it. */
static void
set_and_publish(struct api_request *request, const char *ref, const char *commit)
{
	struct pushed pushed;
	struct err err = { 0 };
	int r = pushed_init(&pushed, request, ref, commit, &err);

	if (r == 0 && set_ref(request, ref, commit) != 0) {
		pushed_done(&pushed); /* and the request is refused */
		return;
	}
	if (r == 0)
		r = pushed_publish(&pushed, &err);
	if (r == LIMITS_REFUSED)
		api_refuse_limit(request, &err);
	else if (r == DROP_BAD)
		api_refuse(request, "409 Conflict", "not_published", "%s", err.text);
	else if (r < 0)
		api_refuse_err(request, "not_published", &err);
	else
		api_reply(request, "200 OK", pushed.headers, commit, strlen(commit));
	pushed_done(&pushed);
}

static void
post_ref(struct api_request *request, const char *ref)
{
	char commit[DIGEST_HEX_SIZE];
	struct err err = { 0 };
	int r;

	if (strlen(ref) >= RELEASE_REF_SIZE) {
		api_refuse(request, "400 Bad Request", "bad_ref",
		    "the ref has %zu bytes, at most %d are allowed", strlen(ref), RELEASE_REF_SIZE - 1);
		return;
	}
	if (read_commit_id(request, commit) < 0)
		return;
	r = ingest_check_ref(request->api->ingest, ref, &err);
	if (r == DROP_BAD) {
		api_refuse(request, "400 Bad Request", "bad_ref", "%s", err.text);
		return;
	}
	if (r < 0) {
		api_refuse_err(request, "not_available", &err);
		return;
	}
	if (check_commit(request, ref, commit) == 0) {
		AUTO(unlock_p) pthread_mutex_t *held = take_lock();

		(void)held;
		set_and_publish(request, ref, commit);
	}
}

static void
refuse_ref(struct api_request *request, const char *rest)
{
	api_refuse(
	    request, "400 Bad Request", "bad_ref", "refs/%.200s: only refs below refs/heads are set", rest);
}

/* -- manifests -- */

static int
store_manifest(const struct api *api, const char *commit, const char *text, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(close_p) int dir = -1;
	AUTO(unlock_p) pthread_mutex_t *held = take_lock();
	int repository = api->repository, r;

	(void)held;
	if ((r = json_read(text, bytes, "manifest", &json, err)) < 0 ||
	    (r = upload_room(api->ingest, bytes, err)) < 0)
		return r;
	if (mkdirat(repository, "manifests", 0750) < 0 && errno != EEXIST)
		return err_sys(err, "manifests");
	dir = openat(repository, "manifests", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "manifests");
	return file_replace(dir, commit, text, bytes, 0640, err);
}

static void
put_manifest(struct api_request *request, const char *commit)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes = 0;
	int r;

	if (!digest_is_sha256_hex(commit)) {
		api_refuse(request, "400 Bad Request", "bad_commit", "\"%.100s\" is no commit id", commit);
		return;
	}
	if (api_body(request, TREEHUB_MANIFEST_MAX, &text, &bytes) < 0)
		return;
	r = upload_has(request->api->ingest, commit, "commit", &err);
	if (r == SOURCE_MISSING) {
		api_refuse(
		    request, "412 Precondition Failed", "commit_missing", "commit %s is not stored", commit);
		return;
	}
	if (r == 0)
		r = store_manifest(request->api, commit, text, bytes, &err);
	if (r < 0)
		api_refuse_err(request, "manifest_not_stored", &err);
	else
		api_reply(request, "200 OK", "", NULL, 0);
}

static void
get_manifest(struct api_request *request, const char *commit)
{
	char path[API_PATH_SIZE + 32];

	snprintf(path, sizeof(path), "manifests/%s", commit);
	if (digest_is_sha256_hex(commit))
		api_file(request, request->api->repository, path, "application/json", "manifest_not_found");
	else
		api_refuse(
		    request, "404 Not Found", "manifest_not_found", "\"%.100s\" is no commit id", commit);
}

/* -- files of the repository -- */

static void
get_file(struct api_request *request, const char *folder, const char *rest)
{
	char path[API_PATH_SIZE + 64];

	snprintf(path, sizeof(path), "ostree/%s%s", folder, rest);
	api_file(request, request->api->repository, path, OCTETS, "not_found");
}

static void
get_config(struct api_request *request, const char *rest)
{
	get_file(request, "config", rest);
}

static void
get_summary(struct api_request *request, const char *rest)
{
	get_file(request, "summary", rest);
}

static void
get_summary_sig(struct api_request *request, const char *rest)
{
	get_file(request, "summary.sig", rest);
}

static void
get_delta(struct api_request *request, const char *rest)
{
	get_file(request, "deltas/", rest);
}

static void
get_delta_index(struct api_request *request, const char *rest)
{
	get_file(request, "delta-indexes/", rest);
}

static const char *const prefixes[] = { "/api/v2/", "/api/v3/", "/treehub/api/v2/", "/treehub/api/v3/",
	"/treehub/", NULL };

static const struct api_route routes[] = {
	{ "HEAD GET", "objects/", get_object, API_PUSHER },
	{ "POST", "objects/", post_object, API_PUSHER },
	{ "HEAD GET", "refs/", get_ref, API_PUSHER },
	{ "POST", "refs/heads/", post_ref, API_PUSHER },
	{ "POST", "refs/", refuse_ref, API_PUSHER },
	{ "PUT", "manifests/", put_manifest, API_PUSHER },
	{ "HEAD GET", "manifests/", get_manifest, API_PUSHER },
	{ "HEAD GET", "config", get_config, API_PUSHER },
	{ "HEAD GET", "summary", get_summary, API_PUSHER },
	{ "HEAD GET", "summary.sig", get_summary_sig, API_PUSHER },
	{ "HEAD GET", "deltas/", get_delta, API_PUSHER },
	{ "HEAD GET", "delta-indexes/", get_delta_index, API_PUSHER },
	{ 0 },
};

const struct api_table treehub_table = { prefixes, routes, false };
