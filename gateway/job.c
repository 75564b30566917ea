#include "gateway/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "gateway/pem.h"
#include "lib/answer.h"

/** Name and serial number, and words between. */
#define PATH_SIZE 256

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

/* -- whose it is -- */

static int
hand_in_body(const struct job *job, struct tree *tree, struct refusal *refusal)
{
	const char *answer;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s/%s", job->name, job->serial, job->route->name);
	return tree_hand_in(tree, path, job->body, job->bytes, &answer, refusal);
}

/*
 * Shows the certificate to the tree, which knows the CAs whose devices become known by themselves. 0: now it
 * knows the device; TREE_UNKNOWN: it takes no introductions; ANSWERED: its own words of why not; or -1.
 */
#define ANSWERED 2

static int
introduce(const struct job *job, struct tree *tree, struct refusal *refusal)
{
	const char *answer;
	int r;

	if (!job->certificate)
		return TREE_UNKNOWN;
	r = tree_hand_in(tree, ".introduce", job->certificate, strlen(job->certificate), &answer, refusal);
	return r == 0 && strncmp(answer, "Status: 2", 9) ? ANSWERED : r;
}

static int
refuse_unknown(const struct job *job, struct refusal *refusal)
{
	err_set(&refusal->err, EACCES, "no device %s with certificate %s", job->name, job->serial);
	return refuse(refusal, "403 Forbidden", "unknown_device");
}

/* 0: the tree has the answer, or -1. */
static int
take(const struct job *job, struct tree *tree, struct refusal *refusal)
{
	int r = hand_in_body(job, tree, refusal);

	if (r == TREE_UNKNOWN && (r = introduce(job, tree, refusal)) == 0)
		r = hand_in_body(job, tree, refusal);
	return r == TREE_UNKNOWN ? refuse_unknown(job, refusal) : r < 0 ? -1 : 0;
}

void
job_do(struct job *job, struct tree *tree)
{
	struct refusal refusal = { 0 };

	if (take(job, tree, &refusal) < 0)
		job_refuse(job, &refusal);
	else
		job->reply = tree_take_answer(tree, &job->reply_bytes);
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
