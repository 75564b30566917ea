/**
 * Who may have what signed, and what a document has to look like to be signed.
 */
#ifndef SIGN_POLICY_H
#define SIGN_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/config.h"
#include "lib/err.h"
#include "lib/role.h"

struct policy {
	uid_t signer[REPOSITORY_COUNT]; /**< the one user that a repository's online roles are signed for */
	int64_t days[REPOSITORY_COUNT][ROLE_COUNT]; /**< longest lifetime of a document */
	int64_t certificate_days;                   /**< and of a certificate */
};

/** Reads users and lifetimes out of @config; -ENOENT for an unknown user. */
int policy_init(struct policy *policy, const struct config *config, struct err *err);

/** Root of the machine, who could read the keys anyway, begins and finishes roots. */
#define POLICY_ADMINISTRATOR 0

/** Whether user @uid may connect at all. */
int policy_knows(const struct policy *policy, uid_t uid);

/** -EACCES unless @uid may have @role of @repository signed. Root is never signed for anybody. */
int policy_check_peer(
    const struct policy *policy, uid_t uid, enum repository repository, enum role role, struct err *err);

/** -EACCES unless @uid is the administrator. */
int policy_check_administrator(uid_t uid, struct err *err);

/**
 * -EACCES unless @uid may hand in roots of @repository: the administrator, and the image repository's signer,
 * who brings what lies in the spool. The first root is the administrator's: @is_first.
 */
int policy_check_bringer(
    const struct policy *policy, uid_t uid, enum repository repository, bool is_first, struct err *err);

/** -EACCES unless @uid may take or delete root keys of @repository: the image repository's signer, and nobody
 * for the director's. */
int policy_check_keeper(const struct policy *policy, uid_t uid, enum repository repository, struct err *err);

/** -EACCES unless certificates are issued for @uid: the director's signer, who knows the devices. */
int policy_check_issuing(const struct policy *policy, uid_t uid, struct err *err);

/** -EINVAL unless a certificate may be called @name, as devices are, and live for @days. */
int policy_check_certificate(const struct policy *policy, const char *name, int64_t days, struct err *err);

/** -EINVAL unless @expires is in the future and within the role's lifetime (and a day, for clocks). */
int policy_check_expiry(const struct policy *policy, enum repository repository, enum role role,
    int64_t expires, int64_t now, struct err *err);

/**
 * -EINVAL or -EBADMSG unless @signed_part is a document of that role of the image repository: _type, version,
 * expiry. Those of the director have a form of their own: sign/form.h.
 */
int policy_check_document(
    const struct policy *policy, enum role role, const json_t *signed_part, int64_t now, struct err *err);

#endif
