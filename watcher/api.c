#include "watcher/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/subject.h"
#include "lib/uri.h"
#include "lib/utc.h"

/** A body that is refused is read up to here before the answer. A client that sees the answer to a longer one
 * while it sends does better; some see a broken connection. */
#define DRAIN_MAX (1024ULL * 1024 * 1024)
/** What somebody without a name sends has no use: he must not hold one of few threads for longer. */
#define NOBODY_SECONDS 2
_Static_assert(LOGIN_PAUSE_SECONDS == 60, "so says Retry-After below");

/* -- the request target -- */

int
api_decode_path(const char *target, char path[static API_PATH_SIZE], struct err *err)
{
	size_t n = 0;

	if (*target != '/')
		return err_set(err, EBADMSG, "the request target is no path");
	while (*target && *target != '?') {
		int byte = uri_byte(&target);

		if (byte < 0)
			return err_set(err, EBADMSG, "the path has a %% that two hex digits do not follow");
		if (byte < 0x20 || byte == 0x7f)
			return err_set(err, EBADMSG, "the path has the control character 0x%02x", byte);
		if (byte == '/' && n && path[n - 1] == '/')
			continue;
		if (n == API_PATH_SIZE - 1)
			return err_set(err, EBADMSG, "the path is longer than %d bytes", API_PATH_SIZE - 1);
		path[n++] = (char)byte;
	}
	if (n > 1 && path[n - 1] == '/')
		n--;
	path[n] = '\0';
	return uri_has_dots(path) ? err_set(err, EBADMSG, "the path has a \".\" or \"..\" in it") : 0;
}

bool
api_query(const struct api_request *request, const char *name, char *value, size_t room)
{
	const char *at = strchr(scgi_get(request->scgi, "REQUEST_URI"), '?');
	size_t bytes = strlen(name), n = 0;

	while (at && (strncmp(at + 1, name, bytes) || !strchr("=&", at[1 + bytes])))
		at = strchr(at + 1, '&');
	if (!at)
		return false;
	at += 1 + bytes;
	at += *at == '=';
	while (*at && *at != '&') {
		bool is_blank = *at == '+';
		int byte = uri_byte(&at);

		if (byte <= 0 || n + 1 >= room)
			return false;
		value[n++] = is_blank ? ' ' : (char)byte;
	}
	value[n] = '\0';
	return true;
}

/* -- who asks -- */

static bool
has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	while (*words) {
		size_t length = strcspn(words, " \t");

		if (length == n && !strncmp(words, word, n))
			return true;
		words += length;
		words += strspn(words, " \t");
	}
	return false;
}

/* Asks for a password as the web server would; sets @name. */
static int
check_password(const struct api_request *request, char name[static LOGIN_NAME_SIZE], struct err *err)
{
	int r = login_check(request->api->login, scgi_get(request->scgi, "HTTP_AUTHORIZATION"),
	    scgi_get(request->scgi, "REMOTE_ADDR"), name, err);

	if (r < 0)
		return err_context(err, -EIO, "build_passwords");
	return r == LOGIN_TOO_MANY ? API_TOO_MANY : r ? API_NOBODY : 0;
}

int
api_identify(struct api_request *request, struct err *err)
{
	const struct scgi *scgi = request->scgi;
	const char *verify = scgi_get(scgi, "SSL_CLIENT_VERIFY"), *name = scgi_get(scgi, "REMOTE_USER");
	char known[LOGIN_NAME_SIZE] = "";
	int r;

	if (!strcmp(verify, "SUCCESS")) {
		name = scgi_get(scgi, "SSL_CLIENT_S_DN_CN");
		if (subject_check(verify, scgi_get(scgi, "SSL_CLIENT_S_DN"), name, err) < 0)
			return -EACCES;
	} else if (!*name) {
		r = check_password(request, known, err);
		if (r)
			return r;
		name = known;
	}
	if (name_check_device(name, err) < 0)
		return err_context(err, -EACCES, "builder");
	snprintf(request->user, sizeof(request->user), "%s", name);
	request->is_owner = strcmp(name, "-") && has_word(request->api->config->build_owners, name);
	return 0;
}

/* -- the body -- */

ssize_t
api_read(struct api_request *request, void *data, size_t room, struct err *err)
{
	ssize_t n = answer_read(request->fd, data, room, &request->left);

	if (n == -EBADMSG)
		return err_set(err, EBADMSG, "the body ends %llu bytes before its length of %llu",
		    (unsigned long long)request->left, (unsigned long long)request->length);
	if (n < 0)
		return err_set(err, EBADMSG, "the body did not go on: %s", strerror((int)-n));
	return n;
}

