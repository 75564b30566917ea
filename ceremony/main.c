/* ota-sign: keys and documents made by hand, also on a machine without network, and the keeping of ota-signd's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/command.h"
#include "ceremony/private.h"
#include "lib/name.h"
#include "sign/key.h"

static const struct command *const tables[] = { key_commands, root_commands, approve_commands, targets_commands,
	delegation_commands, document_commands, online_commands, log_commands };

static void
print_help(void)
{
	printf("usage: ota-sign COMMAND [ARGUMENT...]\n");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct command *command = tables[i]; command->words; command++)
			printf("\n  ota-sign %s %s\n      %s\n", command->words, command->arguments,
			    command->summary);
	printf("\nSee ota-sign(1).\n");
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

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help();
		return argc < 2;
	}
	if (run(argc - 1, argv + 1, &err) == 0)
		return 0;
	name_printable(err.text, shown, sizeof(shown));
	fprintf(stderr, "ota-sign: %s\n", shown);
	return 1;
}
