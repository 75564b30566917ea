/*
 * Binaries that come in parts, and what came: garage-sign targets upload, add-uploaded, verify-uploaded.
 *
 * The parts of one file go straight into one private file, in their order, so each byte is written and hashed
 * once; a part that comes early waits for the one before. What is under way ends with the process, and its file
 * with it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <openssl/evp.h>

#include "lib/cleanup.h"
#include "store/binary.h"
#include "watcher/repo.h"

/** A part is held in memory until its MD5 is known to be right. */
#define PART_BYTES (8 * 1024 * 1024)
#define UPLOADS_MAX 32
/** One builder leaves room for others. */
#define UPLOADS_OF_ONE_MAX 8
/** Nothing came for so long: the upload makes room for another; garbage collection takes its file. */
#define UPLOAD_IDLE_SECONDS 3600
/** How long a part waits for its turn; clients try again after 503. */
#define TURN_SECONDS 30
/** What is complete is remembered until it is in targets.json, the newest so many. */
#define COMPLETE_MAX 256
/** How long a URL for reading without a password works. */
#define TOKEN_SECONDS 3600
#define TOKENS_MAX 64
#define COMPLETE_BODY_MAX (4 * 1024 * 1024)
/** 128 bits: not to be guessed. */
#define SECRET_SIZE 33
#define ETAG_SIZE 33

struct part_upload {
	char id[SECRET_SIZE]; /* empty: free */
	char file[NAME_TARGET_MAX + 1];
	char user[NAME_DEVICE_MAX + 1];
	uint64_t bytes;
	unsigned count, next; /* parts, and the one whose turn it is, from 1 */
	char (*etags)[ETAG_SIZE];
	struct binary *binary;
	time_t touched;
};

struct complete {
	char file[NAME_TARGET_MAX + 1], sha256[DIGEST_HEX_SIZE];
};

