#include "otafs/access_token.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utc.h"

#define SECRET_BYTES 32
#define DAY_SECONDS 86400
/** An id is taken already once in millions of times. */
#define TRIES 8

static int
tell(struct core *core, const struct access_asker *asker, const char *what, const char *text, struct err *err)
{
	return core_tell(core, "", asker->who, what, text, err);
}

/* ---- administrators */

int
access_print_role(struct core *core, const char *name, FILE *out, struct err *err)
{
	enum access_role role = ACCESS_NONE;
	int r = name_check_user(name, err);

	if (r < 0 || (r = state_administrator(core->state, name, &role, err)) < 0)
		return r;
	fprintf(out, "%s\n", access_role_name(role));
	return 0;
}

/* The one word of a line. */
static enum access_role
read_role(const char *text)
{
	char word[ACCESS_ROLE_BYTES_MAX + 1];

	snprintf(word, sizeof(word), "%s", text);
	word[strcspn(word, "\n")] = '\0';
	return access_role_of(word);
}

int
access_write_role(
    struct core *core, const char *name, const char *text, const struct access_asker *asker, struct err *err)
{
	enum access_role role = read_role(text);
	char words[256];
	int r;

	if ((r = name_check_user(name, err)) < 0)
		return r;
	if (role == ACCESS_NONE)
		return err_set(err, EINVAL, "a role is view, operate or keys; rm takes an administrator away");
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(words, sizeof(words), "administrator %s has role %s", name, access_role_name(role));
	if ((r = state_administrator_set(core->state, name, role, utc_now(), asker->who, err)) == 0)
		r = tell(core, asker, "administrator_set", words, err);
	return state_end(core->state, r, err);
}

int
access_remove(struct core *core, const char *name, const struct access_asker *asker, struct err *err)
{
	char words[256];
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(words, sizeof(words), "administrator %s removed, with all tokens", name);
	if ((r = state_administrator_remove(core->state, name, err)) == 0)
		r = tell(core, asker, "administrator_removed", words, err);
	r = state_end(core->state, r == STATE_NONE ? -ENOENT : r, err);
	return r == -ENOENT ? err_set(err, ENOENT, "%.64s: is no administrator", name) : r;
}

/* ---- a request for a token */

/* A time, or how long from now: "30d", "12h". */
static int
read_end(const char *text, int64_t now, int64_t *out, struct err *err)
{
	char *end;
	long count = strtol(text, &end, 10);
	int64_t unit = !strcmp(end, "d") ? DAY_SECONDS : !strcmp(end, "h") ? 3600 : 0;

	if (unit && *text >= '1' && *text <= '9' && count <= ACCESS_DAYS_MAX * 24L)
		*out = now + count * unit;
	else if (utc_parse(text, out) < 0)
		return err_set(
		    err, EINVAL, "expires: \"%.32s\" is neither 30d, 12h nor 2027-01-01T00:00:00Z", text);
	if (*out <= now || *out > now + (int64_t)ACCESS_DAYS_MAX * DAY_SECONDS)
		return err_set(err, EINVAL, "expires: has to be within the next %d days", ACCESS_DAYS_MAX);
	return 0;
}

static int
copy(const char *what, const char *value, char *out, size_t room, struct err *err)
{
	if (!name_is_printable(value))
		return err_set(err, EINVAL, "%s: is not printable ASCII", what);
	if (strlen(value) >= room)
		return err_set(err, EINVAL, "%s: is longer than %zu bytes", what, room - 1);
	snprintf(out, room, "%s", value);
	return 0;
}

static int
take_line(const char *name, const char *value, struct access_token *token, struct err *err)
{
	if (!strcmp(name, "role")) {
		token->role = access_role_of(value);
		return token->role ? 0 : err_set(err, EINVAL, "role: is view, operate or keys");
	}
	if (!strcmp(name, "paths")) {
		int r = copy("paths", value, token->paths, sizeof(token->paths), err);

		return r < 0 ? r : access_check_paths(token->paths, err);
	}
	if (!strcmp(name, "expires"))
		return read_end(value, token->created_at, &token->expires_at, err);
	if (!strcmp(name, "title"))
		return copy("title", value, token->title, sizeof(token->title), err);
	if (!strcmp(name, "user"))
		return copy("user", value, token->name, sizeof(token->name), err);
	return err_set(err, EINVAL, "\"%.32s\": a request has role, paths, expires, title and user", name);
}

