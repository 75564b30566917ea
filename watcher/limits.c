#include "watcher/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"

#define BLANKS " \t\r"

/* -- the file -- */

/* "2027-01-31", whose end it is, or "2027-01-31T12:00:00Z". */
static int
read_date(const char *text, int64_t *until, struct err *err)
{
	char whole[UTC_TEXT_SIZE + 8];

	snprintf(
	    whole, sizeof(whole), strlen(text) == strlen("2027-01-31") ? "%.10sT23:59:59Z" : "%.24s", text);
	if (utc_parse(whole, until) < 0)
		return err_set(
		    err, EINVAL, "until=%.40s is no date such as 2027-01-31 or 2027-01-31T12:00:00Z", text);
	return 0;
}

/* The value of a @word that is NAME=VALUE; NULL if it is not. */
static char *
value_of(char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) || word[n] != '=' ? NULL : word + n + 1;
}

static int
read_word(struct limits *limits, char *word, struct err *err)
{
	static const char *const names[] = { "names", "hardware", "refs" };
	char **const to[] = { &limits->names, &limits->hardware, &limits->refs };
	char *value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = value_of(word, names[i]);
		if (value && *to[i])
			return err_set(err, EINVAL, "%s= is given twice", names[i]);
		if (value) {
			*to[i] = value;
			return 0;
		}
	}
	value = value_of(word, "until");
	if (value)
		return read_date(value, &limits->until, err);
	if (strcmp(word, "push-only"))
		return err_set(
		    err, EINVAL, "\"%.60s\" is none of names=, hardware=, refs=, until= and push-only", word);
	limits->is_push_only = true;
	return 0;
}

/* Whether @line, which is cut into words, is for @builder; *@at is what stands behind his name. */
static bool
is_for(char **at, const char *builder)
{
	char *name = *at + strspn(*at, BLANKS);

	*at = name + strcspn(name, BLANKS);
	if (**at)
		*(*at)++ = '\0';
	return *name && *name != '#' && fnmatch(name, builder, 0) == 0;
}

static int
read_line(struct limits *limits, char *rest, struct err *err)
{
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&rest, BLANKS)))
		if (*word)
			r = read_word(limits, word, err);
	return r;
}

int
limits_parse(struct limits *limits, const char *text, const char *builder, struct err *err)
{
	char *rest, *line;

	*limits = (struct limits){ .line = strdup(text) };
	if (!limits->line)
		return err_set(err, ENOMEM, "no memory");
	rest = limits->line;
	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		int r;

		if (!is_for(&line, builder))
			continue;
		r = read_line(limits, line, err);
		return r < 0 ? err_context(err, r, "line %d", number) : 0;
	}
	return 0;
}

int
limits_read(struct limits *limits, const char *path, const char *builder, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes = 0;
	int r;

	*limits = (struct limits){ 0 };
	r = file_read(AT_FDCWD, path, LIMITS_FILE_MAX, &text, &bytes, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = limits_parse(limits, text, builder, err);
	return r < 0 ? err_context(err, r, "build_limits") : 0;
}

void
limits_done(struct limits *limits)
{
	free(limits->line);
	*limits = (struct limits){ 0 };
}

/* -- what it says -- */

/* Whether one of the patterns @list matches @text; there is no limit without a list. */
static bool
is_within(const char *list, const char *text)
{
	char pattern[256];

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL) {
		size_t n = strcspn(list, ",");

		if (n == 0 || n >= sizeof(pattern))
			continue;
		memcpy(pattern, list, n);
		pattern[n] = '\0';
		if (fnmatch(pattern, text, 0) == 0)
			return true;
	}
	return false;
}

static int
check(const char *list, const char *what, const char *text, struct err *err)
{
	if (!list || is_within(list, text))
		return 0;
	err_set(err, EACCES, "the %s \"%.100s\" is none of those that this builder may push: %.120s", what,
	    text, list);
	return LIMITS_REFUSED;
}

int
limits_check_time(const struct limits *limits, int64_t now, struct err *err)
{
	char text[UTC_TEXT_SIZE];

	if (!limits->until || now <= limits->until)
		return 0;
	utc_format(limits->until, text);
	err_set(err, EACCES, "this builder could push until %s", text);
	return LIMITS_REFUSED;
}

int
limits_check_ref(const struct limits *limits, const char *ref, struct err *err)
{
	return check(limits->refs, "ref", ref, err);
}

int
limits_check_package(const struct limits *limits, const char *name, const json_t *hardware, struct err *err)
{
	const json_t *id;
	size_t i;
	int r = check(limits->names, "package", name, err);

	json_array_foreach(hardware, i, id)
	{
		if (r == 0)
			r = check(limits->hardware, "hardware id", json_string_value(id) ?: "", err);
	}
	return r;
}

/* A target without a name is nobody's, one without hardware ids is for none that is named. */
static int
check_target(const struct limits *limits, const json_t *target, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom"),
		     *hardware = json_object_get(custom, "hardwareIds");
	int r = limits_check_package(limits, json_text(custom, "name") ?: "", hardware, err);

	if (r == 0 && json_array_size(hardware) == 0)
		r = check(limits->hardware, "hardware id", "", err);
	return r;
}

int
limits_judge(const char *file, const json_t *before, const json_t *after, void *data, struct err *err)
{
	const struct limits *limits = data;
	int r;

	if (!limits->names && !limits->hardware)
		return 0;
	if (!file) {
		err_set(err, EACCES, "a builder with limits does not change which delegations are trusted");
		return LIMITS_REFUSED;
	}
	r = before ? check_target(limits, before, err) : 0;
	if (r == 0 && after)
		r = check_target(limits, after, err);
	if (r)
		err_context(err, r, "%.100s", file);
	return r;
}
