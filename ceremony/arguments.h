/**
 * The arguments of a command: options by their long names, each with a value, and words. Options and words may
 * be mixed; what follows "--" is words. "-c" and "-n" are --config and --lines.
 */
#ifndef CEREMONY_ARGUMENTS_H
#define CEREMONY_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ceremony/signer.h"
#include "lib/err.h"
#include "lib/role.h"

/** A chain of a hundred roots, and more. */
#define ARGUMENTS_MAX 1024

struct arguments {
	struct argument {
		const char *name, *value;
	} options[ARGUMENTS_MAX];
	size_t option_count;
	const char *words[ARGUMENTS_MAX];
	size_t word_count;
};

/**
 * Parses what follows @argv[0]. @names: the options that there are, NULL at the end: "yes" has no value,
 * "name=" has one, "key=+" may be given several times. -EINVAL with words for anything else, and for fewer
 * words than
 * @least or more than @most. All is borrowed from @argv.
 */
int arguments_parse(int argc, char **argv, const char *const *names, size_t least, size_t most,
    struct arguments *out, struct err *err);

/** The value of option @name, "" if it has none; NULL: it was not given. */
const char *arguments_text(const struct arguments *arguments, const char *name);

/** The same, -EINVAL when it was not given. */
int arguments_need(const struct arguments *arguments, const char *name, const char **out, struct err *err);

/** The next value of option @name at or after *@at, which starts with 0; NULL: no more. */
const char *arguments_next(const struct arguments *arguments, const char *name, size_t *at);

/** A number from @min to @max; @out stays when the option was not given. */
int arguments_integer(const struct arguments *arguments, const char *name, int64_t min, int64_t max,
    int64_t *out, struct err *err);

/** The role and the rest of "ROLE=REST", a value of option @name. */
int arguments_role(const char *name, const char *text, enum role *role, const char **rest, struct err *err);

/** The role and the number of signatures of "ROLE=N", a value of --threshold. */
int arguments_threshold(const char *text, enum role *role, int *count, struct err *err);

/** Where keys are, of --keys and --passphrase-file. */
struct signer_options arguments_signer(const struct arguments *arguments);

/** What "365" (days from now) or "2027-01-31T00:00:00Z" is as a time, in the future; @out stays when --expires
 * was not given. */
int arguments_expires(const struct arguments *arguments, int64_t now, int64_t *out, struct err *err);

#endif
