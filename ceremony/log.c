/* ota-sign log: reads and verifies ota-signd's log of signatures; and clock, restored: what the administrator
 * says. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/command.h"
#include "lib/cleanup.h"
#include "lib/config.h"
#include "lib/json.h"
#include "lib/program.h"
#include "sign/chain.h"
#include "sign/client.h"
#include "sign/journal.h"

/** Lines that "log show" shows when it is not told. */
#define SHOWN_LINES 20
#define SHOWN_LINES_MAX 1000000

/* What the command line asks for. */
struct wanted {
	const char *config, *folder;
	const char *device, *role, *repository;
	long lines; /* the last so many */
	int from;   /* the first file to look into; 0: the oldest */
};

static int
read_number(const char *text, const char *what, long max, long *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (errno || end == text || *end || *out < 1 || *out > max)
		return err_set(err, EINVAL, "%s: \"%.32s\" is no number from 1 to %ld", what, text, max);
	return 0;
}

static int
read_option(struct wanted *wanted, int option, struct err *err)
{
	long number;
	int r;

	switch (option) {
	case 'c':
		wanted->config = optarg;
		return 0;
	case 'd':
		wanted->device = optarg;
		return 0;
	case 'r':
		wanted->role = optarg;
		return 0;
	case 'R':
		wanted->repository = optarg;
		return 0;
	case 'n':
		return read_number(optarg, "-n", SHOWN_LINES_MAX, &wanted->lines, err);
	case 'f':
		if ((r = read_number(optarg, "--from", INT32_MAX, &number, err)) == 0)
			wanted->from = (int)number;
		return r;
	default:
		return err_set(err, EINVAL, "see ota-sign(1)");
	}
}

static int
read_options(int argc, char **argv, const struct option *options, struct wanted *wanted, struct err *err)
{
	int option, r;

	*wanted = (struct wanted){ .config = PROGRAM_CONFIG, .lines = SHOWN_LINES };
	while ((option = getopt_long(argc, argv, "c:n:", options, NULL)) != -1)
		if ((r = read_option(wanted, option, err)) < 0)
			return r;
	if (optind < argc)
		wanted->folder = argv[optind++];
	return optind < argc ? err_set(err, EINVAL, "one folder, not more") : 0;
}

/* The folder of the log: as given, or that of the settings. */
static int
open_folder(const struct wanted *wanted, int *dir, struct err *err)
{
	char path[CONFIG_VALUE_MAX + sizeof(JOURNAL_FOLDER) + 1];
	struct config config;
	int r;

	if (!wanted->folder) {
		if ((r = config_read(wanted->config, &config, err)) < 0)
			return r;
		snprintf(path, sizeof(path), "%s/" JOURNAL_FOLDER, config.keys);
	}
	*dir = open(wanted->folder ? wanted->folder : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *dir < 0 ? err_sys(err, "%s", wanted->folder ? wanted->folder : path) : 0;
}

/* -- verify -- */

struct counts {
	int64_t signatures, events;
};

static int
count(const json_t *line, void *context)
{
	struct counts *counts = context;
	const char *event = json_text(line, "event"), *text = json_text(line, "text");

	counts->signatures += !event;
	counts->events += event != NULL;
	if (event && text)
		printf("%s: line %" JSON_INTEGER_FORMAT ": %s: %s\n", json_text(line, "time"),
		    json_integer_value(json_object_get(line, "n")), event, text);
	return 0;
}

/* Follows the chain through all files; after one that does not fit it begins anew. How many did not, or -errno.
 */
static int
follow(int dir, int first, int last, struct chain *chain, struct counts *counts, struct err *err)
{
	int bad = 0;

	for (int file = first; file <= last; file++) {
		int r = chain_read(dir, file, chain, count, counts, err);

		if (r == -ENOMEM)
			return r;
		if (r == CHAIN_TORN && file == last)
			printf("%d.log: ends within a line: it is being written, or was when the machine "
			       "stopped\n",
			    file);
		if (r == 0 || (r == CHAIN_TORN && file == last))
			continue;
		printf("%s\n", r < 0 ? err->text : "a file that is not the last ends within a line");
		bad++;
		*chain = (struct chain){ 0 };
	}
	return bad;
}

static int
verify(int argc, char **argv, struct err *err)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' }, { 0 } };
	AUTO(close_p) int dir = -1;
	struct counts counts = { 0 };
	struct chain chain = { 0 };
	struct wanted wanted;
	int first, last, bad, r;
	int64_t bytes;

	if ((r = read_options(argc, argv, options, &wanted, err)) < 0 ||
	    (r = open_folder(&wanted, &dir, err)) < 0 || (r = chain_files(dir, &first, &last, &bytes, err)) < 0)
		return r;
	if (last == 0)
		return err_set(err, ENOENT, "there is no log of signatures");
	first = wanted.from > first ? wanted.from : first;
	bad = follow(dir, first, last, &chain, &counts, err);
	if (bad < 0)
		return bad;
	if (bad)
		return err_set(err, EBADMSG, "the log was changed: %d of its files %s not chain", bad,
		    bad == 1 ? "does" : "do");
	printf("good: files %d to %d, %" PRId64 " signatures, %" PRId64
	       " other lines; the last line is %" PRId64 ", its SHA-256 %s\n",
	    first, last, counts.signatures, counts.events, chain.number, chain.previous);
	return 0;
}

