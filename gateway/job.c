#include "gateway/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/pem.h"
#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/file.h"

/** Name and serial number, and words between. */
#define BELOW_SIZE 256

/* -- what a head asks for -- */

static int
find_route(
    const struct scgi *scgi, const struct config *config, const struct route **route, struct refusal *refusal)
{
	uint64_t limit;

	switch (route_find(scgi_get(scgi, "REQUEST_METHOD"), scgi_get(scgi, "REQUEST_URI"), route)) {
	case ROUTE_NO_PATH:
		return refuse_with(
		    refusal, "404 Not Found", "not_found", "nothing is taken in under this path");
	case ROUTE_NO_METHOD:
		return refuse_with(
		    refusal, "405 Method Not Allowed", "method_not_allowed", "not by this method");
	}
	limit = route_limit(*route, config);
	if (scgi->content_length <= limit)
		return 0;
	err_set(&refusal->err, EFBIG, "%s: the body has %llu bytes, at most %llu are allowed", (*route)->path,
	    (unsigned long long)scgi->content_length, (unsigned long long)limit);
	return refuse(refusal, "413 Content Too Large", "body_too_large");
}

int
job_read(struct job *job, const struct scgi *scgi, const struct config *config, struct refusal *refusal)
{
	const char *name = scgi_get(scgi, "SSL_CLIENT_S_DN_CN"),
		   *serial = scgi_get(scgi, "SSL_CLIENT_M_SERIAL");

	if (route_identify(scgi_get(scgi, "SSL_CLIENT_VERIFY"), scgi_get(scgi, "SSL_CLIENT_S_DN"), name, serial,
		&refusal->err) < 0)
		return refuse(refusal, "403 Forbidden", "certificate_not_accepted");
	if (find_route(scgi, config, &job->route, refusal) < 0)
		return -1;
	strcpy(job->name, name);
	strcpy(job->serial, serial);
	/* Only a device that is not known yet needs it, so no memory for it is no reason to refuse. */
	job->certificate = pem_of(scgi);
	job->bytes = (size_t)scgi->content_length;
	return 0;
}

/* -- one transaction file -- */

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

/* Reads the whole reply from the start, which is the commit. One byte more than a reply may have is one too
 * many. */
static int
commit(int fd, char *reply, size_t *bytes, struct refusal *refusal)
{
	ssize_t n;

	*bytes = 0;
	while ((n = pread(fd, reply + *bytes, JOB_REPLY_MAX - *bytes, (off_t)*bytes)) > 0)
		*bytes += (size_t)n;
	if (n < 0)
		return refuse_write(refusal, errno);
	if (*bytes < 8 || strncmp(reply, "Status: ", 8))
		return refuse_with(
		    refusal, "503 Service Unavailable", "not_available", "the tree gave no answer");
	if (*bytes == JOB_REPLY_MAX)
		return refuse_with(
		    refusal, "503 Service Unavailable", "not_available", "the tree's answer is too long");
	return 0;
}

static int
hand_in(int fd, const char *body, size_t bytes, char *reply, size_t *reply_bytes, struct refusal *refusal)
{
	int r = file_write_all(fd, body, bytes);

	return r < 0 ? refuse_write(refusal, -r) : commit(fd, reply, reply_bytes, refusal);
}

/* -- whose it is -- */

/* Whether the folder is the tree, whose README is always there, and not what it is mounted upon. Without it a
 * missing device means nothing. */
static bool
is_tree(int folder)
{
	struct stat st;

	return fstatat(folder, "README", &st, 0) == 0;
}

/* @tree stays the same folder, whatever is mounted or unmounted meanwhile. */
static int
open_below(int tree, const char *path)
{
	char whole[BELOW_SIZE + sizeof("gate/")];

	snprintf(whole, sizeof(whole), "gate/%s", path);
	return openat(tree, whole, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/* The tree does not say more of a path below a pair that it does not know than that there is nothing. */
#define UNKNOWN 1

/* 0 and a descriptor, UNKNOWN, or -1. */
static int
open_transaction(int tree, const struct job *job, int *fd, struct refusal *refusal)
{
	char path[BELOW_SIZE];
	int code;

	snprintf(path, sizeof(path), "%s/%s/%s", job->name, job->serial, job->route->name);
	*fd = tree < 0 ? -1 : open_below(tree, path);
	code = errno;
	if (*fd >= 0)
		return 0;
	if (code == ENOENT && is_tree(tree)) {
		err_set(&refusal->err, EACCES, "no device %s with certificate %s", job->name, job->serial);
		refuse(refusal, "403 Forbidden", "unknown_device");
		return UNKNOWN;
	}
	err_set(
	    &refusal->err, code, "the tree cannot be reached: %s", strerror(code)); /* no paths for strangers */
	return refuse(refusal, "503 Service Unavailable", "not_available");
}

/*
 * Shows the certificate to the tree, which knows the CAs whose devices become known by themselves. 0: now it
 * knows the device; UNKNOWN: it takes no introductions; -1: a refusal, or with *@bytes the tree's own words of
 * why not.
 */
static int
introduce(const struct job *job, int tree, char *reply, size_t *bytes, struct refusal *refusal)
{
	AUTO(close_p) int fd = job->certificate ? open_below(tree, ".introduce") : -1;

	if (fd < 0)
		return UNKNOWN;
	if (hand_in(fd, job->certificate, strlen(job->certificate), reply, bytes, refusal) < 0) {
		*bytes = 0;
		return -1;
	}
	if (strncmp(reply, "Status: 2", 9))
		return -1;
	*bytes = 0;
	return 0;
}

/* 0: @reply has what is to be answered, or -1. */
static int
take(const struct job *job, const char *mount, char *reply, size_t *bytes, struct refusal *refusal)
{
	AUTO(close_p) int tree = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(close_p) int fd = -1;
	int r = open_transaction(tree, job, &fd, refusal);

	if (r == UNKNOWN) {
		r = introduce(job, tree, reply, bytes, refusal);
		if (r == 0)
			r = open_transaction(tree, job, &fd, refusal);
		else if (*bytes)
			return 0;
	}
	return r ? -1 : hand_in(fd, job->body, job->bytes, reply, bytes, refusal);
}

void
job_do(struct job *job, const char *mount, char **room)
{
	struct refusal refusal = { 0 };
	size_t bytes = 0;

	if (take(job, mount, *room, &bytes, &refusal) < 0) {
		job_refuse(job, &refusal);
		return;
	}
	/* What is committed is answered, memory or not. */
	job->reply = malloc(bytes);
	if (job->reply) {
		memcpy(job->reply, *room, bytes);
		explicit_bzero(*room, bytes);
	} else {
		job->reply = MOVE(*room);
	}
	job->reply_bytes = bytes;
}

void
job_refuse(struct job *job, const struct refusal *refusal)
{
	job->reply = answer_refusal(refusal->status, refusal->code, "", "", refusal->err.text);
	job->reply_bytes = job->reply ? strlen(job->reply) : 0;
}

void
job_done(struct job *job)
{
	/* A new device's private key may have been in it. */
	if (job->reply)
		explicit_bzero(job->reply, job->reply_bytes);
	free(job->certificate);
	free(job->body);
	free(job->reply);
	job->certificate = job->body = job->reply = NULL;
}
