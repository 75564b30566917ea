/*
 * The folder of the keys with one file that is not what it was: damaged, cut, restored from the wrong backup.
 * The first line of the input is the file's name, the rest what is in it. The signer starts or says why it does
 * not; it never signs what its roots do not allow, and never touches a root.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/keyring.h"
#include "sign/ledger.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Some day in 2026. */
#define NOW 1790000000
#define FILE_MAX (64 * 1024)

static const char *const names[] = { "ledger.json", "image/keys.json", "image/1.root.json", "image/2.root.json",
	"image/root-1.key", "image/targets-1.key", "image/snapshot-1.key", "image/timestamp-1.key",
	"director/keys.json", "director/1.root.json", "director/root-1.key", "director/targets-1.key",
	"director/snapshot-1.key", "director/timestamp-1.key" };
#define NAMES (sizeof(names) / sizeof(names[0]))

/* The folder as it was made. */
static char *good[NAMES];
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
make_root(struct keyring *keyring, enum repository repository)
{
	AUTO(json_decref_p) json_t *nothing = json_object();
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *envelope = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err;
	size_t n;

	assert(keyring_begin(keyring, repository, nothing, NULL, false, NOW, &root, &err) == 0);
	file = json_pack("{s:[],s:O}", "signatures", "signed", root);
	text = json_write(file);
	assert(keyring_finish(keyring, repository, text, strlen(text), NOW, &envelope, &n, &err) == 0);
}

static void
start(void)
{
	struct keyring *keyring;
	struct ledger *ledger;
	struct err err;

	snprintf(path, sizeof(path), "/dev/shm/otafs-keyring-fuzz.%d", getpid());
	base = folder_make(path);
	atexit(remove_base);
	assert(key_start(&err) == 0 && keyring_open(base, 365, &keyring, &err) == 0);
	assert(ledger_open(base, &ledger, &err) == 0);
	for (enum repository i = 0; i < REPOSITORY_COUNT; i++)
		make_root(keyring, i);
	ledger_free(ledger);
	keyring_free(keyring);
	for (size_t i = 0; i < NAMES; i++) {
		size_t n;

		if (file_read(base, names[i], FILE_MAX, &good[i], &n, &err) < 0)
			good[i] = NULL;
	}
	assert(good[2] && good[4] && !good[3]);
}

static void
restore(void)
{
	close(base);
	base = folder_make(path);
	mkdirat(base, "image", 0700);
	mkdirat(base, "director", 0700);
	for (size_t i = 0; i < NAMES; i++)
		if (good[i])
			folder_put(base, names[i], good[i], strlen(good[i]));
}

/* The place of the first line in names[]; -1 if it is none. */
static int
find_name(const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < NAMES; i++)
		if (bytes == strlen(names[i]) && !memcmp(data, names[i], bytes))
			return (int)i;
	return -1;
}

/* What it signs is good by its newest root. */
static void
try_to_sign(const struct keyring *keyring, enum repository repository, enum role role)
{
	AUTO(json_decref_p)
	json_t *document = json_pack(
	    "{s:s,s:s,s:i}", "_type", role_type(role), "expires", "2040-01-01T00:00:00Z", "version", 1);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *newest = NULL;
	struct err err = { 0 };
	size_t n;
	int r = keyring_sign(keyring, repository, role, document, &text, &n, &err);

	assert(r == 0 || *err.text);
	assert((r == 0) == (keyring_can_sign(keyring, repository, role) == 0));
	if (r < 0)
		return;
	assert(keyring_root(
		   keyring, repository, keyring_root_version(keyring, repository), &newest, &n, &err) == 0);
	assert(json_read(newest, n, "root", &root, &err) == 0 &&
	       json_read(text, strlen(text), "file", &file, &err) == 0);
	assert(envelope_verify_role(file, json_object_get(root, "signed"), role, "file", &err) == 0);
}

static void
use(const struct keyring *keyring)
{
	for (enum repository i = 0; i < REPOSITORY_COUNT; i++) {
		AUTO(json_decref_p) json_t *keys = NULL;
		struct err err = { 0 };
		int r = keyring_keys(keyring, i, &keys, &err);

		assert(r == 0 || *err.text);
		if (keyring_root_version(keyring, i) == 0)
			continue;
		for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++)
			try_to_sign(keyring, i, role);
	}
}

/* The roots that were good are still as they were. */
static void
check_roots(size_t changed)
{
	for (size_t i = 0; i < NAMES; i++) {
		AUTO(free_p) char *text = NULL;
		struct err err;
		size_t n;

		if (i == changed || !good[i] || !strstr(names[i], "root.json"))
			continue;
		assert(file_read(base, names[i], FILE_MAX, &text, &n, &err) == 0 && !strcmp(text, good[i]));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const uint8_t *end = memchr(data, '\n', bytes);
	AUTO(keyring_freep) struct keyring *keyring = NULL;
	AUTO(ledger_freep) struct ledger *ledger = NULL;
	struct err err = { 0 };
	int changed, r;

	if (base < 0)
		start();
	if (!end || (changed = find_name(data, (size_t)(end - data))) < 0)
		return 0;
	restore();
	folder_put(base, names[changed], end + 1, bytes - (size_t)(end + 1 - data));
	r = keyring_open(base, 365, &keyring, &err);
	assert(r == 0 || *err.text);
	if (r == 0) {
		r = keyring_renew(keyring, NOW, &err);
		assert(r == 0 || *err.text);
		use(keyring);
	}
	r = ledger_open(base, &ledger, &err);
	assert(r == 0 || *err.text);
	check_roots((size_t)changed);
	return 0;
}