struct token {
	char secret[SECRET_SIZE], sha256[DIGEST_HEX_SIZE];
	time_t ends;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static struct part_upload uploads[UPLOADS_MAX];
static struct complete completes[COMPLETE_MAX];
static struct token tokens[TOKENS_MAX];
static size_t next_complete, next_token;

static pthread_mutex_t *
take_lock(void)
{
	pthread_mutex_lock(&lock);
	return &lock;
}

static void
unlock_p(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static int
make_secret(char secret[static SECRET_SIZE], struct err *err)
{
	unsigned char raw[SECRET_SIZE / 2];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return err_sys(err, "random numbers");
	digest_hex(raw, sizeof(raw), secret);
	return 0;
}

static void
forget(struct part_upload *upload)
{
	binary_free(upload->binary);
	free(upload->etags);
	memset(upload, 0, sizeof(*upload));
	pthread_cond_broadcast(&turn);
}

static struct part_upload *
find_upload(const char *id)
{
	for (size_t i = 0; *id && i < UPLOADS_MAX; i++)
		if (!strcmp(uploads[i].id, id))
			return &uploads[i];
	return NULL;
}

static struct part_upload *
find_room(const char *user, time_t now)
{
	struct part_upload *room = NULL;
	int count = 0;

	for (size_t i = 0; i < UPLOADS_MAX; i++) {
		if (*uploads[i].id && now - uploads[i].touched > UPLOAD_IDLE_SECONDS)
			forget(&uploads[i]);
		if (!*uploads[i].id)
			room = &uploads[i];
		else
			count += !strcmp(uploads[i].user, user);
	}
	return count < UPLOADS_OF_ONE_MAX ? room : NULL;
}

/* Whether it would fit as things are. Nobody may keep room that he does not fill, and block all others. */
static int
check_fits(int repository, uint64_t bytes, struct err *err)
{
	AUTO(binary_freep) struct binary *probe = NULL;

	return binary_new(repository, bytes, &probe, err);
}

/* The host as the client calls us, if it is one: it goes into URLs. */
static const char *
host_of(const struct api_request *request)
{
	const char *host = scgi_get(request->scgi, "HTTP_HOST");

	return *host &&
		       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
			   strlen(host) &&
		       strlen(host) < 256
		   ? host
		   : NULL;
}

static void
refuse_gone(struct api_request *request)
{
	api_refuse(request, "404 Not Found", "upload_not_found",
	    "there is no such upload: ota-watcher was restarted, it is complete, or nothing came for long");
}

static void
reply_json(struct api_request *request, json_t *json)
{
	AUTO(free_p) char *text = json ? json_write(json) : NULL;

	json_decref(json);
	if (text)
		api_reply(request, "200 OK", "Content-Type: application/json\r\n", text, strlen(text));
	else
		api_refuse(request, "503 Service Unavailable", "not_available", "no memory");
}

/* -- what is complete -- */

/* The content of @file: as it is published, or as it was uploaded. */
static int
find_content(
    struct api_request *request, const char *file, char sha256[static DIGEST_HEX_SIZE], struct err *err)
{
	struct package package;
	int r = package_find(request->api, file, &package, err);

	if (r == 0)
		snprintf(sha256, DIGEST_HEX_SIZE, "%s", package.sha256);
	if (r != PACKAGE_NONE)
		return r;

	AUTO(unlock_p) pthread_mutex_t *held = take_lock();

	(void)held;
	for (size_t i = 0; i < COMPLETE_MAX; i++)
		if (!strcmp(completes[i].file, file)) {
			snprintf(sha256, DIGEST_HEX_SIZE, "%s", completes[i].sha256);
			return 0;
		}
	return PACKAGE_NONE;
}

static void
note_complete(const char *file, const char *sha256)
{
	struct complete *complete = NULL;

	for (size_t i = 0; i < COMPLETE_MAX; i++)
		if (!strcmp(completes[i].file, file))
			complete = &completes[i];
	if (!complete)
		complete = &completes[next_complete++ % COMPLETE_MAX];
	snprintf(complete->file, sizeof(complete->file), "%s", file);
	snprintf(complete->sha256, sizeof(complete->sha256), "%s", sha256);
}

/* -- initiate -- */

static int
open_upload(
    struct api_request *request, const char *file, uint64_t bytes, char id[static SECRET_SIZE], struct err *err)
{
	AUTO(unlock_p) pthread_mutex_t *held = take_lock();
	unsigned count = (unsigned)((bytes + PART_BYTES - 1) / PART_BYTES);
	struct part_upload *upload = find_room(request->user, time(NULL));
	int r;

	(void)held;
	if (!upload)
		return err_set(err, EBUSY, "%d uploads are under way, or %d of %s", UPLOADS_MAX,
		    UPLOADS_OF_ONE_MAX, request->user);
	if ((r = make_secret(id, err)) < 0 || (r = check_fits(request->api->repository, bytes, err)) < 0 ||
	    (r = binary_new(request->api->repository, 0, &upload->binary, err)) < 0)
		return r;
	upload->etags = calloc(count, sizeof(*upload->etags));
	if (!upload->etags) {
		forget(upload);
		return err_set(err, ENOMEM, "no memory for %u parts", count);
	}
	upload->bytes = bytes;
	upload->count = count;
	upload->next = 1;
	upload->touched = time(NULL);
	snprintf(upload->file, sizeof(upload->file), "%s", file);
	snprintf(upload->user, sizeof(upload->user), "%s", request->user);
	snprintf(upload->id, sizeof(upload->id), "%s", id);
	return 0;
}

void
parts_initiate(struct api_request *request, const char *file)
{
	char text[32], id[SECRET_SIZE], sha256[DIGEST_HEX_SIZE], force[8] = "";
	struct err err = { 0 };
	unsigned long long bytes = 0;
	char *end = text;

	if (!package_check_name(request, file))
		return;
	if (api_query(request, "fileSize", text, sizeof(text)) && *text >= '1' && *text <= '9')
		bytes = strtoull(text, &end, 10);
	if (!bytes || *end || bytes > INT64_MAX / 2 || bytes / PART_BYTES > 1000000) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "fileSize is no size of a file");
		return;
	}
	api_query(request, "force", force, sizeof(force));
	if (strcmp(force, "true") && find_content(request, file, sha256, &err) == 0) {
		api_refuse(request, "409 Conflict", "conflicting_entity",
		    "%.128s was uploaded before; with force it is uploaded again", file);
		return;
	}
	if (open_upload(request, file, bytes, id, &err) < 0)
		api_refuse_err(request, "not_available", &err);
	else
		reply_json(request, json_pack("{s:s,s:i}", "uploadId", id, "partSize", PART_BYTES));
}

/* -- url -- */

void
parts_url(struct api_request *request, const char *file)
{
	char id[SECRET_SIZE] = "", number[16] = "", url[1024];
	const char *host = host_of(request);
	struct part_upload *upload;
	unsigned part;

	api_query(request, "uploadId", id, sizeof(id));
	api_query(request, "part", number, sizeof(number));
	part = (unsigned)strtoul(number, NULL, 10);

	pthread_mutex_lock(&lock);
	upload = find_upload(id);
	if (upload && (strcmp(upload->file, file) || part < 1 || part > upload->count))
		upload = NULL;
	pthread_mutex_unlock(&lock);
	if (!upload) {
		refuse_gone(request);
		return;
	}
	if (!host) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "the request has no Host");
		return;
	}
	snprintf(url, sizeof(url), "https://%s" REPO_PREFIX "multipart/part/%s/%u", host, id, part);
	reply_json(request, json_pack("{s:s}", "uri", url));
}

