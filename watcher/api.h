/**
 * What builders ask of the watcher over HTTP: the interfaces of TreeHub and Repo Server.  (aktualizr-wire 5, 6)
 *
 * A web server does TLS and says which certificate was shown; it passes requests on over SCGI. Each request has
 * a thread of its own. Bodies are read by the handler, so that one of any size needs no more memory than
 * another.
 */
#ifndef WATCHER_API_H
#define WATCHER_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"
#include "lib/err.h"
#include "lib/login.h"
#include "lib/name.h"
#include "lib/scgi.h"
#include "store/image.h"
#include "store/ingest.h"
#include "watcher/limits.h"
#include "watcher/mover.h"
#include "watcher/status.h"
#include "watcher/upkeep.h"

/** Longest path of a request with its 0. */
#define API_PATH_SIZE 1024

struct api_request;

/** A handler answers exactly once, by api_reply(), api_refuse() or api_file(). @rest: the path behind the
 * route's pattern. */
typedef void api_handler(struct api_request *request, const char *rest);

/** Every builder; one who is not limited to pushing; one of build_owners. */
enum api_who { API_PUSHER, API_BUILDER, API_OWNER };

struct api_route {
	const char *methods; /**< allowed ones, separated by spaces */
	const char *pattern; /**< behind the prefix: the whole rest, its start when it ends with a slash, or the
				end of its one part when it starts with a star */
	api_handler *handler;
	enum api_who who; /**< may do it */
};

/** Routes below each of some prefixes, which start and end with a slash; both lists end with NULL. */
struct api_table {
	const char *const *prefixes;
	const struct api_route *routes; /**< ends with a row without methods */
	bool is_public;                 /**< served to whoever asks */
};

/** What requests work on; outlives them. */
struct api {
	const struct api_table *const *tables; /**< ends with NULL */
	const struct config *config;
	struct ingest *ingest;
	struct image *image;
	struct client *signer; /**< of its own; callers hold no other lock while it is asked */
	int repository;        /**< the folder, borrowed */
	struct mover *mover;   /**< for the receipts of pushed refs */
	struct status *status;
	struct upkeep *upkeep;
	struct login *login; /**< the builders' passwords */
};

/** One request, and its answer. */
struct api_request {
	const struct api *api;
	const struct scgi *scgi;
	int fd;
	const char *method;
	char path[API_PATH_SIZE];       /**< decoded, without query, doubled slashes and one at the end */
	char user[NAME_DEVICE_MAX + 1]; /**< the builder, as the web server authenticated him; never empty */
	bool is_owner;                  /**< one of build_owners */
	struct limits limits;           /**< of the builder; none for an owner */
	uint64_t length;                /**< of the body */
	uint64_t left;                  /**< of it, not read yet */
	bool is_answered;
};

/** Reads one request from the connection @fd, answers it, and leaves @fd to the caller to close. @api: a struct
 * api. The form is that of a serve_handler. */
void api_serve(int fd, void *api);

/**
 * Decodes the path of the raw request target @target: %XX, without the query, doubled slashes and one at the
 * end. -EBADMSG: too long, no path, a bad %XX, a control character, a "." or ".." between slashes.
 */
int api_decode_path(const char *target, char path[static API_PATH_SIZE], struct err *err);

/** Who asks says who he is neither by certificate nor by password. */
#define API_NOBODY 1
/** Passwords of that name, or from there, were wrong too often. */
#define API_TOO_MANY 2

/**
 * Says who the builder is: the common name of a certificate that was verified, when it is the whole subject;
 * the user whom the web server has asked; or the one whose password came along. Sets user and is_owner. 0,
 * API_NOBODY, API_TOO_MANY with words, -EACCES with words, or another -errno: it cannot be known.
 */
int api_identify(struct api_request *request, struct err *err);

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

/**
 * Answers with the regular file @name below the folder @dir, whatever its size, or to HEAD with its length;
 * 404 with @code when it is not there.
 */
void api_file(struct api_request *request, int dir, const char *name, const char *type, const char *code);

/** Answers @status with a JSON body {code, description, cause, errorId} and logs it, but for what a GET or HEAD
 * does not find. */
void api_refuse(struct api_request *request, const char *status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The refusal of what build_limits does not let the builder do. */
void api_refuse_limit(struct api_request *request, const struct err *err);

/** The refusal that fits a failure of the store: 507 for ENOSPC and EDQUOT, 400 for EBADMSG and EINVAL, else
 * 503. */
void api_refuse_err(struct api_request *request, const char *code, const struct err *err);

#endif
