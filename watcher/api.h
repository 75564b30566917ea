/**
 * What builders ask of the watcher over HTTP: the interfaces of TreeHub and Repo Server.  (aktualizr-wire 5, 6)
 *
 * A web server does TLS and says who the builder is; it passes requests on over SCGI. Each request has a thread
 * of its own. Bodies are read by the handler, so that one of any size needs no more memory than another.
 */
#ifndef WATCHER_API_H
#define WATCHER_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"
#include "lib/err.h"
#include "lib/scgi.h"
#include "store/image.h"
#include "store/ingest.h"

/** Longest path of a request with its 0. */
#define API_PATH_SIZE 1024

/** What requests work on; outlives them. */
struct api {
	const struct config *config;
	struct ingest *ingest;
	struct image *image;
	struct client *signer; /**< of its own; callers hold no other lock while it is asked */
	int repository;        /**< the folder, borrowed */
};

/** One request, and its answer. */
struct api_request {
	const struct api *api;
	const struct scgi *scgi;
	int fd;
	const char *method;
	char path[API_PATH_SIZE]; /**< decoded, without query, doubled slashes and one at the end */
	char user[64];            /**< the builder, as the web server authenticated him; never empty */
	bool is_owner;            /**< one of build_owners */
	uint64_t length;          /**< of the body */
	uint64_t left;            /**< of it, not read yet */
	bool is_answered;
};

/** A handler answers exactly once, by api_reply() or api_refuse(). @rest: the path behind the route's pattern.
 */
typedef void api_handler(struct api_request *request, const char *rest);

/** Decodes the value of @name in the query into @value; false if it is not there or too long. */
bool api_query(const struct api_request *request, const char *name, char *value, size_t room);

/** Reads the next bytes of the body. Returns their number, 0 at the end of it, -EBADMSG if it is cut short. */
ssize_t api_read(struct api_request *request, void *data, size_t room, struct err *err);

/**
 * Reads the whole body into memory, a 0 follows; the caller frees it. On failure the request is refused
 * already: 413 above @max, 411 without a length, 400 when it is cut short. 0 or -errno.
 */
int api_body(struct api_request *request, size_t max, char **out, size_t *bytes);

/** Answers. @status: "204 No Content". @headers: lines that end with \r\n, or "". @body may be NULL. */
void
api_reply(struct api_request *request, const char *status, const char *headers, const char *body, size_t bytes);

/** Answers @status with a JSON body {code, description, cause, errorId} and logs it. */
void api_refuse(struct api_request *request, const char *status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The refusal that fits a failure of the store: 507 for ENOSPC and EDQUOT, 400 for EBADMSG and EINVAL, else
 * 503. */
void api_refuse_err(struct api_request *request, const char *code, const struct err *err);

#endif
