#include "otafs/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/group.h"
#include "otafs/moment.h"
#include "otafs/tag.h"
#include "otafs/text.h"

static int
tell(struct core *core, const char *name, const char *what, const char *done, const char *who, struct err *err)
{
	char text[512];

	snprintf(text, sizeof(text), "enrolment token %s %s by %s", name, done, who);
	return core_tell(core, "", who, what, text, err);
}

static int
count_one(const struct token *token, void *count)
{
	(void)token;
	++*(int *)count;
	return 0;
}

static int
check_name(const char *name, struct err *err)
{
	int r = name_check_device(name, err);

	if (r == 0 && strlen(name) > STATE_TOKEN_NAME_MAX)
		r = err_set(err, EINVAL, "token: the name has %zu characters, at most %d are allowed",
		    strlen(name), STATE_TOKEN_NAME_MAX);
	return r;
}

static int
add(struct core *core, const char *name, const char *who, struct err *err)
{
	struct token token = { .created_at = utc_now() };
	int count = 0, r;

	snprintf(token.name, sizeof(token.name), "%s", name);
	snprintf(token.who, sizeof(token.who), "%s", who);
	if ((r = state_token_add(core->state, &token, err)) != 0 ||
	    (r = state_tokens(core->state, count_one, &count, err)) < 0)
		return r;
	if (count > TOKENS_MAX)
		return err_set(err, ENOSPC, "there are %d tokens, more are not allowed", TOKENS_MAX);
	return tell(core, name, "token_made", "made", who, err);
}

int
token_add(struct core *core, const char *name, const char *who, struct err *err)
{
	int r;

	if ((r = check_name(name, err)) < 0 || (r = state_begin(core->state, err)) < 0)
		return r;
	r = state_end(core->state, add(core, name, who, err), err);
	return r == STATE_EXISTS ? err_set(err, EEXIST, "%s: there is such a token", name) : r;
}

int
token_remove(struct core *core, const char *name, const char *who, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_token_remove(core->state, name, err)) == 0)
		r = tell(core, name, "token_revoked", "revoked", who, err);
	r = state_end(core->state, r, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "%s: no such token", name) : r;
}

int
token_find(struct core *core, const char *name, struct token *out, struct err *err)
{
	int r = state_token(core->state, name, out, err);

	return r == STATE_NONE ? err_set(err, ENOENT, "%s: no such token", name) : r;
}

int
token_check_serial(struct core *core, const char *name, const char *serial, struct err *err)
{
	struct token token;
	int r = token_find(core, name, &token, err);

	if (r == 0 && (!*serial || strcmp(token.serial, serial) != 0))
		r = err_set(err, ENOENT, "%s: has no certificate %s", name, serial);
	return r;
}

/* ---- control files */

/* Stores what has changed; what is so already is no line in the history. */
static int
change(struct core *core, const struct token *token, const char *done, const char *who, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_token_put(core->state, token, err)) == 0)
		r = tell(core, token->name, "token_changed", done, who, err);
	return state_end(core->state, r, err);
}

int
token_write_expires(struct core *core, const char *name, const char *text, const char *who, struct err *err)
{
	char done[64], time[UTC_TEXT_SIZE];
	struct token token;
	int64_t at = 0;
	int r;

	if (strcmp(text, "never") && strcmp(text, "never\n") && moment_parse(text, &at) < 0)
		return err_set(err, EINVAL,
		    "\"%.*s\" is no time: 2046-11-22T08:00:00Z, 2046-11-22, or \"never\"",
		    (int)strcspn(text, "\n"), text);
	if ((r = token_find(core, name, &token, err)) < 0 || token.expires_at == at)
		return r;
	token.expires_at = at;
	utc_format(at, time);
	snprintf(done, sizeof(done), "made good until %s", at ? time : "it is revoked");
	return change(core, &token, done, who, err);
}

/* A number of devices; 0 is none, for which there is rmdir. */
static int
parse_limit(const char *text, int64_t *most, struct err *err)
{
	char word[TOKEN_BYTES_MAX + 1], *trimmed, *end;
	long long number;

	snprintf(word, sizeof(word), "%s", text);
	trimmed = text_trim(word);
	*most = 0;
	if (!strcmp(trimmed, "none"))
		return 0;
	number = strspn(trimmed, "0123456789") <= 9 ? strtoll(trimmed, &end, 10) : 0;
	if (number <= 0 || *end)
		return err_set(
		    err, EINVAL, "\"%.64s\" is no limit: a number of devices from 1 on, or \"none\"", trimmed);
	*most = number;
	return 0;
}

