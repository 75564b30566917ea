#include "gateway/respond.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/route.h"
#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/scgi.h"

#define PIECE_BYTES (64 * 1024)
/** A transaction's reply is a few hundred bytes; devices read 64 KiB. */
#define REPLY_BYTES_MAX (64 * 1024)

/** A body that is refused for its length is read up to here, so that the web server gets to reading the answer.
 */
#define DRAIN_BYTES_MAX (64ULL * 1024 * 1024)

/* A refusal; code NULL: none yet. */
struct refusal {
	const char *status, *code;
	struct err err;
};

static int
refuse(struct refusal *refusal, const char *status, const char *code)
{
	refusal->status = status;
	refusal->code = code;
	return -1;
}

static int
refuse_with(struct refusal *refusal, const char *status, const char *code, const char *text)
{
	err_set(&refusal->err, EINVAL, "%s", text);
	return refuse(refusal, status, code);
}

/* Whether the tree is mounted: its README is always there. Without it a missing device means nothing. */
static int
is_mounted(const char *mount)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/README", mount);
	return stat(path, &st) == 0;
}

static int
open_transaction(
    const char *mount, const char *device, const char *serial, const char *name, struct refusal *refusal)
{
	char path[4096];
	int fd, code;

	snprintf(path, sizeof(path), "%s/gate/%s/%s/%s", mount, device, serial, name);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	code = errno;
	if (fd >= 0)
		return fd;
	if (code == ENOENT && is_mounted(mount)) {
		err_set(&refusal->err, EACCES, "no device %s with certificate %s", device, serial);
		return refuse(refusal, "403 Forbidden", "unknown_device");
	}
	err_set(
	    &refusal->err, code, "the tree cannot be reached: %s", strerror(code)); /* no paths for strangers */
	return refuse(refusal, "503 Service Unavailable", "not_available");
}

static int
refuse_write(struct refusal *refusal, int code)
{
	err_set(&refusal->err, code, "the body cannot be handed in: %s", strerror(code));
	if (code == EFBIG)
		return refuse(refusal, "413 Content Too Large", "body_too_large");
	if (code == ENOSPC)
		return refuse(refusal, "507 Insufficient Storage", "no_space");
	return refuse(refusal, "503 Service Unavailable", "not_available");
}

/* Copies the *@left bytes of the body piece by piece and counts them down. */
static int
copy_body(int from, int to, uint64_t *left, struct refusal *refusal)
{
	char piece[PIECE_BYTES];

	while (*left) {
		ssize_t n = answer_read(from, piece, sizeof(piece), left);
		int r;

		if (n <= 0)
			return refuse_with(
			    refusal, "400 Bad Request", "body_incomplete", "the body ends before its length");
		if ((r = file_write_all(to, piece, (size_t)n)) < 0)
			return refuse_write(refusal, -r);
	}
	return 0;
}

static int
find_route(const struct scgi *scgi, const struct route **route, struct refusal *refusal)
{
	const char *method = scgi_get(scgi, "REQUEST_METHOD");

	switch (route_find(method, scgi_get(scgi, "REQUEST_URI"), route)) {
	case ROUTE_NO_PATH:
		return refuse_with(
		    refusal, "404 Not Found", "not_found", "nothing is taken in under this path");
	case ROUTE_NO_METHOD:
		return refuse_with(
		    refusal, "405 Method Not Allowed", "method_not_allowed", "not by this method");
	}
	if (scgi->content_length <= (*route)->limit)
		return 0;
	err_set(&refusal->err, EFBIG, "%s: the body has %llu bytes, at most %llu are allowed", (*route)->path,
	    (unsigned long long)scgi->content_length, (unsigned long long)(*route)->limit);
	return refuse(refusal, "413 Content Too Large", "body_too_large");
}

/* The read from the start is the commit. */
static int
commit(int fd, char *reply, size_t *bytes, struct refusal *refusal)
{
	ssize_t n = pread(fd, reply, REPLY_BYTES_MAX, 0);

	if (n < 0)
		return refuse_write(refusal, errno);
	if (n < 8 || strncmp(reply, "Status: ", 8))
		return refuse_with(
		    refusal, "503 Service Unavailable", "not_available", "the tree gave no answer");
	*bytes = (size_t)n;
	return 0;
}

static int
hand_in(int fd, const char *mount, struct scgi *scgi, char *reply, size_t *bytes, struct refusal *refusal)
{
	const char *name = scgi_get(scgi, "SSL_CLIENT_S_DN_CN"),
		   *serial = scgi_get(scgi, "SSL_CLIENT_M_SERIAL");
	AUTO(close_p) int transaction = -1;
	const struct route *route;

	if (route_identify(scgi_get(scgi, "SSL_CLIENT_VERIFY"), scgi_get(scgi, "SSL_CLIENT_S_DN"), name, serial,
		&refusal->err) < 0)
		return refuse(refusal, "403 Forbidden", "certificate_not_accepted");
	if (find_route(scgi, &route, refusal) < 0)
		return -1;
	transaction = open_transaction(mount, name, serial, route->name, refusal);
	if (transaction < 0 || copy_body(fd, transaction, &scgi->content_length, refusal) < 0)
		return -1;
	return commit(transaction, reply, bytes, refusal);
}

static void
answer(int fd, const char *mount, struct scgi *scgi, char *reply)
{
	struct refusal refusal = { 0 };
	size_t bytes = 0;

	if (scgi_read(fd, scgi, &refusal.err) < 0) {
		refuse(&refusal, "400 Bad Request", "bad_request");
	} else if (hand_in(fd, mount, scgi, reply, &bytes, &refusal) == 0) {
		answer_send(fd, reply, bytes);
		return;
	}
	answer_drain(fd, &scgi->content_length, DRAIN_BYTES_MAX);
	answer_refuse(fd, refusal.status, refusal.code, "", "", refusal.err.text);
}

void
respond(int fd, const char *mount)
{
	AUTO(free_p) struct scgi *scgi = malloc(sizeof(*scgi));
	AUTO(free_p) char *reply = malloc(REPLY_BYTES_MAX);

	if (scgi && reply)
		answer(fd, mount, scgi, reply);
	else
		answer_status(fd, "503 Service Unavailable");
}