/* -- a part -- */

/* Refuses the body if it is not what its Content-MD5 says; sets the ETag, the MD5 in hex. */
static bool
check_md5(struct api_request *request, const char *data, size_t bytes, char etag[static ETAG_SIZE])
{
	const char *claimed = scgi_get(request->scgi, "HTTP_CONTENT_MD5");
	AUTO(free_p) char *text = NULL;
	unsigned char md5[16];
	size_t n = sizeof(md5);

	if (EVP_Q_digest(NULL, "MD5", NULL, data, bytes, md5, &n) != 1 || !(text = digest_base64(md5, n))) {
		api_refuse(request, "503 Service Unavailable", "not_available", "no MD5");
		return false;
	}
	digest_hex(md5, n, etag);
	if (!strcmp(claimed, text) || !strcasecmp(claimed, etag))
		return true;
	api_refuse(request, "400 Bad Request", "bad_digest", "%s",
	    *claimed ? "the part is not what its Content-MD5 says" : "the part has no Content-MD5");
	return false;
}

/* With the lock held: waits until it is the turn of @part; NULL when the upload is gone. */
static struct part_upload *
wait_for_turn(const char *id, unsigned part)
{
	struct part_upload *upload;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TURN_SECONDS;
	while ((upload = find_upload(id)) && upload->next < part)
		if (pthread_cond_timedwait(&turn, &lock, &until) != 0)
			break;
	return upload;
}

static uint64_t
size_of(const struct part_upload *upload, unsigned part)
{
	return part < upload->count ? PART_BYTES : upload->bytes - (uint64_t)(upload->count - 1) * PART_BYTES;
}

static void
append(struct api_request *request, const char *id, unsigned part, const char *data, size_t bytes,
    const char *etag)
{
	AUTO(unlock_p) pthread_mutex_t *held = take_lock();
	struct part_upload *upload = wait_for_turn(id, part);
	struct err err = { 0 };
	char headers[64];

	(void)held;
	if (!upload || part > upload->count) {
		refuse_gone(request);
		return;
	}
	if (bytes != size_of(upload, part)) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "part %u has %zu bytes, it needs %llu",
		    part, bytes, (unsigned long long)size_of(upload, part));
		return;
	}
	if (part > upload->next) {
		api_refuse(request, "503 Service Unavailable", "not_available", "part %u has not come yet",
		    upload->next);
		return;
	}
	/* Once more what came before is the same, or a mistake. */
	if (part < upload->next && strcmp(upload->etags[part - 1], etag)) {
		api_refuse(
		    request, "409 Conflict", "conflicting_entity", "part %u came with other bytes", part);
		return;
	}
	if (part == upload->next) {
		if (binary_write(upload->binary, data, bytes, &err) < 0) {
			/* How much of it was written is not known, so nothing can follow. */
			forget(upload);
			api_refuse_err(request, "not_available", &err);
			return;
		}
		snprintf(upload->etags[part - 1], ETAG_SIZE, "%s", etag);
		upload->next++;
		upload->touched = time(NULL);
		pthread_cond_broadcast(&turn);
	}
	snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\n", etag);
	api_reply(request, "200 OK", headers, NULL, 0);
}

void
parts_put(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *data = NULL;
	char id[SECRET_SIZE], etag[ETAG_SIZE], *end;
	struct part_upload *upload;
	unsigned long part;
	size_t bytes;

	if (strlen(rest) < SECRET_SIZE + 1 || rest[SECRET_SIZE - 1] != '/') {
		refuse_gone(request);
		return;
	}
	snprintf(id, sizeof(id), "%.32s", rest);
	part = strtoul(rest + SECRET_SIZE, &end, 10);
	pthread_mutex_lock(&lock);
	upload = find_upload(id);
	pthread_mutex_unlock(&lock);
	/* Before 8 MiB are read for nothing. */
	if (!upload || *end || part < 1 || part > 1000001) {
		refuse_gone(request);
		return;
	}
	if (api_body(request, PART_BYTES, &data, &bytes) == 0 && check_md5(request, data, bytes, etag))
		append(request, id, (unsigned)part, data, bytes, etag);
}

/* -- complete -- */

