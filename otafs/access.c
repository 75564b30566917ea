#include "otafs/access.h"

#include <errno.h>
#include <fnmatch.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "lib/utc.h"
#include "otafs/core.h"

#define DAY_SECONDS 86400
/** Longest part of a path in a pattern. */
#define PART_MAX 256

static const char *const roles[] = { "none", "view", "operate", "keys" };

const char *
access_role_name(enum access_role role)
{
	return role <= ACCESS_KEYS ? roles[role] : roles[ACCESS_NONE];
}

enum access_role
access_role_of(const char *name)
{
	for (enum access_role role = ACCESS_VIEW; role <= ACCESS_KEYS; role++)
		if (!strcmp(roles[role], name))
			return role;
	return ACCESS_NONE;
}

/* ---- paths */

static bool
matches_part(const char *pattern, size_t pattern_bytes, const char *path, size_t path_bytes)
{
	char a[PART_MAX], b[PART_MAX];

	if (pattern_bytes >= sizeof(a) || path_bytes >= sizeof(b))
		return false;
	memcpy(a, pattern, pattern_bytes);
	a[pattern_bytes] = '\0';
	memcpy(b, path, path_bytes);
	b[path_bytes] = '\0';
	return fnmatch(a, b, 0) == 0;
}

/* One pattern, of @bytes. */
static enum access_reach
reach_of(const char *pattern, size_t bytes, const char *path)
{
	const char *end = pattern + bytes;

	while (pattern < end) {
		size_t n = strcspn(pattern, "/ "), m = strcspn(path, "/");

		if (m == 0)
			return ACCESS_ABOVE;
		if (!matches_part(pattern, n, path, m))
			return ACCESS_OUTSIDE;
		pattern += n + 1;
		path += m;
		path += *path == '/';
	}
	return ACCESS_WITHIN;
}

enum access_reach
access_reach(const char *patterns, const char *path)
{
	enum access_reach best = *patterns ? ACCESS_OUTSIDE : ACCESS_WITHIN;

	for (const char *at = patterns + strspn(patterns, " "); *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " ");
		enum access_reach reach = reach_of(at, bytes, path);

		best = reach > best ? reach : best;
		at += bytes;
	}
	return best;
}

int
access_check_paths(const char *patterns, struct err *err)
{
	if (!patterns[strspn(patterns, " ")])
		return err_set(
		    err, EINVAL, "paths: none is named; without the line the token leads everywhere");
	for (const char *at = patterns + strspn(patterns, " "); *at; at += strspn(at, " ")) {
		size_t bytes = strcspn(at, " ");

		if (*at == '/' || memmem(at, bytes, "//", 2) || memmem(at, bytes, "..", 2))
			return err_set(err, EINVAL,
			    "paths: \"%.*s\" is no path below the top, like devices/car*/assign", (int)bytes,
			    at);
		at += bytes;
	}
	return name_is_printable(patterns) ? 0 : err_set(err, EINVAL, "paths: not printable ASCII");
}

/* The least that all of them allow. */
static enum access_reach
reach_all(const struct access *access, const char *path)
{
	enum access_reach least = ACCESS_WITHIN;

	for (int i = 0; i < access->depth; i++) {
		enum access_reach reach = access_reach(access->paths[i], path);

		least = reach < least ? reach : least;
	}
	return least;
}

/* ---- who it is */

static int
refuse_token(struct err *err)
{
	return err_set(err, EACCES, "the token is not valid: it was revoked, has expired, or never was");
}

static int
find_holder(struct core *core, struct access *access, struct err *err)
{
	enum access_role role = ACCESS_NONE;
	int r = state_administrator(core->state, access->name, &role, err);

	if (r < 0)
		return r;
	if (r == STATE_NONE || role == ACCESS_NONE)
		return err_set(err, EACCES, "%s is no administrator", access->name);
	access->role = role < access->role ? role : access->role;
	return 0;
}