/* Fills @text with the whole body. */
static int
read_whole(struct api_request *request, char *text, struct err *err)
{
	size_t at = 0;
	ssize_t n;

	while ((n = api_read(request, text + at, request->left, err)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	return (int)n;
}

int
api_body(struct api_request *request, size_t max, char **out, size_t *bytes)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };

	if (request->length == 0) {
		api_refuse(request, "411 Length Required", "length_required", "the request has no body");
		return -EINVAL;
	}
	if (request->length > max) {
		api_refuse(request, "413 Content Too Large", "body_too_large",
		    "the body has %llu bytes, at most %zu are allowed", (unsigned long long)request->length,
		    max);
		return -EFBIG;
	}
	*bytes = (size_t)request->length;
	text = malloc(*bytes + 1);
	if (!text) {
		api_refuse(request, "503 Service Unavailable", "not_available", "no memory");
		return -ENOMEM;
	}
	if (read_whole(request, text, &err) < 0) {
		api_refuse_err(request, "body_incomplete", &err);
		return -EBADMSG;
	}
	*out = MOVE(text);
	return 0;
}

/* -- the answer -- */

static void
drain(struct api_request *request)
{
	if (*request->user)
		answer_drain(request->fd, &request->left, DRAIN_MAX);
}

static bool
is_head(const struct api_request *request)
{
	return !strcmp(request->method, "HEAD");
}

