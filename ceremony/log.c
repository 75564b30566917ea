/* ota-sign log: reads and verifies ota-signd's log of signatures; and clock, restored: what the administrator
 * says. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/arguments.h"
#include "ceremony/command.h"
#include "ceremony/online.h"
#include "lib/cleanup.h"
#include "lib/config.h"
#include "lib/json.h"
#include "lib/name.h"
#include "lib/program.h"
#include "sign/chain.h"
#include "sign/journal.h"

/** Lines that "log show" shows when it is not told. */
#define SHOWN_LINES 20
#define SHOWN_LINES_MAX 1000000

/* The folder of the log: as given, or that of the settings. */
static int
open_folder(const struct arguments *arguments, int *dir, struct err *err)
{
	const char *given = arguments->word_count ? arguments->words[0] : NULL;
	char path[CONFIG_VALUE_MAX + sizeof(JOURNAL_FOLDER) + 1];
	struct config config;
	int r;

	if (!given) {
		if ((r = config_read(arguments_text(arguments, "config") ?: PROGRAM_CONFIG, &config, err)) < 0)
			return r;
		snprintf(path, sizeof(path), "%s/" JOURNAL_FOLDER, config.keys);
	}
	*dir = open(given ? given : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *dir < 0 ? err_sys(err, "%s", given ? given : path) : 0;
}

/* A log that somebody changed must not move the cursor either. */
static void
print_plain(const char *text)
{
	char shown[ERR_TEXT_MAX];

	fputs(name_printable(text ? text : "?", shown, sizeof(shown)), stdout);
}

/* -- verify -- */

struct counts {
	int64_t signatures, certificates, events;
};

static bool
is_certificate(const char *event)
{
	return event && !strcmp(event, "certificate");
}

static int
count(const json_t *line, void *context)
{
	struct counts *counts = context;
	const char *event = json_text(line, "event"), *text = json_text(line, "text");

	counts->signatures += !event;
	counts->certificates += is_certificate(event);
	counts->events += event && !is_certificate(event);
	if (!event || !text)
		return 0;
	print_plain(json_text(line, "time"));
	printf(": line %" JSON_INTEGER_FORMAT ": ", json_integer_value(json_object_get(line, "n")));
	print_plain(event);
	fputs(": ", stdout);
	print_plain(text);
	putchar('\n');
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
	static const char *const names[] = { "config=", "from=", NULL };
	AUTO(close_p) int dir = -1;
	struct arguments arguments;
	struct counts counts = { 0 };
	struct chain chain = { 0 };
	int first, last, bad, r;
	int64_t bytes, from = 0;

	if ((r = arguments_parse(argc, argv, names, 0, 1, &arguments, err)) < 0 ||
	    (r = arguments_integer(&arguments, "from", 1, INT32_MAX, &from, err)) < 0 ||
	    (r = open_folder(&arguments, &dir, err)) < 0 ||
	    (r = chain_files(dir, &first, &last, &bytes, err)) < 0)
		return r;
	if (last == 0)
		return err_set(err, ENOENT, "there is no log of signatures");
	first = from > first ? (int)from : first;
	bad = follow(dir, first, last, &chain, &counts, err);
	if (bad < 0)
		return bad;
	if (bad)
		return err_set(err, EBADMSG, "the log was changed: %d of its files %s not chain", bad,
		    bad == 1 ? "does" : "do");
	printf("good: files %d to %d, %" PRId64 " signatures, %" PRId64 " certificates, %" PRId64
	       " other lines; the last line is %" PRId64 ", its SHA-256 %s\n",
	    first, last, counts.signatures, counts.certificates, counts.events, chain.number, chain.previous);
	return 0;
}

/* -- show -- */

/* The last lines that fit, as a ring. */
struct shown {
	const struct arguments *arguments;
	json_t **ring;
	size_t room;
	size_t count; /* of all that fit */
};

/* Whether the option @name was not given, or @line has that. */
static bool
fits(const struct arguments *arguments, const json_t *line, const char *name)
{
	const char *wanted = arguments_text(arguments, name), *is = json_text(line, name);

	return !wanted || (is && !strcmp(is, wanted));
}

static int
take(const json_t *line, void *context)
{
	struct shown *shown = context;
	json_t **place = &shown->ring[shown->count % shown->room];

	if (!fits(shown->arguments, line, "device") || !fits(shown->arguments, line, "role") ||
	    !fits(shown->arguments, line, "repository"))
		return 0;
	json_decref(*place);
	*place = json_incref((json_t *)(uintptr_t)line);
	shown->count++;
	return 0;
}

static void
print_event(const json_t *line, const char *event)
{
	const char *text = json_text(line, "text");

	print_plain(event);
	if (!text)
		return;
	printf(": ");
	print_plain(text);
}

static void
print_certificate(const json_t *line)
{
	fputs("certificate ", stdout);
	print_plain(json_text(line, "serial"));
	printf(" of ");
	print_plain(json_text(line, "device"));
	printf(" until ");
	print_plain(json_text(line, "expires"));
	printf(" uid %" JSON_INTEGER_FORMAT " sha256 ", json_integer_value(json_object_get(line, "uid")));
	print_plain(json_text(line, "sha256"));
}

static void
print_signature(const json_t *line)
{
	const char *device = json_text(line, "device");

	print_plain(json_text(line, "repository"));
	putchar(' ');
	print_plain(json_text(line, "role"));
	printf(" version %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(line, "version")));
	if (device) {
		printf(" of ");
		print_plain(device);
	}
	printf(" uid %" JSON_INTEGER_FORMAT " sha256 ", json_integer_value(json_object_get(line, "uid")));
	print_plain(json_text(line, "sha256"));
}

static void
print_line(const json_t *line)
{
	const char *event = json_text(line, "event");

	print_plain(json_text(line, "time"));
	putchar(' ');
	if (is_certificate(event))
		print_certificate(line);
	else if (event)
		print_event(line, event);
	else
		print_signature(line);
	putchar('\n');
}

static void
print_ring(struct shown *shown)
{
	size_t first = shown->count > shown->room ? shown->count - shown->room : 0;

	for (size_t i = first; i < shown->count; i++) {
		print_line(shown->ring[i % shown->room]);
		json_decref(shown->ring[i % shown->room]);
	}
}

static int
show(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "lines=", "device=", "role=", "repository=", NULL };
	AUTO(close_p) int dir = -1;
	AUTO(free_p) json_t **ring = NULL;
	struct arguments arguments;
	struct shown shown = { .arguments = &arguments };
	struct chain chain = { 0 };
	int64_t bytes, lines = SHOWN_LINES;
	int first, last, r;

	if ((r = arguments_parse(argc, argv, names, 0, 1, &arguments, err)) < 0 ||
	    (r = arguments_integer(&arguments, "lines", 1, SHOWN_LINES_MAX, &lines, err)) < 0 ||
	    (r = open_folder(&arguments, &dir, err)) < 0 ||
	    (r = chain_files(dir, &first, &last, &bytes, err)) < 0)
		return r;
	shown.room = (size_t)lines;
	shown.ring = ring = calloc(shown.room, sizeof(json_t *));
	if (!ring)
		return err_set(err, ENOMEM, "no memory for %zu lines", shown.room);
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
	static const char *const names[] = { "config=", NULL };
	AUTO(online_done) struct online online = { 0 };
	struct arguments arguments;
	int r;

	if ((r = online_open(argc, argv, names, 0, 0, &arguments, &online, err)) < 0 ||
	    (r = call(online.client, err)) < 0)
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
