#include "sign/policy.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/name.h"
#include "sign/envelope.h"

#define DAY_SECONDS 86400

int
policy_init(struct policy *policy, const struct config *config, struct err *err)
{
	gid_t gid;
	int r;

	if ((r = config_user(config->user_watcher, &policy->signer[REPOSITORY_IMAGE], &gid, err)) < 0 ||
	    (r = config_user(config->user_otafs, &policy->signer[REPOSITORY_DIRECTOR], &gid, err)) < 0)
		return r;
	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		policy->days[i][ROLE_ROOT] = config->root_days;
		policy->days[i][ROLE_SNAPSHOT] = config->snapshot_days;
		policy->days[i][ROLE_TIMESTAMP] = config->timestamp_days;
	}
	policy->certificate_days = config->certificate_days;
	policy->days[REPOSITORY_IMAGE][ROLE_TARGETS] = config->image_targets_days;
	/* The director's three online files of a device are made together and live equally long. */
	policy->days[REPOSITORY_DIRECTOR][ROLE_TARGETS] = config->director_targets_days;
	policy->days[REPOSITORY_DIRECTOR][ROLE_SNAPSHOT] = config->director_targets_days;
	policy->days[REPOSITORY_DIRECTOR][ROLE_TIMESTAMP] = config->director_targets_days;
	return 0;
}

int
policy_knows(const struct policy *policy, uid_t uid)
{
	return uid == policy->signer[REPOSITORY_IMAGE] || uid == policy->signer[REPOSITORY_DIRECTOR] ||
	       uid == POLICY_ADMINISTRATOR;
}

int
policy_check_peer(
    const struct policy *policy, uid_t uid, enum repository repository, enum role role, struct err *err)
{
	if (role != ROLE_ROOT && uid == policy->signer[repository])
		return 0;
	return err_set(err, EACCES, "user %u may not have %s of the %s repository signed", uid, role_name(role),
	    repository_name(repository));
}

int
policy_check_administrator(uid_t uid, struct err *err)
{
	return uid == POLICY_ADMINISTRATOR
		   ? 0
		   : err_set(err, EACCES, "user %u may not ask for that, it is for root of this machine", uid);
}

int
policy_check_bringer(
    const struct policy *policy, uid_t uid, enum repository repository, bool is_first, struct err *err)
{
	if (uid == POLICY_ADMINISTRATOR || (uid == policy->signer[REPOSITORY_IMAGE] && !is_first))
		return 0;
	return err_set(err, EACCES, "user %u may not change the %sroot of the %s repository", uid,
	    is_first ? "first " : "", repository_name(repository));
}

int
policy_check_keeper(const struct policy *policy, uid_t uid, enum repository repository, struct err *err)
{
	if (repository == REPOSITORY_IMAGE && uid == policy->signer[REPOSITORY_IMAGE])
		return 0;
	return err_set(err, EACCES, "user %u may not change the root of the %s repository", uid,
	    repository_name(repository));
}

int
policy_check_issuing(const struct policy *policy, uid_t uid, struct err *err)
{
	return uid == policy->signer[REPOSITORY_DIRECTOR]
		   ? 0
		   : err_set(err, EACCES, "user %u may not have certificates issued", uid);
}

int
policy_check_certificate(const struct policy *policy, const char *name, int64_t days, struct err *err)
{
	if (days < 1 || days > policy->certificate_days)
		return err_set(err, EINVAL, "certificate: lives %lld days, otafs.conf gives it 1 to %lld",
		    (long long)days, (long long)policy->certificate_days);
	return name_check_device(name, err);
}

int
policy_check_expiry(const struct policy *policy, enum repository repository, enum role role, int64_t expires,
    int64_t now, struct err *err)
{
	int64_t longest = (policy->days[repository][role] + 1) * DAY_SECONDS;

	if (expires <= now)
		return err_set(err, EINVAL, "%s: expires in the past", role_name(role));
	if (expires > now + longest)
		return err_set(err, EINVAL, "%s: lives longer than the %lld days that otafs.conf gives it",
		    role_name(role), (long long)policy->days[repository][role]);
	return 0;
}

int
policy_check_document(
    const struct policy *policy, enum role role, const json_t *signed_part, int64_t now, struct err *err)
{
	const char *what = role_name(role), *type;
	int64_t expires;
	int r, version;

	if ((r = json_need_text(signed_part, "_type", what, &type, err)) < 0 ||
	    (r = envelope_version(signed_part, what, &version, err)) < 0 ||
	    (r = envelope_expires(signed_part, what, &expires, err)) < 0)
		return r;
	if (strcmp(type, role_type(role)))
		return err_set(err, EINVAL, "%s: _type is \"%.32s\", not %s", what, type, role_type(role));
	return policy_check_expiry(policy, REPOSITORY_IMAGE, role, expires, now, err);
}
