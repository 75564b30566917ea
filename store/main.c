/* ota-fsck: whether the store is sound, and making it so again. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/program.h"
#include "store/fsck.h"

/* Exit statuses, see ota-fsck(8). */
enum { CLEAN, REPAIRED, DAMAGED, NOT_CHECKED };

static bool is_repair;
static int status = NOT_CHECKED;

static int
run(const struct config *config, struct err *err)
{
	struct fsck_result result;
	int r = config_become(config->user_watcher, err);

	if (r < 0)
		return r;
	umask(0022);
	program_be_idle();
	r = fsck_run(config, is_repair, stdout, &result, err);
	if (r < 0)
		return r;
	printf(
	    "checked %zu objects, %zu binaries, %zu deltas: ", result.objects, result.binaries, result.deltas);
	if (result.bad == 0)
		printf("clean\n");
	else
		printf("%zu found, %zu repaired\n", result.bad, result.repaired);
	status = result.bad == 0 ? CLEAN : result.bad == result.repaired ? REPAIRED : DAMAGED;
	return 0;
}

/* Takes --repair out of the arguments; the others are those of every program. */
static int
take_repair(int argc, char **argv)
{
	int kept = 1;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--repair") || !strcmp(argv[i], "-r"))
			is_repair = true;
		else
			argv[kept++] = argv[i];
	argv[kept] = NULL;
	return kept;
}

int
main(int argc, char **argv)
{
	int r;

	argc = take_repair(argc, argv);
	r = program_main(argc, argv,
	    "Checks the store: objects, binaries, deltas, what is published.\n\n"
	    "  -r, --repair        copy what is missing or damaged from spool/done, move the rest away",
	    run);
	/* --help and --check end well without having looked. */
	return r == 0 && status == NOT_CHECKED ? CLEAN : status;
}
