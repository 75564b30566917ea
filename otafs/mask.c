#include "otafs/mask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

#define MASKED "(masked)"
/** Tables and arrays in one another. */
#define DEPTH_MAX 64
#define BLANKS " \t"

/* -- what is a secret -- */

static bool
has_word(const char *text, size_t bytes, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= bytes; i++)
		if (!strncasecmp(text + i, word, n))
			return true;
	return false;
}

static bool
is_secret_name(const char *name, size_t bytes)
{
	static const char *const words[] = { "pass", "pwd", "secret", "token", "apikey", "api_key", "api-key",
		"privatekey", "private_key", "private-key" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(name, bytes, words[i]))
			return true;
	/* Letters that are written by their numbers may be anything. */
	return memchr(name, '\\', bytes) != NULL;
}

/* A text that sets a secret, as in "host=x password=y"; or an address with one, "https://user:geheim@host". */
static bool
has_secret(const char *text, size_t bytes)
{
	const char *address = memmem(text, bytes, "://", 3);

	if (address && memchr(address, '@', bytes - (size_t)(address - text)))
		return true;
	return memchr(text, '=', bytes) && is_secret_name(text, bytes);
}

/* -- JSON -- */

static json_t *mask_json(json_t *value);

static json_t *
mask_object(json_t *object)
{
	json_t *out = json_object(), *one;
	const char *name;

	json_object_foreach(object, name, one)
	{
		bool is_secret = is_secret_name(name, strlen(name));

		json_object_set_new(out, name, is_secret ? json_string(MASKED) : mask_json(one));
	}
	return out;
}

static json_t *
mask_array(json_t *array)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(array, i, one) json_array_append_new(out, mask_json(one));
	return out;
}

/* As deep as json_read_loosely() lets it be. */
static json_t *
mask_json(json_t *value)
{
	if (json_is_object(value))
		return mask_object(value);
	if (json_is_array(value))
		return mask_array(value);
	if (json_is_string(value) && has_secret(json_string_value(value), json_string_length(value)))
		return json_string(MASKED);
	return json_incref(value);
}

/* -- TOML: walks over the text once, and copies it but for the secrets -- */

struct scan {
	const char *at, *end;
	FILE *out;
	int muted; /* within a secret */
	int depth;
	bool is_secret_table;
};

static void
put(const struct scan *s, const char *from, const char *to)
{
	if (!s->muted)
		fwrite(from, 1, (size_t)(to - from), s->out);
}

static void
copy_to(struct scan *s, const char *to)
{
	put(s, s->at, to);
	s->at = to;
}

static void
put_masked(const struct scan *s)
{
	if (!s->muted)
		fputs("\"" MASKED "\"", s->out);
}

static const char *
line_end(const struct scan *s)
{
	const char *end = memchr(s->at, '\n', (size_t)(s->end - s->at));

	return end ? end : s->end;
}

static void
copy_comment(struct scan *s)
{
	const char *end = line_end(s);
	size_t bytes = (size_t)(end - s->at);

	if (!has_secret(s->at, bytes) && !is_secret_name(s->at, bytes)) {
		copy_to(s, end);
		return;
	}
	if (!s->muted)
		fputs("# " MASKED, s->out);
	s->at = end;
}

/* Blanks; and where a value may go on in the next line, line ends and comments. */
static void
copy_blanks(struct scan *s, bool is_many_lines)
{
	for (;;) {
		const char *to = s->at;

		while (to < s->end && *to && strchr(is_many_lines ? BLANKS "\r\n" : BLANKS "\r", *to))
			to++;
		copy_to(s, to);
		if (!is_many_lines || s->at == s->end || *s->at != '#')
			return;
		copy_comment(s);
	}
}

/* Behind the text that begins here, one line or several; NULL when it does not end. */
static const char *
text_end(const struct scan *s)
{
	char quote = *s->at;
	bool is_long = s->end - s->at >= 3 && s->at[1] == quote && s->at[2] == quote;
	const char *at = s->at + (is_long ? 3 : 1);

	for (; at < s->end; at++) {
		if (*at == '\\' && quote == '"')
			at++;
		else if (*at == quote && !is_long)
			return at + 1;
		else if (*at == '\n' && !is_long)
			return NULL;
		else if (is_long && *at == quote && s->end - at >= 3 && at[1] == quote && at[2] == quote)
			break;
	}
	if (at >= s->end)
		return NULL;
	/* The text itself may end with one or two quotes. */
	for (at += 3; at < s->end && *at == quote;)
		at++;
	return at;
}

static int
copy_text(struct scan *s)
{
	const char *end = text_end(s);

	if (!end)
		return -EINVAL;
	if (has_secret(s->at, (size_t)(end - s->at))) {
		put_masked(s);
		s->at = end;
	} else {
		copy_to(s, end);
	}
	return 0;
}

