/** A complete request: its body goes into a transaction file of the mount, the file's reply is the answer. */
#ifndef GATEWAY_JOB_H
#define GATEWAY_JOB_H

#include <stddef.h>

#include "gateway/refusal.h"
#include "gateway/route.h"
#include "gateway/tree.h"
#include "lib/config.h"
#include "lib/name.h"
#include "lib/scgi.h"

struct job {
	const struct route *route;
	char name[NAME_DEVICE_MAX + 1];
	char serial[NAME_SERIAL_MAX + 1];
	char *certificate; /**< PEM, owned; NULL: see pem_of() */
	char *body;        /**< owned; NULL: empty */
	size_t bytes;
	char
	    *reply; /**< owned, set by job_do(): in CGI form; NULL: there was no memory to refuse it in words */
	size_t reply_bytes;
	struct job *next; /**< the pool's */
};

/**
 * Takes what @job needs of a request's head: the route, whose bodies have a limit in @config; name, serial
 * number and certificate; job->bytes of the body that is to come. Returns 0, or -1 with @refusal set.
 */
int job_read(struct job *job, const struct scgi *scgi, const struct config *config, struct refusal *refusal);

/**
 * Hands the body in by @tree, which takes as long as the tree takes, and sets job->reply: what the tree
 * answered, or a refusal. When the tree does not know the pair of name and serial number, it is shown the
 * certificate once.
 */
void job_do(struct job *job, struct tree *tree);

/** Sets job->reply to a refusal, which is logged. */
void job_refuse(struct job *job, const struct refusal *refusal);

/** Frees what it owns, not the job. */
void job_done(struct job *job);

#endif
