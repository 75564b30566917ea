/* Drafts of roots come on sticks. The input is the files of one, with a 0 byte between any two: draft.json,
 * current.json (empty: there is none), next.json, and the signatures. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Some day in 2026. */
#define NOW 1790000000
#define SIGNATURES_MAX 4
#define FOLDER "draft"

static int base = -1;
static char path[64], again[80];

static void
remove_base(void)
{
	folder_remove(path);
}

static void
open_base(void)
{
	struct err err;

	snprintf(path, sizeof(path), "/dev/shm/otafs-draft-fuzz.%d", getpid());
	snprintf(again, sizeof(again), "%s/again", path);
	assert(key_start(&err) == 0);
	base = folder_make(path);
	assert(mkdirat(base, FOLDER, 0700) == 0 && mkdirat(base, FOLDER "/signatures", 0700) == 0);
	atexit(remove_base);
}

/* The part after the first @at bytes, up to a 0 or the end; moves @at behind it. */
static const char *
next_part(const uint8_t *data, size_t bytes, size_t *at, size_t *part_bytes)
{
	const char *start = (const char *)data + *at;

	*part_bytes = strnlen(start, bytes - *at);
	*at += *part_bytes + (*at + *part_bytes < bytes);
	return start;
}

/* A signature's file has its key id for a name. */
static bool
put_signature(const char *text, size_t bytes, char name[static 128])
{
	AUTO(json_decref_p) json_t *json = json_loadb(text, bytes, 0, NULL);
	const char *id = json_text(json, "keyid");

	if (!id || !digest_is_sha256_hex(id))
		return false;
	snprintf(name, 128, FOLDER "/signatures/%s.json", id);
	folder_put(base, name, text, bytes);
	return true;
}

/* What was taken is written and read again as the same, and has the form of an envelope. */
static void
write_and_read(const struct draft *draft)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	struct draft copy = { 0 };
	struct err err;
	size_t n;

	assert(draft_count(draft, draft->next) >= 0);
	assert(draft_assemble(draft, &text, &n, &err) == 0);
	assert(json_read(text, n, "root", &file, &err) == 0 && envelope_check(file, "root", &err) == 0);
	assert(draft_write(base, "again", draft, NOW, &err) == 0);
	assert(draft_read(base, "again", NOW, &copy, &err) == 0);
	assert(copy.version == draft->version && copy.repository == draft->repository);
	assert(json_equal(copy.next, draft->next) && json_equal(copy.signatures, draft->signatures));
	draft_done(&copy);
	folder_remove(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char *const files[] = { FOLDER "/draft.json", FOLDER "/current.json",
		FOLDER "/next.json" };
	char names[SIGNATURES_MAX][128];
	struct draft draft = { 0 };
	struct err err = { 0 };
	size_t at = 0, n;
	int count = 0, r;

	if (base < 0)
		open_base();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *part = next_part(data, bytes, &at, &n);

		unlinkat(base, files[i], 0);
		if (n)
			folder_put(base, files[i], part, n);
	}
	while (at < bytes && count < SIGNATURES_MAX) {
		const char *part = next_part(data, bytes, &at, &n);

		count += put_signature(part, n, names[count]);
	}
	r = draft_read(base, FOLDER, NOW, &draft, &err);
	assert(r == 0 || *err.text);
	if (r == 0)
		write_and_read(&draft);
	draft_done(&draft);
	while (count)
		unlinkat(base, names[--count], 0);
	return 0;
}