/* -- show -- */

/* The last lines that fit, as a ring. */
struct shown {
	const struct wanted *wanted;
	json_t **ring;
	size_t count; /* of all that fit */
};

static int
has(const json_t *line, const char *member, const char *value)
{
	const char *is = json_text(line, member);

	return !value || (is && !strcmp(is, value));
}

static int
take(const json_t *line, void *context)
{
	struct shown *shown = context;
	const struct wanted *wanted = shown->wanted;
	json_t **place = &shown->ring[shown->count % (size_t)wanted->lines];

	if (!has(line, "device", wanted->device) || !has(line, "role", wanted->role) ||
	    !has(line, "repository", wanted->repository))
		return 0;
	json_decref(*place);
	*place = json_incref((json_t *)(uintptr_t)line);
	shown->count++;
	return 0;
}

static void
print_line(const json_t *line)
{
	const char *event = json_text(line, "event"), *device = json_text(line, "device"),
		   *text = json_text(line, "text");

	printf("%s ", json_text(line, "time"));
	if (event)
		printf("%s%s%s\n", event, text ? ": " : "", text ? text : "");
	else
		printf("%s %s version %" JSON_INTEGER_FORMAT "%s%s uid %" JSON_INTEGER_FORMAT " sha256 %s\n",
		    json_text(line, "repository"), json_text(line, "role"),
		    json_integer_value(json_object_get(line, "version")), device ? " of " : "",
		    device ? device : "", json_integer_value(json_object_get(line, "uid")),
		    json_text(line, "sha256"));
}

static void
print_ring(struct shown *shown)
{
	size_t room = (size_t)shown->wanted->lines, first = shown->count > room ? shown->count - room : 0;

	for (size_t i = first; i < shown->count; i++) {
		print_line(shown->ring[i % room]);
		json_decref(shown->ring[i % room]);
	}
}

static int
show(int argc, char **argv, struct err *err)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "device", required_argument, NULL, 'd' }, { "role", required_argument, NULL, 'r' },
		{ "repository", required_argument, NULL, 'R' }, { 0 } };
	AUTO(close_p) int dir = -1;
	AUTO(free_p) json_t **ring = NULL;
	struct wanted wanted;
	struct shown shown = { .wanted = &wanted };
	struct chain chain = { 0 };
	int first, last, r;
	int64_t bytes;

	if ((r = read_options(argc, argv, options, &wanted, err)) < 0 ||
	    (r = open_folder(&wanted, &dir, err)) < 0 || (r = chain_files(dir, &first, &last, &bytes, err)) < 0)
		return r;
	shown.ring = ring = calloc((size_t)wanted.lines, sizeof(json_t *));
	if (!ring)
		return err_set(err, ENOMEM, "no memory for %ld lines", wanted.lines);
	for (int file = first; last && file <= last; file++) {
		/* What does not chain is told by verify; here it is only left out. */
		if (chain_read(dir, file, &chain, take, &shown, err) < 0) {
			fprintf(stderr, "ota-sign: %s: run \"ota-sign log verify\"\n", err->text);
			chain = (struct chain){ 0 };
		}
	}
	print_ring(&shown);
	return 0;
}

/* -- what the administrator says -- */

static int
tell(int argc, char **argv, int (*call)(struct client *client, struct err *err), const char *done,
    struct err *err)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { 0 } };
	AUTO(client_freep) struct client *client = NULL;
	struct wanted wanted;
	struct config config;
	int r;

	if ((r = read_options(argc, argv, options, &wanted, err)) < 0 ||
	    (r = config_read(wanted.config, &config, err)) < 0)
		return r;
	client = client_new(config.sign_socket);
	if (!client)
		return err_set(err, ENOMEM, "no memory");
	if ((r = call(client, err)) < 0)
		return r;
	puts(done);
	return 0;
}

static int
set_clock(int argc, char **argv, struct err *err)
{
	return tell(
	    argc, argv, client_set_clock, "the present time counts as right; documents are signed again", err);
}

static int
restored(int argc, char **argv, struct err *err)
{
	return tell(argc, argv, client_restored,
	    "the image repository's next versions are 100000 higher than the backup knew", err);
}

const struct command log_commands[] = {
	{ "log verify", "[-c FILE] [--from N] [DIR]",
	    "verifies the log of signatures, all of it or from file N.log on", verify },
	{ "log show", "[-c FILE] [-n LINES] [--device ID] [--role ROLE] [--repository NAME] [DIR]",
	    "shows the last lines of the log of signatures", show },
	{ "clock", "[-c FILE]", "takes the present time as right, after a clock that was ahead", set_clock },
	{ "restored", "[-c FILE]", "has the image repository's versions jump ahead, after a restore",
	    restored },
	{ 0 },
};
