#include "gateway/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "gateway/admin_path.h"
#include "gateway/admin_send.h"
#include "gateway/admin_tree.h"
#include "gateway/admin_turn.h"
#include "gateway/admin_who.h"
#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/scgi.h"

/** After a refusal the rest of a body is taken for so long, so that the web server gets to reading it. */
#define LINGER_SECONDS 5

#define METHODS "GET, HEAD, PUT, POST, DELETE, MKCOL, MOVE"
#define CHALLENGE "WWW-Authenticate: Basic realm=\"otafs\", charset=\"UTF-8\"\r\n" ADMIN_HEADERS

struct request {
	int fd;
	const struct admin *admin;
	const struct scgi *scgi;
	uint64_t left; /* bytes of the body that are to come */
	const char *method;
	struct admin_who who;
	struct admin_target target;
	int top; /* his folder; -1: not opened */
};

/* ---- refusals */

/* Who it is, without a token's digest, for the log. */
static void
refuse_with(const struct request *request, const char *status, const char *code, const char *headers,
    const char *reason)
{
	char context[ADMIN_PATH_SIZE + 160];
	bool is_quiet = !strncmp(status, "404", 3) && !strcmp(request->method, "GET");

	snprintf(context, sizeof(context), "user=\"%.*s\" method=%.16s path=\"%.600s\" address=\"%.64s\" ",
	    request->who.as[0] == '.' ? 9 : NAME_USER_MAX, request->who.as, request->method,
	    request->target.path, scgi_get(request->scgi, "REMOTE_ADDR"));
	answer_refuse(request->fd, status, code, headers, is_quiet ? NULL : context, reason);
}

static void
refuse(const struct request *request, const char *status, const char *code, const char *reason)
{
	refuse_with(request, status, code, ADMIN_HEADERS, reason);
}

static void
refuse_method(const struct request *request, const char *reason)
{
	refuse_with(request, "405 Method Not Allowed", "method_not_allowed",
	    "Allow: " METHODS "\r\n" ADMIN_HEADERS, reason);
}

/* What an errno of the tree means to somebody far away. */
static const struct outcome {
	int code;
	const char *status, *name, *words; /* words: when the tree has said none */
} outcomes[] = {
	{ ENOENT, "404 Not Found", "not_found", "there is no such file" },
	{ ENOTDIR, "404 Not Found", "not_found", "there is no such file" },
	{ EACCES, "403 Forbidden", "forbidden", "this may not be read or written" },
	{ EPERM, "403 Forbidden", "not_possible", "this cannot be done here" },
	{ EXDEV, "403 Forbidden", "forbidden", "this leads out of the tree" },
	{ ELOOP, "403 Forbidden", "forbidden", "this leads out of the tree" },
	{ EINVAL, "400 Bad Request", "invalid", "this means nothing here" },
	{ ENAMETOOLONG, "400 Bad Request", "invalid", "the name is too long" },
	{ EISDIR, "409 Conflict", "is_folder", "this is a folder" },
	{ EEXIST, "409 Conflict", "exists", "there is something of this name" },
	{ ENOTEMPTY, "409 Conflict", "not_empty", "the folder is not empty" },
	{ EBUSY, "409 Conflict", "busy", "this is in use" },
	{ EFBIG, "413 Content Too Large", "body_too_large", "the body is too large for this file" },
	{ ENOSPC, "507 Insufficient Storage", "no_space", "there is no room for this" },
	{ EDQUOT, "507 Insufficient Storage", "no_space", "there is no room for this" },
	{ ESTALE, "503 Service Unavailable", "not_available",
	    "otafs was killed meanwhile: look what became of this" },
	{ EOPNOTSUPP, "403 Forbidden", "not_possible", "this cannot be done here" },
};

static const struct outcome *
outcome_of(int r)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (outcomes[i].code == -r)
			return &outcomes[i];
	return NULL;
}

static void
refuse_errno(const struct request *request, int r)
{
	const struct outcome *outcome = outcome_of(r);
	char why[ERR_TEXT_MAX] = "";
	bool is_write = strcmp(request->method, "GET") && strcmp(request->method, "HEAD"),
	     is_put = !strcmp(request->method, "PUT") || !strcmp(request->method, "POST");

	if (is_write || r != -ENOENT)
		admin_tree_why(request->top, request->target.path, why);
	/* The file is there; what was written to it is not. */
	if (*why && r == -ENOENT)
		refuse(request, "409 Conflict", "names_nothing", why);
	else if (outcome && !*why && r == -EACCES && is_put)
		refuse_method(request, "this file is not written to");
	else if (outcome)
		refuse(request, outcome->status, outcome->name, *why ? why : outcome->words);
	else
		refuse(request, "503 Service Unavailable", "not_available", *why ? why : strerror(-r));
}

