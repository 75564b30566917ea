#include "tests/device/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"

#define TIMEOUT_SECONDS 60L
/** A transfer below this rate for TIMEOUT_SECONDS is given up. */
#define STALL_BYTES_PER_SECOND 5000L
#define REDIRECTS_MAX 10L
#define ATTEMPTS 3

struct request {
	const char *method, *path, *type;
	const char *body;
	size_t bytes;
	size_t max;   /* most bytes of the answer */
	off_t offset; /* of a download */
	int fd;       /* a download's file, else -1 */
};

/* Where the body goes. */
struct sink {
	const struct request *request;
	struct http_answer *answer;
	bool is_full;
	int error; /* -errno of a write */
};

static void
curl_p(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void
slist_p(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

void
http_answer_done(struct http_answer *answer)
{
	free(answer->body);
	*answer = (struct http_answer){ 0 };
}

int
http_start(struct err *err)
{
	return curl_global_init(CURL_GLOBAL_ALL) ? err_set(err, EIO, "libcurl does not start") : 0;
}

bool
http_is_ok(long status)
{
	return status >= 200 && status < 400;
}

static size_t
take_bytes(char *data, size_t size, size_t count, void *user)
{
	struct sink *sink = user;
	struct http_answer *answer = sink->answer;
	size_t bytes = size * count;
	char *grown;

	if (bytes > sink->request->max - answer->bytes) {
		sink->is_full = true;
		return 0;
	}
	if (sink->request->fd >= 0) {
		sink->error = file_write_all(sink->request->fd, data, bytes);
	} else {
		grown = realloc(answer->body, answer->bytes + bytes + 1);
		if (!grown)
			return 0;
		memcpy(grown + answer->bytes, data, bytes);
		grown[answer->bytes + bytes] = '\0';
		answer->body = grown;
	}
	answer->bytes += bytes;
	return sink->error ? 0 : bytes;
}

static void
set_connection(CURL *curl, const struct http *http)
{
	curl_easy_setopt(curl, CURLOPT_SSLCERT, http->cert);
	curl_easy_setopt(curl, CURLOPT_SSLKEY, http->key);
	curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca);
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, TIMEOUT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, TIMEOUT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_SECOND);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "Aktualizr/ota-device");
}

static void
set_request(CURL *curl, const struct request *request, const struct curl_slist *headers)
{
	if (request->fd < 0)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
	if (request->offset)
		curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)request->offset);
	if (!request->body)
		return;
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->bytes);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

static void
tell(const struct http *http, const struct request *request, const struct http_answer *answer)
{
	if (http->is_verbose)
		printf("%s %s %ld %zu\n", request->method, request->path, answer->status, answer->bytes);
}

static int
judge(const struct request *request, const struct sink *sink, CURLcode code, struct err *err)
{
	if (sink->is_full)
		return err_set(err, EFBIG, "%s %s: answer has more than %zu bytes", request->method,
		    request->path, request->max);
	if (sink->error)
		return err_set(err, -sink->error, "%s: %s", request->path, strerror(-sink->error));
	if (code == CURLE_RANGE_ERROR)
		return HTTP_NO_RANGE;
	if (code)
		return err_set(
		    err, ECOMM, "%s %s: %s", request->method, request->path, curl_easy_strerror(code));
	return 0;
}

static int
send_once(const struct http *http, const struct request *request, struct http_answer *answer, struct err *err)
{
	AUTO(curl_p) CURL *curl = curl_easy_init();
	AUTO(slist_p) struct curl_slist *headers = NULL;
	AUTO(free_p) char *url = NULL;
	struct sink sink = { .request = request, .answer = answer };
	bool is_url = !strncmp(request->path, "https://", 8);
	char type[128];
	CURLcode code;

	snprintf(type, sizeof(type), "Content-Type: %s", request->type ? request->type : "");
	headers = curl_slist_append(NULL, type);
	if (!curl || !headers || asprintf(&url, "%s%s", is_url ? "" : http->url, request->path) < 0)
		return err_set(err, ENOMEM, "%s: no memory", request->path);
	set_connection(curl, http);
	set_request(curl, request, headers);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	tell(http, request, answer);
	return judge(request, &sink, code, err);
}

/* Up to ATTEMPTS times: after a failed transfer and after a 5xx, never after a 4xx. */
static int
send_request(
    const struct http *http, const struct request *request, struct http_answer *answer, struct err *err)
{
	int r = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		if (i)
			sleep(1);
		http_answer_done(answer);
		r = send_once(http, request, answer, err);
		if (r == 0 && answer->status < 500)
			break;
	}
	return r;
}

static int
check_status(const struct request *request, const struct http_answer *answer, struct err *err)
{
	if (http_is_ok(answer->status))
		return 0;
	return err_set(err, ECOMM, "%s %s: status %ld", request->method, request->path, answer->status);
}

int
http_get(const struct http *http, const char *path, size_t max, struct http_answer *answer, struct err *err)
{
	struct request request = { .method = "GET", .path = path, .max = max, .fd = -1 };
	int r;

	*answer = (struct http_answer){ 0 };
	r = send_request(http, &request, answer, err);
	return r < 0 ? r : check_status(&request, answer, err);
}

int
http_send(const struct http *http, const char *method, const char *path, const char *type, const char *body,
    size_t bytes, struct http_answer *answer, struct err *err)
{
	struct request request = { .method = method,
		.path = path,
		.type = type,
		.body = body,
		.bytes = bytes,
		.max = HTTP_ANSWER_MAX,
		.fd = -1 };

	*answer = (struct http_answer){ 0 };
	return send_request(http, &request, answer, err);
}

int
http_download(const struct http *http, const char *path, int fd, off_t offset, off_t max, struct err *err)
{
	struct http_answer answer = { 0 };
	struct request request = {
		.method = "GET", .path = path, .max = (size_t)(max - offset), .offset = offset, .fd = fd
	};
	int r = send_once(http, &request, &answer, err);

	return r ? r : check_status(&request, &answer, err);
}