static int
parse(const char *request, struct access_token *token, struct err *err)
{
	char text[ACCESS_REQUEST_MAX + 1], *rest = text, *line;

	snprintf(text, sizeof(text), "%s", request);
	while ((line = strsep(&rest, "\n"))) {
		char *value = line + strcspn(line, " ");
		int r;

		if (!*line)
			continue;
		if (*value)
			*value++ = '\0';
		if ((r = take_line(line, value, token, err)) < 0)
			return r;
	}
	return 0;
}

/* ---- and whether it is granted */

static int
find_holder(const struct access_asker *asker, struct access_token *token, struct err *err)
{
	const struct access *access = asker->access;

	if (access->is_there && *token->name && strcmp(token->name, access->name))
		return err_set(err, EACCES, "user: %s makes tokens of his own only", access->name);
	if (access->is_there)
		memcpy(token->name, access->name, sizeof(token->name));
	if (!*token->name)
		return err_set(err, EINVAL, "user: whose token it is has to be said");
	return name_check_user(token->name, err);
}

static int
check_role(struct core *core, const struct access_asker *asker, struct access_token *token, struct err *err)
{
	enum access_role most = asker->access->role;
	int r;

	if (!asker->access->is_there && (r = state_administrator(core->state, token->name, &most, err)) != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s is no administrator", token->name);
	if (!token->role)
		token->role = most;
	if (token->role <= most)
		return 0;
	return err_set(err, EACCES, "role: %s has %s, and cannot give away %s", token->name,
	    access_role_name(most), access_role_name(token->role));
}

static int
check_end(const struct access_asker *asker, struct access_token *token, bool is_given, struct err *err)
{
	const struct access *access = asker->access;

	if (!access->depth || token->expires_at <= access->expires_at)
		return 0;
	if (is_given)
		return err_set(err, EACCES, "expires: is after the end of token %s", access->token);
	token->expires_at = access->expires_at;
	return 0;
}

static int
check_room(
    struct core *core, const struct access_asker *asker, const struct access_token *token, struct err *err)
{
	int64_t count;
	int r;

	if (asker->access->depth >= ACCESS_DEPTH_MAX)
		return err_set(err, EACCES, "token %s was made by a token, and so on: %d at most",
		    asker->access->token, ACCESS_DEPTH_MAX);
	if ((r = state_access_count(core->state, token->name, &count, err)) < 0 || count < ACCESS_TOKENS_MAX)
		return r;
	return err_set(err, ENOSPC, "%s has %lld tokens, at most %d are possible: rm access/tokens/ID",
	    token->name, (long long)count, ACCESS_TOKENS_MAX);
}

static int
fill(struct core *core, const char *request, const struct access_asker *asker, struct access_token *token,
    struct err *err)
{
	bool is_given;
	int r;

	token->created_at = utc_now();
	memcpy(token->parent, asker->access->token, sizeof(token->parent));
	if ((r = parse(request, token, err)) < 0)
		return r;
	is_given = token->expires_at != 0;
	if (!is_given)
		token->expires_at = token->created_at + (int64_t)ACCESS_DAYS * DAY_SECONDS;
	if ((r = find_holder(asker, token, err)) < 0 || (r = check_role(core, asker, token, err)) < 0 ||
	    (r = check_end(asker, token, is_given, err)) < 0)
		return r;
	return check_room(core, asker, token, err);
}

/* Gives it an id and a secret. */
static int
draw(struct access_token *token, char text[static ACCESS_TEXT_SIZE], struct err *err)
{
	unsigned char random[STATE_ACCESS_ID_SIZE / 2 + SECRET_BYTES];
	char secret[2 * SECRET_BYTES + 1];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return err_set(err, EIO, "no random numbers for a token");
	digest_hex(random, STATE_ACCESS_ID_SIZE / 2, token->id);
	digest_hex(random + STATE_ACCESS_ID_SIZE / 2, SECRET_BYTES, secret);
	snprintf(text, ACCESS_TEXT_SIZE, "ota_%s_%s", token->id, secret);
	digest_sha256_hex(text, strlen(text), token->digest);
	explicit_bzero(random, sizeof(random));
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

static int
add(struct core *core, struct access_token *token, char text[static ACCESS_TEXT_SIZE], struct err *err)
{
	int r = STATE_EXISTS;

	for (int i = 0; r == STATE_EXISTS && i < TRIES; i++)
		if ((r = draw(token, text, err)) == 0)
			r = state_access_add(core->state, token, err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "no id is free for a token") : r;
}

static int
tell_made(
    struct core *core, const struct access_asker *asker, const struct access_token *token, struct err *err)
{
	char words[STATE_ACCESS_PATHS_MAX + STATE_ACCESS_TITLE_MAX + 256], end[UTC_TEXT_SIZE];

	utc_format(token->expires_at, end);
	snprintf(words, sizeof(words), "token %s of %s made: role %s, paths %s, until %s%s%s", token->id,
	    token->name, access_role_name(token->role), *token->paths ? token->paths : "all", end,
	    *token->title ? ", " : "", token->title);
	return tell(core, asker, "token_made", words, err);
}

int
access_token_make(struct core *core, const char *request, const struct access_asker *asker,
    char text[static ACCESS_TEXT_SIZE], struct err *err)
{
	struct access_token token = { 0 };
	int r;

	if ((r = fill(core, request, asker, &token, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = add(core, &token, text, err)) == 0)
		r = tell_made(core, asker, &token, err);
	return state_end(core->state, r, err);
}

/* ---- tokens that are there */

/* Whether @token is @above, or was made with it: -ENOENT. */
static int
check_below(struct core *core, const struct access_token *token, const char *above, struct err *err)
{
	struct access_token at = *token;
	int r = 0;

	while (r == 0 && strcmp(at.id, above)) {
		char parent[STATE_ACCESS_ID_SIZE];

		memcpy(parent, at.parent, sizeof(parent));
		r = *parent ? state_access(core->state, parent, &at, err) : STATE_NONE;
	}
	return r;
}

static bool
is_others(const struct access_token *token, const struct access *access)
{
	return access->is_there && (access->role < ACCESS_KEYS || access->depth) &&
	       strcmp(token->name, access->name);
}

static int
find(struct core *core, const char *id, const struct access_asker *asker, struct access_token *out,
    struct err *err)
{
	const struct access *access = asker->access;
	int r = state_access(core->state, id, out, err);

	if (r == 0 && is_others(out, access))
		r = STATE_NONE;
	if (r == 0 && access->depth)
		r = check_below(core, out, access->token, err);
	return r > 0 ? err_set(err, ENOENT, "%.64s: there is no such token", id) : r;
}

int
access_token_find(struct core *core, const char *id, const struct access_asker *asker, struct err *err)
{
	struct access_token token;

	return find(core, id, asker, &token, err);
}

int
access_token_revoke(struct core *core, const char *id, const struct access_asker *asker, struct err *err)
{
	struct access_token token;
	char words[128];
	int r;

	if ((r = find(core, id, asker, &token, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	snprintf(words, sizeof(words), "token %s of %s revoked", token.id, token.name);
	if ((r = state_access_remove(core->state, id, err)) == 0)
		r = tell(core, asker, "token_revoked", words, err);
	return state_end(core->state, r, err);
}

int
access_token_print(
    struct core *core, const char *id, const struct access_asker *asker, FILE *out, struct err *err)
{
	char made[UTC_TEXT_SIZE], ends[UTC_TEXT_SIZE], used[UTC_TEXT_SIZE];
	struct access_token token;
	int r;

	if ((r = find(core, id, asker, &token, err)) < 0)
		return r;
	utc_format(token.created_at, made);
	utc_format(token.expires_at, ends);
	utc_format(token.used_at, used);
	fprintf(out,
	    "user %s\nrole %s\npaths %s\ntitle %s\nmade %s\nexpires %s\nlast day of use %s\nmade with %s\n",
	    token.name, access_role_name(token.role), *token.paths ? token.paths : "all", token.title, made,
	    ends, token.used_at ? used : "never", *token.parent ? token.parent : "no token");
	return 0;
}