/* Takes what token @id allows into @access, and then what the one above it allows, and so on. */
static int
narrow(struct core *core, const char *id, struct access *access, struct err *err)
{
	char at[STATE_ACCESS_ID_SIZE];
	struct access_token token;
	int64_t now = utc_now();
	int r;

	snprintf(at, sizeof(at), "%s", id);
	while (*at) {
		r = state_access(core->state, at, &token, err);
		if (r != 0 || token.expires_at <= now || access->depth == ACCESS_DEPTH_MAX ||
		    strcmp(token.name, access->name))
			return r < 0 ? r : refuse_token(err);
		access->role = token.role < access->role ? token.role : access->role;
		access->expires_at =
		    token.expires_at < access->expires_at ? token.expires_at : access->expires_at;
		memcpy(access->paths[access->depth++], token.paths, sizeof(token.paths));
		memcpy(at, token.parent, sizeof(at));
	}
	return 0;
}

/* ".ID.DIGEST" */
static int
find_token(struct core *core, const char *who, size_t bytes, struct access *access, struct err *err)
{
	const size_t id_bytes = STATE_ACCESS_ID_SIZE - 1, digest_bytes = DIGEST_HEX_SIZE - 1;
	struct access_token token;
	int r;

	if (bytes != 2 + id_bytes + digest_bytes || who[1 + id_bytes] != '.')
		return refuse_token(err);
	snprintf(access->token, sizeof(access->token), "%.*s", (int)id_bytes, who + 1);
	if ((r = state_access(core->state, access->token, &token, err)) < 0)
		return r;
	if (r == STATE_NONE || CRYPTO_memcmp(token.digest, who + 2 + id_bytes, digest_bytes) != 0)
		return refuse_token(err);
	memcpy(access->name, token.name, sizeof(access->name));
	return narrow(core, access->token, access, err);
}

int
access_find(struct core *core, const char *who, size_t bytes, struct access *out, struct err *err)
{
	int r;

	*out = (struct access){ .is_there = true, .role = ACCESS_KEYS, .expires_at = INT64_MAX };
	if (who[0] == '.') {
		if ((r = find_token(core, who, bytes, out, err)) < 0)
			return r;
	} else if (bytes > NAME_USER_MAX) {
		return err_set(err, EACCES, "the name is too long for an administrator's");
	} else {
		snprintf(out->name, sizeof(out->name), "%.*s", (int)bytes, who);
	}
	return find_holder(core, out, err);
}

int
access_note(struct core *core, const struct access *access, struct err *err)
{
	struct access_token token;
	int64_t now = utc_now();
	int r = access->depth ? state_access(core->state, access->token, &token, err) : STATE_NONE;

	if (r != 0 || token.used_at / DAY_SECONDS == now / DAY_SECONDS)
		return r < 0 ? r : 0;
	return state_access_used(core->state, access->token, now, err);
}

void
access_who(const struct access *access, char who[static STATE_WHO_MAX])
{
	if (access->depth)
		snprintf(who, STATE_WHO_MAX, "%s (token %s)", access->name, access->token);
	else
		snprintf(who, STATE_WHO_MAX, "%s (web)", access->name);
}

/* ---- what he may do */

int
access_may_pass(const struct access *access, const char *path, struct err *err)
{
	if (!access->is_there || reach_all(access, path) != ACCESS_OUTSIDE)
		return 0;
	return err_set(err, EACCES, "%.200s: the token's paths do not lead there", path);
}

int
access_may(const struct access *access, const char *path, enum access_role role, struct err *err)
{
	if (!access->is_there)
		return 0;
	if (reach_all(access, path) != ACCESS_WITHIN)
		return err_set(err, EACCES, "%.200s: is not within the token's paths", path);
	if (access->role < role)
		return err_set(err, EACCES, "%s: this needs role %s, %s has %s", access->name,
		    access_role_name(role), access->depth ? "the token" : "he", access_role_name(access->role));
	return 0;
}
