/* ota-sign: keys and documents made by hand, also on a machine without network, and the keeping of ota-signd's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/command.h"
#include "ceremony/private.h"
#include "lib/name.h"
#include "sign/key.h"

static const struct command *const tables[] = { key_commands, root_commands, approve_commands, targets_commands,
	delegation_commands, document_commands, online_commands, issuer_commands, log_commands };

/* Whether the @count words that were given begin those of @command. */
static bool
is_asked_for(const struct command *command, int count, char **given)
{
	const char *words = command->words;

	for (int i = 0; i < count && *words; i++) {
		size_t n = strcspn(words, " ");

		if (strlen(given[i]) != n || strncmp(given[i], words, n) != 0)
			return false;
		words += n + (words[n] == ' ');
	}
	return true;
}

/* Of the commands that begin with the words @given, if there are any. */
static bool
print_commands(int count, char **given)
{
	bool has_any = false;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct command *command = tables[i]; command->words; command++)
			if (is_asked_for(command, count, given)) {
				printf("%s\n  ota-sign %s %s\n      %s\n",
				    has_any ? "" : "usage: ota-sign COMMAND [ARGUMENT...]\n", command->words,
				    command->arguments, command->summary);
				has_any = true;
			}
	return has_any;
}

static void
print_help(int count, char **given)
{
	if (!print_commands(count, given))
		print_commands(0, NULL);
	printf("\nCommands that use keys of a folder take --keys DIR, in place of ~/.ota-sign, and "
	       "--passphrase-file "
	       "FILE.\nSee ota-sign(1).\n");
}

/* How many arguments the words of @command take if they stand at the start of @argv; 0: other words. */
static int
match(const struct command *command, int argc, char **argv)
{
	const char *second = strchr(command->words, ' ');
	size_t first = second ? (size_t)(second - command->words) : strlen(command->words);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->words, first))
		return 0;
	if (!second)
		return 1;
	return argc > 1 && !strcmp(argv[1], second + 1) ? 2 : 0;
}

static int
run(int argc, char **argv, struct err *err)
{
	int r;

	if ((r = key_start(err)) < 0 || (r = private_start(err)) < 0)
		return r;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct command *command = tables[i]; command->words; command++) {
			int words = match(command, argc, argv);

			if (words == 0)
				continue;
			argv[words - 1] = (char *)(uintptr_t)command->words;
			return command->run(argc - words + 1, argv + words - 1, err);
		}
	return err_set(err, EINVAL, "no such command; --help lists them");
}

int
main(int argc, char **argv)
{
	/* What strangers wrote stands in reasons, and must not move the cursor. */
	char shown[4 * ERR_TEXT_MAX];
	struct err err;
	const char *last;

	if (argc < 2) {
		print_help(0, NULL);
		return 1;
	}
	last = argv[argc - 1];
	if (!strcmp(last, "--help") || !strcmp(last, "-h") || !strcmp(argv[1], "help")) {
		print_help(argc - 2, argv + (strcmp(argv[1], "help") ? 1 : 2));
		return 0;
	}
	if (run(argc - 1, argv + 1, &err) == 0)
		return 0;
	name_printable(err.text, shown, sizeof(shown));
	fprintf(stderr, "ota-sign: %s\n", shown);
	return 1;
}