int
token_write_limit(struct core *core, const char *name, const char *text, const char *who, struct err *err)
{
	char done[64] = "allowed to make any number of devices";
	struct token token;
	int64_t most;
	int r;

	if ((r = parse_limit(text, &most, err)) < 0 || (r = token_find(core, name, &token, err)) < 0 ||
	    token.most == most)
		return r;
	token.most = most;
	if (most)
		snprintf(done, sizeof(done), "allowed to make %lld devices", (long long)most);
	return change(core, &token, done, who, err);
}

/* Devices can be put into it. */
static int
check_group(struct core *core, const char *name, struct err *err)
{
	struct group group;
	int r = group_find(core, name, &group, err);

	if (r == 0 && group.rule[0])
		r = err_set(err, EPERM, "group %s has a rule: who is in it follows from that", name);
	return r;
}

int
token_write_group(struct core *core, const char *name, const char *text, const char *who, struct err *err)
{
	char word[TOKEN_BYTES_MAX + 1], done[NAME_GROUP_MAX + 64], *group;
	struct token token;
	int r;

	snprintf(word, sizeof(word), "%s", text);
	group = text_trim(word);
	if (*group && ((r = name_check_group(group, err)) < 0 || (r = check_group(core, group, err)) < 0))
		return r;
	if ((r = token_find(core, name, &token, err)) < 0 || !strcmp(token.group, group))
		return r;
	snprintf(token.group, sizeof(token.group), "%s", group);
	snprintf(done, sizeof(done), "given %s%s", *group ? "the group " : "no group", group);
	return change(core, &token, done, who, err);
}

/* Appends the line "NAME=VALUE" to the text at @out. */
static int
add_tag(char *line, char *out, struct err *err)
{
	char *name = text_trim(line), *value = strchr(name, '=');
	size_t n = strlen(out);
	int r;

	if (!*name)
		return 0;
	if (!value)
		return err_set(err, EINVAL, "\"%.64s\": expected \"NAME=VALUE\"", name);
	*value++ = '\0';
	name = text_trim(name);
	value = text_trim(value);
	if ((r = tag_check_name(name, err)) < 0 || (r = tag_check_value(value, err)) < 0)
		return r;
	if (!*value)
		return err_set(err, EINVAL, "tag %s: the value is empty", name);
	if ((size_t)snprintf(out + n, STATE_TOKEN_TAGS_MAX + 1 - n, "%s=%s\n", name, value) >
	    STATE_TOKEN_TAGS_MAX - n)
		return err_set(err, ENOSPC, "tags: more than %d bytes", STATE_TOKEN_TAGS_MAX);
	return 0;
}

int
token_write_tags(struct core *core, const char *name, const char *text, const char *who, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char tags[STATE_TOKEN_TAGS_MAX + 1] = "", shown[256], done[300], *rest = copy, *line;
	struct token token;
	int count = 0, r = copy ? 0 : err_set(err, ENOMEM, "no memory for tags");

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		count += strchr(line, '=') != NULL;
		r = add_tag(line, tags, err);
	}
	if (r == 0 && count > STATE_TAGS_MAX)
		r = err_set(err, ENOSPC, "tags: a device has at most %d", STATE_TAGS_MAX);
	if (r < 0 || (r = token_find(core, name, &token, err)) < 0 || !strcmp(token.tags, tags))
		return r;
	memcpy(token.tags, tags, sizeof(tags));
	name_printable(text_one_line(tags, copy, strlen(copy) + 1), shown, sizeof(shown));
	snprintf(done, sizeof(done), "given %s%s", *tags ? "the tags " : "no tags", shown);
	return change(core, &token, done, who, err);
}

/* ---- what is read */

void
token_print_expires(const struct token *token, FILE *out)
{
	char time[UTC_TEXT_SIZE];

	utc_format(token->expires_at, time);
	fprintf(out, "%s\n", token->expires_at ? time : "never");
}

void
token_print_limit(const struct token *token, FILE *out)
{
	if (token->most)
		fprintf(out, "%lld\n", (long long)token->most);
	else
		fputs("none\n", out);
}

static const char *
standing(const struct token *token)
{
	if (token->expires_at && token->expires_at <= utc_now())
		return "expired";
	if (token->most && token->used >= token->most)
		return "used up";
	return token->serial[0] ? "open" : "waits for its certificate";
}

void
token_print_status(const struct token *token, FILE *out)
{
	char time[UTC_TEXT_SIZE];

	fprintf(out, "%s: %s; made %lld", token->name, standing(token), (long long)token->used);
	if (token->most)
		fprintf(out, " of %lld", (long long)token->most);
	fputs(token->used == 1 && !token->most ? " device" : " devices", out);
	utc_format(token->expires_at, time);
	if (token->expires_at)
		fprintf(out, "; until %s", time);
	if (token->group[0])
		fprintf(out, "; group %s", token->group);
	if (token->serial[0])
		fprintf(out, "; certificate %s", token->serial);
	utc_format(token->created_at, time);
	fprintf(out, "; made %s by %s\n", time, token->who);
}
