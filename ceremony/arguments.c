#include "ceremony/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utc.h"
#include "sign/envelope.h"

/** Ten years: more is a slip of the hand. */
#define DAYS_MAX 3653

/* The entry of @names for the first @bytes of @word. */
static const char *
find_name(const char *const *names, const char *word, size_t bytes)
{
	for (; *names; names++)
		if (!strncmp(*names, word, bytes) && ((*names)[bytes] == '\0' || (*names)[bytes] == '='))
			return *names;
	return NULL;
}

static int
keep_word(struct arguments *out, const char *word, struct err *err)
{
	if (out->word_count == ARGUMENTS_MAX)
		return err_set(err, EINVAL, "more than %d arguments", ARGUMENTS_MAX);
	out->words[out->word_count++] = word;
	return 0;
}

/* As other programs have them. */
static const char *
long_name(const char *word)
{
	return !strcmp(word, "-c") ? "--config" : !strcmp(word, "-n") ? "--lines" : word;
}

/* Takes one option; @used is set to how many of @argv it took. */
static int
take_option(int argc, char **argv, const char *const *names, struct arguments *out, int *used, struct err *err)
{
	const char *word = long_name(argv[0]) + 2, *equals = strchr(word, '=');
	size_t bytes = equals ? (size_t)(equals - word) : strlen(word);
	const char *name = find_name(names, word, bytes);
	bool has_value = name && name[bytes] == '=';

	*used = has_value && !equals ? 2 : 1;
	if (!name || bytes == 0)
		return err_set(err, EINVAL, "--%.*s: no such option here", (int)bytes, word);
	if (has_value ? *used > argc : equals != NULL)
		return err_set(err, EINVAL, "--%.*s: %s", (int)bytes, word,
		    has_value ? "needs a value" : "takes no value");
	for (size_t i = 0; i < out->option_count; i++)
		if (out->options[i].name == name && strcmp(name + bytes, "=+") != 0)
			return err_set(err, EINVAL, "--%.*s: was given twice", (int)bytes, word);
	if (out->option_count == ARGUMENTS_MAX)
		return err_set(err, EINVAL, "more than %d options", ARGUMENTS_MAX);
	out->options[out->option_count++] = (struct argument){ name, !has_value ? ""
								     : equals   ? equals + 1
										: argv[1] };
	return 0;
}

static int
parse(int argc, char **argv, const char *const *names, struct arguments *out, struct err *err)
{
	int r = 0, used;

	for (int i = 1; r == 0 && i < argc; i += used) {
		used = 1;
		if (!strcmp(argv[i], "--")) {
			while (r == 0 && ++i < argc)
				r = keep_word(out, argv[i], err);
		} else if (!strncmp(long_name(argv[i]), "--", 2)) {
			r = take_option(argc - i, argv + i, names, out, &used, err);
		} else {
			r = keep_word(out, argv[i], err);
		}
	}
	return r;
}

int
arguments_parse(int argc, char **argv, const char *const *names, size_t least, size_t most,
    struct arguments *out, struct err *err)
{
	int r;

	out->option_count = out->word_count = 0;
	r = parse(argc, argv, names, out, err);
	if (r == 0 && (out->word_count < least || out->word_count > most))
		r = err_set(err, EINVAL, "%s; see ota-sign %s --help",
		    out->word_count < least ? "something is missing" : "too many arguments", argv[0]);
	return r < 0 ? err_context(err, r, "%s", argv[0]) : 0;
}

const char *
arguments_next(const struct arguments *arguments, const char *name, size_t *at)
{
	size_t bytes = strlen(name);

	for (; *at < arguments->option_count; (*at)++) {
		const struct argument *option = &arguments->options[*at];

		if (!strncmp(option->name, name, bytes) && strchr("=", option->name[bytes])) {
			(*at)++;
			return option->value;
		}
	}
	return NULL;
}

const char *
arguments_text(const struct arguments *arguments, const char *name)
{
	size_t at = 0;

	return arguments_next(arguments, name, &at);
}

int
arguments_need(const struct arguments *arguments, const char *name, const char **out, struct err *err)
{
	*out = arguments_text(arguments, name);
	return *out ? 0 : err_set(err, EINVAL, "--%s is missing; see ota-sign --help", name);
}

static int
read_integer(const char *text, const char *name, int64_t min, int64_t max, int64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text || *end || *out < min || *out > max)
		return err_set(err, EINVAL, "--%s: \"%.32s\" is no number from %lld to %lld", name, text,
		    (long long)min, (long long)max);
	return 0;
}

int
arguments_integer(const struct arguments *arguments, const char *name, int64_t min, int64_t max, int64_t *out,
    struct err *err)
{
	const char *text = arguments_text(arguments, name);

	return text ? read_integer(text, name, min, max, out, err) : 0;
}

int
arguments_role(const char *name, const char *text, enum role *role, const char **rest, struct err *err)
{
	for (*role = 0; *role < ROLE_COUNT; (*role)++) {
		size_t bytes = strlen(role_name(*role));

		if (!strncmp(text, role_name(*role), bytes) && text[bytes] == '=') {
			*rest = text + bytes + 1;
			return 0;
		}
	}
	return err_set(err, EINVAL,
	    "--%s: \"%.64s\" does not begin with root=, targets=, snapshot= or timestamp=", name, text);
}

int
arguments_threshold(const char *text, enum role *role, int *count, struct err *err)
{
	const char *number;
	char after;
	int r = arguments_role("threshold", text, role, &number, err);

	if (r < 0)
		return r;
	if (sscanf(number, "%4d%c", count, &after) != 1 || *count < 1 || *count > ENVELOPE_THRESHOLD_MAX)
		return err_set(err, EINVAL, "--threshold: %s=%.16s: a threshold is 1 to %d", role_name(*role),
		    number, ENVELOPE_THRESHOLD_MAX);
	return 0;
}

struct signer_options
arguments_signer(const struct arguments *arguments)
{
	return (struct signer_options){ arguments_text(arguments, "keys"),
		arguments_text(arguments, "passphrase-file") };
}

int
arguments_expires(const struct arguments *arguments, int64_t now, int64_t *out, struct err *err)
{
	const char *text = arguments_text(arguments, "expires");
	int64_t days;
	int r;

	if (!text)
		return 0;
	if (utc_parse(text, out) == 0)
		return *out > now ? 0 : err_set(err, EINVAL, "--expires: %s is in the past", text);
	if (strchr(text, '-') || strchr(text, ':'))
		return err_set(
		    err, EINVAL, "--expires: \"%.32s\" is neither days nor YYYY-MM-DDTHH:MM:SSZ", text);
	if ((r = read_integer(text, "expires", 1, DAYS_MAX, &days, err)) < 0)
		return r;
	*out = now + days * 86400;
	return 0;
}