void
api_reply(struct api_request *request, const char *status, const char *headers, const char *body, size_t bytes)
{
	AUTO(free_p) char *head = NULL;
	char length[48] = "";
	int n;

	if (request->is_answered)
		return;
	request->is_answered = true;
	drain(request);
	if (body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", bytes);
	n = asprintf(&head, "Status: %s\r\n%s%s\r\n", status, headers, length);
	if (n < 0) {
		head = NULL;
		answer_status(request->fd, "503 Service Unavailable");
		return;
	}
	if (answer_send(request->fd, head, (size_t)n) == 0 && body && !is_head(request))
		answer_send(request->fd, body, bytes);
}

static const char *
headers_of(const char *status)
{
	if (!strncmp(status, "401", 3))
		return "WWW-Authenticate: Basic realm=\"otafs\"\r\n";
	return strncmp(status, "429", 3) ? "" : "Retry-After: 60\r\n";
}

void
api_refuse(struct api_request *request, const char *status, const char *code, const char *format, ...)
{
	char reason[ERR_TEXT_MAX], context[API_PATH_SIZE + 128];
	bool is_get = is_head(request) || !strcmp(request->method, "GET");
	va_list args;

	if (request->is_answered)
		return;
	request->is_answered = true;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	drain(request);
	snprintf(context, sizeof(context), "builder=%s method=%.16s path=\"%.400s\" ", request->user,
	    request->method, request->path);
	answer_refuse(request->fd, status, code, headers_of(status),
	    is_get && !strncmp(status, "404", 3) ? NULL : context, reason);
}

void
api_refuse_limit(struct api_request *request, const struct err *err)
{
	api_refuse(request, "403 Forbidden", "not_allowed", "%s", err->text);
}

void
api_refuse_err(struct api_request *request, const char *code, const struct err *err)
{
	const char *status = "503 Service Unavailable";

	if (err->code == ENOSPC || err->code == EDQUOT)
		status = "507 Insufficient Storage";
	else if (err->code == EBADMSG || err->code == EINVAL || err->code == ENAMETOOLONG)
		status = "400 Bad Request";
	api_refuse(request, status, code, "%s", err->text);
}

static void
send_open_file(struct api_request *request, int fd, uint64_t bytes, const char *type)
{
	char headers[160];
	off_t at = 0;

	snprintf(headers, sizeof(headers), "Content-Type: %s\r\nContent-Length: %llu\r\n", type,
	    (unsigned long long)bytes);
	api_reply(request, "200 OK", headers, NULL, 0);
	while (!is_head(request) && (uint64_t)at < bytes) {
		ssize_t n = sendfile(request->fd, fd, &at, bytes - (uint64_t)at);

		if (n == 0 || (n < 0 && errno != EINTR))
			return; /* the peer is gone, or sees that it has too little */
	}
}

void
api_file(struct api_request *request, int dir, const char *name, const char *type, const char *code)
{
	AUTO(close_p) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		send_open_file(request, fd, (uint64_t)st.st_size, type);
		return;
	}
	if (fd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
		api_refuse(request, "404 Not Found", code, "there is no %s", name);
	else
		api_refuse(
		    request, "503 Service Unavailable", "not_available", "%s: %s", name, strerror(errno));
}

/* -- the way to the handler -- */

/* The path behind the pattern, or NULL. */
static const char *
match(const char *pattern, const char *path)
{
	size_t n = strlen(pattern), length = strlen(path);

	/* The whole path is behind a star: the handler knows its end. */
	if (*pattern == '*')
		return length >= n && !strchr(path, '/') && !strcmp(path + length - n + 1, pattern + 1) ? path
													: NULL;
	if (n && pattern[n - 1] == '/')
		return !strncmp(path, pattern, n) && path[n] ? path + n : NULL;
	return strcmp(path, pattern) ? NULL : path + n;
}

/* Finds the route of @path behind a prefix; *@is_known says whether it would be one with another method. */
static const struct api_route *
find_row(
    const struct api_route *routes, const char *method, const char *path, const char **rest, bool *is_known)
{
	for (; routes->methods; routes++) {
		*rest = match(routes->pattern, path);
		if (!*rest)
			continue;
		*is_known = true;
		if (has_word(routes->methods, method))
			return routes;
	}
	return NULL;
}

static const struct api_route *
find_route(const struct api_request *request, const char **rest, bool *is_known)
{
	for (const struct api_table *const *table = request->api->tables; *table; table++)
		for (const char *const *prefix = (*table)->prefixes; *prefix; prefix++) {
			size_t n = strlen(*prefix);
			const struct api_route *row;

			if (strncmp(request->path, *prefix, n) || (!*request->user && !(*table)->is_public))
				continue;
			row = find_row((*table)->routes, request->method, request->path + n, rest, is_known);
			if (row)
				return row;
		}
	return NULL;
}

static void
refuse_nobody(struct api_request *request)
{
	api_refuse(
	    request, "401 Unauthorized", "not_authenticated", "a builder's password or certificate is needed");
}

static void
route(struct api_request *request)
{
	const struct api_route *found;
	const char *rest = "";
	bool is_known = false;

	found = find_route(request, &rest, &is_known);
	if (!found && !*request->user)
		refuse_nobody(request);
	else if (!found && is_known)
		api_refuse(request, "405 Method Not Allowed", "method_not_allowed", "%s is not for %s",
		    request->path, request->method);
	else if (!found)
		api_refuse(request, "404 Not Found", "not_found", "nothing is served under %s", request->path);
	else if (found->who == API_OWNER && !request->is_owner)
		api_refuse(request, "403 Forbidden", "not_an_owner",
		    "%s is not one of build_owners, who alone may do this", request->user);
	else if (found->who == API_BUILDER && request->limits.is_push_only)
		api_refuse(request, "403 Forbidden", "not_allowed", "%s may only push", request->user);
	else
		found->handler(request, rest);
	/* A handler that forgot to answer is a mistake of ours; the builder still hears something. */
	api_refuse(request, "500 Internal Server Error", "no_answer", "the handler gave no answer");
}

/* Sets what the builder is limited to; refuses the request when he is none any more, or when that cannot be
 * known. */
static bool
set_limits(struct api_request *request)
{
	struct err err = { 0 };
	int r;

	if (!*request->user || request->is_owner)
		return true;
	r = limits_read(&request->limits, request->api->config->build_limits, request->user, &err);
	/* A mistake in the settings is nothing that the builder did. */
	if (r < 0)
		api_refuse(request, "503 Service Unavailable", "not_available", "%s", err.text);
	else if ((r = limits_check_time(&request->limits, utc_now(), &err)))
		api_refuse(request, "403 Forbidden", "not_accepted", "%s", err.text);
	return r == 0;
}

static void
answer(struct api_request *request)
{
	struct err err = { 0 };
	int r = api_identify(request, &err);

	if (r == -EACCES)
		api_refuse(request, "403 Forbidden", "not_accepted", "%s", err.text);
	else if (r == API_TOO_MANY)
		api_refuse(request, "429 Too Many Requests", "too_many_requests", "%s", err.text);
	else if (r < 0)
		api_refuse(request, "503 Service Unavailable", "not_available", "%s", err.text);
	else if (!set_limits(request))
		return;
	else if (api_decode_path(scgi_get(request->scgi, "REQUEST_URI"), request->path, &err) == 0)
		route(request);
	else if (r == API_NOBODY)
		refuse_nobody(request);
	else
		api_refuse(request, "400 Bad Request", "bad_path", "%s", err.text);
}

void
api_serve(int fd, void *data)
{
	AUTO(free_p) struct scgi *scgi = malloc(sizeof(*scgi));
	struct api_request request = { .api = data, .scgi = scgi, .fd = fd, .method = "" };
	struct err err = { 0 };

	if (!scgi) {
		answer_status(fd, "503 Service Unavailable");
		return;
	}
	if (scgi_read(fd, scgi, &err) < 0) {
		answer_refuse(fd, "400 Bad Request", "bad_request", "", "", err.text);
		return;
	}
	request.method = scgi_get(scgi, "REQUEST_METHOD");
	request.length = request.left = scgi->content_length;
	answer(&request);
	limits_done(&request.limits);
	if (request.left)
		answer_linger(fd, &request.left, *request.user ? 0 : NOBODY_SECONDS);
}
