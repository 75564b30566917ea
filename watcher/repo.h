/**
 * The interface of Repo Server, which garage-sign and uptane-sign use.  (aktualizr-wire 6)
 *
 * Below /api/v1/user_repo/:
 *   GET root.json, N.root.json            accepted roots, also those that are held back from devices
 *   GET targets.json, snapshot.json, timestamp.json   with x-ats-role-checksum
 *   PUT targets                           targets signed elsewhere; 428, 412, 409, 400
 *   POST root                             a root signed elsewhere (owners)
 *   GET, DELETE root/private_keys/KEYID   the root key, once (owners)
 *   GET, PUT trusted-delegations, trusted-delegations/keys; DELETE trusted-delegations/NAME  (GET: all, else
 * owners) GET, PUT delegations/NAME.json DELETE ostree                         asks for a garbage collection
 * Binaries (watcher/package.c):
 *   HEAD, GET, PUT, POST, DELETE targets/FILE
 * In parts (watcher/parts.c):
 *   POST multipart/initiate/FILE, GET multipart/url/FILE, PUT multipart/part/ID/N, PUT multipart/complete/FILE
 *   GET uploads/FILE                      302 to download/TOKEN, which needs no password
 */
#ifndef WATCHER_REPO_H
#define WATCHER_REPO_H

#include "watcher/api.h"

/** Before every path, and in the URLs that are handed out. */
#define REPO_PREFIX "/api/v1/user_repo/"

extern const struct api_table repo_table;

/** What is read without a password, by a path that nobody can guess. */
extern const struct api_table repo_public_table;

/* -- handlers of package.c and parts.c -- */

api_handler package_get, package_put, package_post, package_delete;
api_handler parts_initiate, parts_url, parts_put, parts_complete, parts_verify, parts_download;

/** Answers with targets.json. */
api_handler repo_get_targets;

/** A target as targets.json, or a delegation, names it. */
struct package {
	char sha256[DIGEST_HEX_SIZE];
	char uri[1024]; /**< "" if there is none */
	bool is_binary;
};

/** Finds the target @file. 0, PACKAGE_NONE, or -errno. */
#define PACKAGE_NONE 1
int package_find(const struct api *api, const char *file, struct package *package, struct err *err);

/** Refuses the request if @file can be no target's file name. */
bool package_check_name(struct api_request *request, const char *file);

/** Answers with the bytes of binary @sha256. */
void package_send(struct api_request *request, const char *sha256);

/** The refusal for what publishing returned: DROP_BAD with @status and @code, LIMITS_REFUSED, -ENOKEY, or
 * another -errno. */
void
repo_refuse(struct api_request *request, int r, const char *status, const char *code, const struct err *err);

#endif
