/**
 * What happens next to a ref that a builder pushed: the file build_refs says which become releases, see
 * otafs.conf(5). Every push of a ref leaves a receipt like a drop's, so none is without an answer:
 * done/push-REF-COMMIT.receipt.json, or failed/push-REF-COMMIT.reason.txt; and the last line of status.
 */
#ifndef WATCHER_PUSHED_H
#define WATCHER_PUSHED_H

#include "watcher/api.h"

/** Largest build_refs file. */
#define PUSHED_RULES_MAX (64 * 1024)
/** Results of pushes that are kept in each of done/ and failed/; older ones go. */
#define PUSHED_RESULTS_MAX 1000

/** One push of a ref. */
struct pushed {
	const struct api *api;
	const char *user, *ref, *commit; /**< borrowed */
	struct limits limits;            /**< of the user, borrowed */
	struct image_judge judge;        /**< by these */
	struct releases releases;        /**< one; none: no line of build_refs is for this ref */
	char headers[512];               /**< for the answer: X-OTA-Published or X-OTA-Not-Published */
};

/**
 * The rule for @ref in the text of a build_refs file, as the text of a push.json for push_plan(), or NULL if
 * there is none; the caller frees it. 0, or -EINVAL naming the line.
 */
int pushed_rule(const char *text, const char *ref, char **push, struct err *err);

/**
 * Decides what @commit, which is stored, becomes as @ref. 0; DROP_BAD: the release could not be published, as
 * is told in failed/ too; LIMITS_REFUSED, the same; or -errno. To be ended with pushed_done() in every case.
 */
int pushed_init(struct pushed *pushed, const struct api_request *request, const char *ref, const char *commit,
    struct err *err);
void pushed_done(struct pushed *pushed);

/** Publishes it now that the ref is set, and tells it. 0, DROP_BAD, or -errno; both are told in failed/ too. */
int pushed_publish(struct pushed *pushed, struct err *err);

/** Tells in failed/ and status that the ref was not set, for @reason. */
void pushed_refused(
    const struct api *api, const char *user, const char *ref, const char *commit, const char *reason);

#endif