/* ---- reading */

static const char *
type_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (!strncmp(path, "treehub/", 8) || !strncmp(path, "repo/targets/", 13))
		return "application/octet-stream";
	if (dot && !strcmp(dot, ".json"))
		return "application/json";
	return dot && !strcmp(dot, ".csv") ? "text/csv; charset=utf-8" : "text/plain; charset=utf-8";
}

/* -errno: nothing is sent yet. */
static int
give(const struct request *request)
{
	AUTO(close_p) int file = -1;
	struct stat st;
	bool is_folder;
	int r = admin_tree_open(request->top, request->target.path, &file);

	if (r < 0 || fstat(file, &st) < 0)
		return r < 0 ? r : -errno;
	is_folder = S_ISDIR(st.st_mode);
	if (!strcmp(request->method, "HEAD"))
		admin_send_head(request->fd, is_folder ? "application/json" : type_of(request->target.path),
		    is_folder || st.st_size == 0 ? -1 : st.st_size);
	else if (is_folder)
		admin_send_folder(request->fd, file);
	else
		r = admin_send_file(request->fd, file, type_of(request->target.path), request->target.from);
	return r;
}

static void
get(struct request *request)
{
	int r = give(request);

	if (r == -ESTALE) /* the otafs that it was opened in was killed: another serves by now */
		r = give(request);
	if (r < 0)
		refuse_errno(request, r);
}

/* ---- writing */

static void
finish(const struct request *request, int r, const char *status)
{
	if (r < 0)
		refuse_errno(request, r);
	else
		admin_send_status(request->fd, status);
}

static void
put_link(struct request *request)
{
	char target[ADMIN_LINK_MAX + 1];
	size_t bytes = 0;
	ssize_t n;

	if (request->left > ADMIN_LINK_MAX) {
		refuse(request, "413 Content Too Large", "body_too_large", "the target of a link is too long");
		return;
	}
	while ((n = answer_read(request->fd, target + bytes, request->left, &request->left)) > 0)
		bytes += (size_t)n;
	target[bytes] = '\0';
	target[strcspn(target, "\n")] = '\0';
	if (n < 0)
		refuse(request, "400 Bad Request", "body_incomplete", "the body ends before its length");
	else
		finish(
		    request, admin_tree_make_link(request->top, request->target.path, target), "201 Created");
}

static void
put(struct request *request)
{
	struct admin_body body = { request->fd, &request->left, 0 };
	bool is_empty = request->left == 0;
	AUTO(free_p) char *reply = NULL;
	size_t bytes;
	int r = admin_tree_write(request->top, request->target.path, &body, &reply, &bytes);

	if (body.is_cut)
		refuse(request, "400 Bad Request", "body_incomplete", "the body ends before its length");
	else if (r == -EINVAL && is_empty)
		refuse(request, "400 Bad Request", "invalid", "the body is empty");
	else if (r < 0 || !reply)
		finish(request, r, "204 No Content");
	else
		admin_send_reply(request->fd, reply, bytes);
}

static void
move(struct request *request)
{
	struct admin_target to;
	struct err err = { 0 };

	if (admin_destination_parse(scgi_get(request->scgi, "HTTP_DESTINATION"), &to, &err) < 0)
		refuse(request, "400 Bad Request", "invalid", err.text);
	else
		finish(
		    request, admin_tree_rename(request->top, request->target.path, to.path), "204 No Content");
}

static void
act(struct request *request)
{
	const char *method = request->method;

	if (!strcmp(method, "GET") || !strcmp(method, "HEAD"))
		get(request);
	else if ((!strcmp(method, "PUT") || !strcmp(method, "POST")) && request->target.is_link)
		put_link(request);
	else if (!strcmp(method, "PUT") || !strcmp(method, "POST"))
		put(request);
	else if (!strcmp(method, "DELETE"))
		finish(request, admin_tree_remove(request->top, request->target.path), "204 No Content");
	else if (!strcmp(method, "MKCOL"))
		finish(request, admin_tree_make_folder(request->top, request->target.path), "201 Created");
	else if (!strcmp(method, "MOVE"))
		move(request);
	else
		refuse_method(request, "the methods are " METHODS);
}