/* Whether @list names every part with the ETag that it got. */
static bool
has_etags(const struct part_upload *upload, const json_t *list)
{
	if (json_array_size(list) != upload->count || upload->next != upload->count + 1)
		return false;
	for (size_t i = 0; i < upload->count; i++) {
		const json_t *entry = json_array_get(list, i);
		json_int_t part = json_integer_value(json_object_get(entry, "part"));
		const char *etag = json_text(entry, "eTag") ?: "";

		etag += *etag == '"';
		if (part < 1 || part > upload->count || strncmp(etag, upload->etags[part - 1], ETAG_SIZE - 1) ||
		    strlen(etag) > ETAG_SIZE)
			return false;
	}
	return true;
}

/* Takes the binary out of the upload; NULL and refused when it is not complete. */
static struct binary *
take_complete(struct api_request *request, const char *file, const json_t *json)
{
	AUTO(unlock_p) pthread_mutex_t *held = take_lock();
	struct part_upload *upload = find_upload(json_text(json, "uploadId") ?: "");
	struct binary *binary;

	(void)held;
	if (!upload || strcmp(upload->file, file)) {
		refuse_gone(request);
		return NULL;
	}
	if (!has_etags(upload, json_object_get(json, "partETags"))) {
		api_refuse(request, "400 Bad Request", "invalid_entity",
		    "%u of %u parts are here; partETags has to name all, with their ETags", upload->next - 1,
		    upload->count);
		return NULL;
	}
	binary = MOVE(upload->binary);
	forget(upload);
	return binary;
}

/* Lists are read one at a time, for what they become in memory. NULL: refused. */
static struct binary *
read_complete(struct api_request *request, const char *file, const char *text, size_t bytes)
{
	static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
	struct binary *binary = NULL;
	struct err err = { 0 };
	json_t *json;

	pthread_mutex_lock(&reading);
	if (json_read(text, bytes, "the body", &json, &err) < 0)
		api_refuse(request, "400 Bad Request", "invalid_entity", "%s", err.text);
	else
		binary = take_complete(request, file, json);
	json_decref(json);
	pthread_mutex_unlock(&reading);
	return binary;
}

void
parts_complete(struct api_request *request, const char *file)
{
	AUTO(binary_freep) struct binary *binary = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	if (api_body(request, COMPLETE_BODY_MAX, &text, &bytes) < 0)
		return;
	if (!(binary = read_complete(request, file, text, bytes)))
		return;
	if (binary_commit(binary, &err) < 0) {
		api_refuse_err(request, "not_available", &err);
		return;
	}
	pthread_mutex_lock(&lock);
	note_complete(file, binary_sha256(binary));
	pthread_mutex_unlock(&lock);
	api_reply(request, "204 No Content", "", NULL, 0);
}

/* -- verify -- */

static int
make_token(const char *sha256, char secret[static SECRET_SIZE], struct err *err)
{
	AUTO(unlock_p) pthread_mutex_t *held = take_lock();
	struct token *token = &tokens[next_token++ % TOKENS_MAX];
	int r = make_secret(secret, err);

	(void)held;
	if (r < 0)
		return r;
	snprintf(token->secret, sizeof(token->secret), "%s", secret);
	snprintf(token->sha256, sizeof(token->sha256), "%s", sha256);
	token->ends = time(NULL) + TOKEN_SECONDS;
	return 0;
}

void
parts_verify(struct api_request *request, const char *file)
{
	char sha256[DIGEST_HEX_SIZE], secret[SECRET_SIZE], headers[512];
	const char *host = host_of(request);
	struct err err = { 0 };
	uint64_t bytes;
	int r = find_content(request, file, sha256, &err);

	if (r == 0)
		r = binary_has(request->api->repository, sha256, &bytes, &err);
	if (r > 0) {
		api_refuse(request, "404 Not Found", "missing_entity", "%.128s was not uploaded", file);
		return;
	}
	if (!host) {
		api_refuse(request, "400 Bad Request", "invalid_entity", "the request has no Host");
		return;
	}
	if (r < 0 || make_token(sha256, secret, &err) < 0) {
		api_refuse_err(request, "not_available", &err);
		return;
	}
	snprintf(headers, sizeof(headers),
	    "Location: https://%s" REPO_PREFIX "download/%s\r\nCache-Control: no-store\r\n", host, secret);
	api_reply(request, "302 Found", headers, NULL, 0);
}

void
parts_download(struct api_request *request, const char *secret)
{
	char sha256[DIGEST_HEX_SIZE] = "";

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (*tokens[i].secret && !strcmp(tokens[i].secret, secret) && time(NULL) < tokens[i].ends)
			snprintf(sha256, sizeof(sha256), "%s", tokens[i].sha256);
	pthread_mutex_unlock(&lock);
	if (*sha256)
		package_send(request, sha256);
	else
		api_refuse(
		    request, "404 Not Found", "missing_entity", "this address does not work, or not any more");
}
