/* The log of signatures after somebody has been at it: read as far as it chains, and gone on with. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sign/chain.h"
#include "sign/journal.h"
#include "sign/key.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Some day in 2026. */
#define NOW 1790000000

static char path[64];
static int base = -1;

/* Instead of the lines on stderr, of which there would be too many. */
void
log_line(int level, const char *format, ...)
{
	(void)level;
	(void)format;
}

static void
remove_base(void)
{
	folder_remove(path);
}

static void
start(void)
{
	struct err err;

	snprintf(path, sizeof(path), "/dev/shm/otafs-chain-fuzz.%d", getpid());
	assert(key_start(&err) == 0);
	base = folder_make(path);
	atexit(remove_base);
}

/* The input is the first file of an empty log, whose folder is returned. */
static int
put_file(const uint8_t *data, size_t bytes)
{
	int dir;

	close(base);
	base = folder_make(path);
	assert(mkdirat(base, JOURNAL_FOLDER, 0700) == 0);
	dir = openat(base, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(dir >= 0);
	folder_put(dir, "1.log", data, bytes);
	return dir;
}

static int
count_line(const json_t *line, void *context)
{
	assert(json_is_object(line));
	++*(int64_t *)context;
	return 0;
}

/* All files chain, but for the one that was found spoilt. */
static void
check_last(int dir, int64_t newest)
{
	struct chain chain = { 0 };
	int64_t bytes;
	int first = 0, last = 0;
	struct err err = { 0 };

	assert(chain_files(dir, &first, &last, &bytes, &err) == 0 && last >= 1 && last <= 2);
	if (last == 2)
		assert(chain_read(dir, 1, &chain, NULL, NULL, &err) != 0);
	chain = last == 2 ? (struct chain){ 0 } : chain;
	assert(chain_read(dir, last, &chain, NULL, NULL, &err) == 0);
	assert(chain.newest == newest);
}

/* A log that is gone on with has the next signature as its last line. */
static void
go_on(int dir)
{
	static const struct journal_limits limits = { .file_bytes = 1 << 20 };
	static const char digest[] = "a100000000000000000000000000000000000000000000000000000000000000";
	AUTO(journal_freep) struct journal *journal = NULL;
	struct journal_entry entry = { .time = NOW,
		.uid = 1,
		.repository = REPOSITORY_IMAGE,
		.role = ROLE_TARGETS,
		.version = 7,
		.sha256 = digest };
	struct err err = { 0 };
	int r = journal_open(base, &limits, NOW, &journal, &err);

	assert(r == 0 || *err.text);
	if (r < 0)
		return;
	r = journal_check_clock(journal, NOW, &err);
	assert(r == 0 || (r == -EAGAIN && *err.text));
	assert(journal_add(journal, &entry, &err) == 0);
	if (r == 0)
		check_last(dir, NOW);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct chain chain = { 0 };
	AUTO(close_p) int dir = -1;
	struct err err = { 0 };
	int64_t lines = 0;
	int r;

	if (base < 0)
		start();
	dir = put_file(data, bytes);
	r = chain_read(dir, 1, &chain, count_line, &lines, &err);
	assert(r == 0 || r == CHAIN_TORN || (r < 0 && *err.text));
	assert(lines == chain.lines && chain.bytes <= (int64_t)bytes);
	assert(r != 0 || chain.bytes == (int64_t)bytes);
	go_on(dir);
	return 0;
}