/* ---- who, and where */

/* 0, or it was refused. */
static int
identify(struct request *request)
{
	struct err err = { 0 };
	int r = admin_identify(request->scgi, request->admin->login, &request->who, &err);

	if (r == ADMIN_NOBODY)
		refuse_with(request, "401 Unauthorized", "not_authenticated", CHALLENGE, err.text);
	else if (r == ADMIN_TOO_MANY)
		refuse_with(request, "429 Too Many Requests", "too_many_guesses",
		    "Retry-After: 60\r\n" ADMIN_HEADERS, err.text);
	else if (r == -EACCES)
		refuse(request, "403 Forbidden", "not_accepted", err.text);
	else if (r < 0)
		refuse(request, "503 Service Unavailable", "not_available", err.text);
	return r;
}

static void
refuse_entry(struct request *request, int r)
{
	char words[NAME_USER_MAX + 64];

	if (r != -EACCES) {
		refuse(request, "503 Service Unavailable", "not_available", "the tree cannot be reached");
		return;
	}
	if (request->who.as[0] == '.') {
		login_failed(request->admin->login, scgi_get(request->scgi, "REMOTE_ADDR"));
		refuse_with(request, "401 Unauthorized", "not_authenticated", CHALLENGE,
		    "the token is not valid: it was revoked, has expired, or never was");
		return;
	}
	snprintf(words, sizeof(words), "%s is no administrator: ota-admin(8) makes one", request->who.as);
	refuse(request, "403 Forbidden", "no_administrator", words);
}

static void
tell_who(const struct request *request)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "{\"by\":\"%s\",\"name\":\"%.*s\"}\n", request->who.by,
	    request->who.as[0] == '.' ? 9 : NAME_USER_MAX, request->who.as);

	if (admin_send_head(request->fd, "application/json", n) == 0)
		answer_send(request->fd, text, (size_t)n);
}

static void
enter(struct request *request)
{
	int r = admin_tree_enter(request->admin->mount, request->who.as, &request->top);

	if (r != 0)
		refuse_entry(request, r);
	else if (request->target.place == ADMIN_TREE)
		act(request);
	else if (strcmp(request->method, "GET"))
		refuse_method(request, "the method is GET");
	else
		tell_who(request);
}

static void
answer(struct request *request)
{
	struct err err = { 0 };

	if (identify(request) != 0)
		return;
	if (admin_check_origin(request->scgi, &err) < 0)
		refuse(request, "403 Forbidden", "other_site", err.text);
	else if (admin_target_parse(scgi_get(request->scgi, "REQUEST_URI"), &request->target, &err) < 0)
		refuse(request, "400 Bad Request", "bad_path", err.text);
	else if (request->target.place == ADMIN_NOWHERE)
		refuse(request, "404 Not Found", "not_found", "there is /tree/ and /whoami");
	else
		enter(request);
}

/* One whose source has no turn left does not keep the thread for the rest of his body. */
static void
take_turn(struct request *request)
{
	int turn = admin_turn_take(login_source(request->admin->login, scgi_get(request->scgi, "REMOTE_ADDR")));

	if (turn < 0) {
		refuse(request, "429 Too Many Requests", "too_many_requests",
		    "too many requests from this address are not finished");
		return;
	}
	answer(request);
	if (request->left)
		answer_linger(request->fd, &request->left, LINGER_SECONDS);
	admin_turn_end(turn);
}

void
admin_respond(int fd, const struct admin *admin)
{
	AUTO(free_p) struct scgi *scgi = malloc(sizeof(*scgi));
	AUTO(close_p) int top = -1;
	struct request request = { .fd = fd, .admin = admin, .scgi = scgi, .top = -1 };
	struct err err = { 0 };

	if (!scgi) {
		answer_status(fd, "503 Service Unavailable");
		return;
	}
	if (scgi_read(fd, scgi, &err) < 0) {
		answer_refuse(fd, "400 Bad Request", "bad_request", ADMIN_HEADERS, "", err.text);
		return;
	}
	request.method = scgi_get(scgi, "REQUEST_METHOD");
	request.left = scgi->content_length;
	take_turn(&request);
	top = request.top;
	explicit_bzero(scgi, sizeof(*scgi)); /* passwords and tokens */
}