static int
copy_bare(struct scan *s, bool is_inside)
{
	const char *to = s->at, *end = is_inside ? s->end : line_end(s);

	while (to < end && !(is_inside && strchr(",]}\n", *to)) && *to != '#')
		to++;
	if (to == s->at)
		return -EINVAL;
	if (has_secret(s->at, (size_t)(to - s->at))) {
		put_masked(s);
		s->at = to;
	} else {
		copy_to(s, to);
	}
	return 0;
}

static int copy_pair(struct scan *s, bool is_inside);
static int copy_value(struct scan *s, bool is_inside);

/* An array, or a table within a line. */
static int
copy_list(struct scan *s)
{
	char close = *s->at == '[' ? ']' : '}';
	int r = 0;

	if (++s->depth > DEPTH_MAX)
		return -EINVAL;
	copy_to(s, s->at + 1);
	for (copy_blanks(s, true); r == 0 && s->at < s->end && *s->at != close; copy_blanks(s, true)) {
		r = close == '}' ? copy_pair(s, true) : copy_value(s, true);
		copy_blanks(s, true);
		if (r == 0 && s->at < s->end && *s->at == ',')
			copy_to(s, s->at + 1);
		else if (r == 0 && (s->at == s->end || *s->at != close))
			r = -EINVAL;
	}
	if (r < 0 || s->at == s->end)
		return -EINVAL;
	copy_to(s, s->at + 1);
	s->depth--;
	return 0;
}

static int
copy_value(struct scan *s, bool is_inside)
{
	if (s->at == s->end)
		return -EINVAL;
	switch (*s->at) {
	case '"':
	case '\'':
		return copy_text(s);
	case '[':
	case '{':
		return copy_list(s);
	default:
		return copy_bare(s, is_inside);
	}
}

/* Copies a name and moves behind it, to the '='. */
static int
copy_name(struct scan *s, bool *is_secret)
{
	struct scan look = *s;

	while (look.at < look.end && *look.at != '=') {
		const char *next = *look.at == '"' || *look.at == '\'' ? text_end(&look) : look.at + 1;

		if (!next || *look.at == '\n')
			return -EINVAL;
		look.at = next;
	}
	if (look.at == look.end)
		return -EINVAL;
	*is_secret = is_secret_name(s->at, (size_t)(look.at - s->at));
	copy_to(s, look.at);
	return 0;
}

static int
copy_pair(struct scan *s, bool is_inside)
{
	bool is_secret;
	int r = copy_name(s, &is_secret);

	if (r < 0)
		return r;
	copy_to(s, s->at + 1);
	copy_blanks(s, false);
	if (!is_secret && !s->is_secret_table)
		return copy_value(s, is_inside);
	s->muted++;
	/* Of a bare value to the end of the line, whatever it may be. */
	r = copy_value(s, is_inside);
	if (r == 0 && !is_inside)
		copy_to(s, line_end(s));
	s->muted--;
	put_masked(s);
	return r;
}

static void
copy_header(struct scan *s)
{
	const char *end = line_end(s), *comment = memchr(s->at, '#', (size_t)(end - s->at));

	s->is_secret_table = is_secret_name(s->at, (size_t)(end - s->at));
	copy_to(s, comment ? comment : end);
}

static int
copy_line(struct scan *s)
{
	copy_blanks(s, true);
	if (s->at == s->end)
		return 0;
	if (*s->at != '[')
		return copy_pair(s, false);
	copy_header(s);
	return 0;
}

static int
copy_toml(const char *text, size_t bytes, FILE *out)
{
	struct scan s = { .at = text, .end = text + bytes, .out = out };
	int r = 0;

	while (r == 0 && s.at < s.end) {
		if ((r = copy_line(&s)) < 0)
			break;
		copy_blanks(&s, false);
		if (s.at < s.end && *s.at == '#')
			copy_comment(&s);
		if (s.at < s.end && *s.at != '\n')
			r = -EINVAL;
	}
	return r;
}

static char *
mask_toml(const char *text, size_t bytes)
{
	AUTO(free_p) char *masked = NULL;
	size_t n;
	FILE *out = open_memstream(&masked, &n);
	bool is_bad;
	int r;

	if (!out)
		return NULL;
	r = copy_toml(text, bytes, out);
	is_bad = ferror(out);
	if (fclose(out) || is_bad)
		return NULL;
	return r == 0 ? MOVE(masked)
		      : strdup("# This configuration is neither TOML nor JSON, and was not kept.\n");
}

char *
mask_secrets(const char *text, size_t bytes)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(json_decref_p) json_t *masked = NULL;
	size_t blank = strspn(text, BLANKS "\r\n");
	struct err err;

	if (!text[blank] || !strchr("{[", text[blank]) ||
	    json_read_loosely(text, bytes, "config", &json, &err) < 0)
		return mask_toml(text, bytes);
	masked = mask_json(json);
	return masked ? json_write_as(masked, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
}
