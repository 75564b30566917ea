#include "sign/chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"

void
chain_file_name(int file, char name[static 32])
{
	snprintf(name, 32, "%d.log", file);
}

/** Far beyond what is ever signed, and far from where counting would wrap. */
#define NUMBER_MAX (INT64_MAX / 2)

/* The number in "N.log", 0 for any other name. */
static int
file_number(const char *name)
{
	char *end, again[32];
	long n = strtol(name, &end, 10);

	if (n < 1 || n > INT32_MAX || strcmp(end, ".log") != 0)
		return 0;
	chain_file_name((int)n, again);
	return strcmp(name, again) ? 0 : (int)n;
}

int
chain_files(int dir, int *first, int *last, int64_t *bytes, struct err *err)
{
	AUTO(closedir_p) DIR *folder = NULL;
	struct dirent *entry;
	struct stat st;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*first = *last = 0;
	*bytes = 0;
	if (fd < 0 || !(folder = fdopendir(fd))) {
		close_p(&fd);
		return err_sys(err, "the folder of the signatures");
	}
	while ((entry = readdir(folder))) {
		int n = file_number(entry->d_name);

		if (n == 0)
			continue;
		*first = *first == 0 || n < *first ? n : *first;
		*last = n > *last ? n : *last;
		*bytes += fstatat(dir, entry->d_name, &st, 0) == 0 ? st.st_size : 0;
	}
	return 0;
}

/* -- one line -- */

/* A chain begins with whatever file is the oldest that is left. */
static int
begin(struct chain *chain, const json_t *line, int64_t number, const char *previous, struct err *err)
{
	const char *event = json_text(line, "event"), *newest = json_text(line, "newest");

	if (!event || strcmp(event, "file"))
		return err_set(err, EBADMSG, "a file has to start with the event \"file\"");
	if (newest && utc_parse(newest, &chain->newest) < 0)
		return err_set(err, EBADMSG, "\"newest\" is no time");
	chain->number = number - 1;
	snprintf(chain->previous, sizeof(chain->previous), "%s", previous);
	return 0;
}

static int
check_signature(const json_t *line, struct err *err)
{
	const char *repository, *role, *sha256;
	int64_t version;
	int r;

	if ((r = json_need_text(line, "repository", "line", &repository, err)) < 0 ||
	    (r = json_need_text(line, "role", "line", &role, err)) < 0 ||
	    (r = json_need_text(line, "sha256", "line", &sha256, err)) < 0 ||
	    (r = json_need_integer(line, "version", "line", INT32_MAX, &version, err)) < 0)
		return r;
	return digest_is_sha256_hex(sha256) ? 0 : err_set(err, EBADMSG, "\"sha256\" is no hash");
}

static void
note_time(struct chain *chain, const char *event, int64_t time)
{
	if (event && !strcmp(event, "clock"))
		chain->newest = time;
	else if (!event && time > chain->newest)
		chain->newest = time;
}

int
chain_follow(struct chain *chain, const char *text, size_t bytes, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *line = NULL;
	const char *previous, *when, *event;
	int64_t number, time;
	int r;

	if ((r = json_read(text, bytes, "line", &line, err)) < 0 ||
	    (r = json_need_integer(line, "n", "line", NUMBER_MAX, &number, err)) < 0 ||
	    (r = json_need_text(line, "previous", "line", &previous, err)) < 0 ||
	    (r = json_need_text(line, "time", "line", &when, err)) < 0)
		return r;
	event = json_text(line, "event");
	if (number < 1)
		return err_set(err, EBADMSG, "has n 0, the first line has 1");
	if (utc_parse(when, &time) < 0)
		return err_set(err, EBADMSG, "\"time\" is no time");
	if (chain->number == 0 && (r = begin(chain, line, number, previous, err)) < 0)
		return r;
	if (number != chain->number + 1)
		return err_set(err, EBADMSG, "has n %lld, the one before it %lld", (long long)number,
		    (long long)chain->number);
	if (strcmp(previous, chain->previous))
		return err_set(
		    err, EBADMSG, "the line before it was changed: it has another SHA-256 than this one says");
	if (!event && (r = check_signature(line, err)) < 0)
		return r;
	chain->number = number;
	note_time(chain, event, time);
	digest_sha256_hex(text, bytes, chain->previous);
	*out = MOVE(line);
	return 0;
}

void
chain_add(struct chain *chain, const char *line, size_t bytes, int64_t time)
{
	chain->number++;
	note_time(chain, NULL, time);
	digest_sha256_hex(line, bytes, chain->previous);
}

/* -- one file -- */

static int
follow_text(
    struct chain *chain, const char *text, size_t bytes, chain_line_fn *each, void *context, struct err *err)
{
	const char *end = text + bytes, *newline;
	int r = 0;

	for (const char *at = text; at < end; at = newline + 1) {
		AUTO(json_decref_p) json_t *line = NULL;

		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			return CHAIN_TORN;
		r = chain_follow(chain, at, (size_t)(newline - at), &line, err);
		if (r < 0)
			return err_context(err, r, "line %lld", (long long)chain->lines + 1);
		chain->bytes += newline + 1 - at;
		chain->lines++;
		if (each && (r = each(line, context)))
			return r;
	}
	return 0;
}

int
chain_read(int dir, int file, struct chain *chain, chain_line_fn *each, void *context, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char name[32];
	size_t bytes;
	int r;

	chain->bytes = chain->lines = 0;
	chain_file_name(file, name);
	if ((r = file_read(dir, name, CHAIN_FILE_MAX, &text, &bytes, err)) < 0)
		return r;
	r = follow_text(chain, text, bytes, each, context, err);
	return r < 0 ? err_context(err, r, "%s", name) : r;
}
