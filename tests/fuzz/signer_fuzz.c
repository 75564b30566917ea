/*
 * What ota-signd's peers may ask, whoever has captured one of them: operations with keys in memory-backed
 * folders.
 *
 * Each line of the input is a request; its first character says whose: "o"tafs, "w"atcher, or "r"oot. A line
 * "rF" or "rf" finishes the root that was begun last in the image or the director repository; one that starts
 * with "d", or "e" from the watcher, has documents of the director, with tabs for newlines. Whatever is
 * answered: roots only grow by one, the ones before stay byte for byte, what has to stay on line does, and a
 * signed document verifies.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/journal.h"
#include "sign/key.h"
#include "sign/keyring.h"
#include "sign/server.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Instead of the lines on stderr, of which there would be too many. */
void
log_line(int level, const char *format, ...)
{
	(void)level;
	(void)format;
}

#define TOMORROW "9999-01-01T00:00:00Z"

enum { OTAFS = 501, WATCHER = 502 };

static struct signer {
	int dir;
	struct policy policy;
	struct keyring *keyring;
	struct ledger *ledger;
	struct journal *journal;
	struct issuer *issuer;
	struct server *server;
	char *first[REPOSITORY_COUNT]; /* 1.root.json as it was made */
	json_t *begun[REPOSITORY_COUNT];
	json_t *targets; /* of the image repository, as signed last */
	bool is_changed;
} signer;

static char path[64];

static void
remove_folder(void)
{
	folder_remove(path);
}

static void
make_first_root(enum repository repository)
{
	AUTO(json_decref_p) json_t *nothing = json_object();
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *envelope = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err;
	size_t n;

	assert(keyring_begin(signer.keyring, repository, nothing, NULL, false, utc_now(), &root, &err) == 0);
	file = json_pack("{s:[],s:O}", "signatures", "signed", root);
	text = json_write(file);
	assert(keyring_finish(signer.keyring, repository, text, strlen(text), utc_now(), &envelope, &n, &err) ==
	       0);
}

static void
open_signer(void)
{
	static const struct journal_limits limits = { .file_bytes = 1 << 20 };
	struct err err;
	size_t n;

	signer.dir = folder_make(path);
	assert(keyring_open(signer.dir, 365, &signer.keyring, &err) == 0);
	assert(ledger_open(signer.dir, &signer.ledger, &err) == 0);
	assert(journal_open(signer.dir, &limits, utc_now(), &signer.journal, &err) == 0);
	assert(issuer_open(signer.dir, &signer.issuer, &err) == 0);
	assert(server_new(-1, &signer.policy, signer.keyring, signer.ledger, signer.journal, signer.issuer,
		   &signer.server, &err) == 0);
	for (enum repository i = 0; i < REPOSITORY_COUNT; i++) {
		make_first_root(i);
		assert(keyring_root(signer.keyring, i, 1, &signer.first[i], &n, &err) == 0);
	}
	signer.is_changed = false;
}

static void
close_signer(void)
{
	server_free(signer.server);
	issuer_free(signer.issuer);
	journal_free(signer.journal);
	ledger_free(signer.ledger);
	keyring_free(signer.keyring);
	close(signer.dir);
	json_decref(signer.targets);
	signer.targets = NULL;
	for (enum repository i = 0; i < REPOSITORY_COUNT; i++) {
		free(signer.first[i]);
		json_decref(signer.begun[i]);
		signer.begun[i] = NULL;
	}
	remove_folder();
}

static void
start(void)
{
	struct config config = { .root_days = 365,
		.image_targets_days = 31,
		.director_targets_days = 7,
		.snapshot_days = 7,
		.timestamp_days = 1,
		.certificate_days = 365,
		.user_otafs = "501",
		.user_watcher = "502" };
	struct err err;

	snprintf(path, sizeof(path), "/dev/shm/otafs-signer-fuzz.%d", getpid());
	assert(key_start(&err) == 0 && policy_init(&signer.policy, &config, &err) == 0);
	open_signer();
	atexit(remove_folder);
}

/* -- what stays true -- */

static json_t *
newest_root(enum repository repository)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err;
	size_t n;

	assert(keyring_root(signer.keyring, repository, keyring_root_version(signer.keyring, repository), &text,
		   &n, &err) == 0);
	assert(json_read(text, n, "root", &file, &err) == 0);
	return json_incref(json_object_get(file, "signed"));
}

static void
check_roots(const int before[REPOSITORY_COUNT])
{
	for (enum repository i = 0; i < REPOSITORY_COUNT; i++) {
		int version = keyring_root_version(signer.keyring, i);
		AUTO(json_decref_p) json_t *root = newest_root(i);
		AUTO(free_p) char *first = NULL;
		struct err err;
		size_t n;

		assert(version == before[i] || version == before[i] + 1);
		assert(json_integer_value(json_object_get(root, "version")) == version);
		assert(keyring_root(signer.keyring, i, 1, &first, &n, &err) == 0 &&
		       !strcmp(first, signer.first[i]));
		assert(keyring_can_sign(signer.keyring, i, ROLE_SNAPSHOT) == 0);
		assert(keyring_can_sign(signer.keyring, i, ROLE_TIMESTAMP) == 0);
		assert(i == REPOSITORY_IMAGE ||
		       keyring_can_sign(signer.keyring, REPOSITORY_DIRECTOR, ROLE_TARGETS) == 0);
	}
}

/* The signature is good, and of what was asked for. The envelope, to be released. */
static json_t *
check_envelope(enum repository repository, int role, const json_t *signed_part, const char *envelope)
{
	AUTO(json_decref_p) json_t *root = newest_root(repository);
	json_t *file;
	struct err err;

	assert(role > ROLE_ROOT);
	assert(json_read(envelope, strlen(envelope), "answer", &file, &err) == 0);
	assert(envelope_verify_role(file, root, (enum role)role, "answer", &err) == 0);
	assert(json_equal(json_object_get(file, "signed"), signed_part));
	return file;
}

/* Only the one who may got a signature. */
static void
check_signed(uid_t uid, enum repository repository, const json_t *request, const char *payload)
{
	int role = role_of(json_text(request, "role"));
	json_t *file = check_envelope(repository, role, json_object_get(request, "signed"), payload);

	assert(uid == WATCHER && repository == REPOSITORY_IMAGE);
	if (role == ROLE_TARGETS) {
		json_decref(signer.targets);
		signer.targets = MOVE(file);
	}
	json_decref(file);
}

/* One document of the director that was signed: @line was ROLE ROOT EPOCH TEXT. */
static void
check_director_line(const char *line, const char *envelope)
{
	AUTO(json_decref_p) json_t *signed_part = NULL;
	AUTO(free_p) char *canonical = NULL;
	AUTO(free_p) char *role = strndup(line, strcspn(line, " "));
	const char *text = strchr(line, '{');
	struct err err;

	assert(text && json_read(text, strlen(text), "text", &signed_part, &err) == 0);
	assert(canonical_write(signed_part, &canonical, NULL, &err) == 0 && !strcmp(canonical, text));
	json_decref(check_envelope(REPOSITORY_DIRECTOR, role_of(role), signed_part, envelope));
}

static void
check_answer(uid_t uid, const json_t *request, int code, const char *payload)
{
	const char *operation = json_text(request, "operation");
	enum repository repository = (enum repository)repository_of(json_text(request, "repository"));
	struct err err;

	if (!strcmp(operation, "sign") && code == 0)
		check_signed(uid, repository, request, payload);
	if (!strcmp(operation, "begin") || !strcmp(operation, "finish") || !strcmp(operation, "clock") ||
	    !strcmp(operation, "restored"))
		assert(uid == 0);
	if (!strncmp(operation, "issuer_", 7))
		assert(uid == 0);
	if (!strcmp(operation, "issue"))
		assert(uid == OTAFS);
	if (!strcmp(operation, "show"))
		assert(uid == OTAFS);
	if (!strcmp(operation, "put_root"))
		assert(uid == 0 || uid == WATCHER);
	if (strstr(operation, "_key"))
		assert(uid == WATCHER && repository == REPOSITORY_IMAGE);
	if (!strcmp(operation, "begin")) {
		json_decref(signer.begun[repository]);
		assert(json_read(payload, strlen(payload), "begun", &signer.begun[repository], &err) == 0);
	}
	signer.is_changed |= strcmp(operation, "root") && strcmp(operation, "keys") &&
			     strcmp(operation, "can_sign") && strcmp(operation, "last");
}

/* Documents live for days, the corpus for years. */
static char *
put_time_in(const char *line, size_t bytes)
{
	char *text = strndup(line, bytes), time[UTC_TEXT_SIZE];

	utc_format(utc_now() + 86400, time);
	for (char *at = text; (at = strstr(at, TOMORROW)) != NULL; at += strlen(TOMORROW))
		memcpy(at, time, strlen(TOMORROW));
	return text;
}

static void
ask(uid_t uid, const char *line, size_t line_bytes)
{
	AUTO(free_p) char *text = put_time_in(line, line_bytes);
	size_t bytes = strlen(text);
	int before[REPOSITORY_COUNT] = { keyring_root_version(signer.keyring, REPOSITORY_IMAGE),
		keyring_root_version(signer.keyring, REPOSITORY_DIRECTOR) };
	AUTO(json_decref_p) json_t *request = NULL;
	AUTO(free_p) char *payload = NULL;
	struct err err = { 0 }, ignored;
	size_t n = 0;
	int code = server_answer(signer.server, uid, text, bytes, &payload, &n, &err);

	check_roots(before);
	if (code < 0) {
		assert(*err.text);
		return;
	}
	assert(json_read(text, bytes, "request", &request, &ignored) == 0);
	check_answer(uid, request, code, payload);
}

/* Documents of the director. */
static void
ask_director(uid_t uid, const char *line, size_t line_bytes)
{
	AUTO(free_p) char *lines = put_time_in(line, line_bytes);
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *payload = NULL;
	char *rest = lines, *answers, *asked, *answered;
	struct err err = { 0 };
	size_t n = 0;

	for (char *at = lines; *at; at++)
		*at = *at == '\t' ? '\n' : *at;
	assert(asprintf(&request, "director\n%s", lines) > 0);
	signer.is_changed = true;
	if (server_answer(signer.server, uid, request, strlen(request), &payload, &n, &err) < 0) {
		assert(*err.text);
		return;
	}
	assert(n == strlen(payload) && n > 0 && payload[n - 1] == '\n');
	answers = payload;
	while ((answered = strsep(&answers, "\n")) && answers) {
		asked = strsep(&rest, "\n");
		assert(asked && strchr(answered, ' '));
		assert(uid == OTAFS || *answered == '-');
		if (!strncmp(answered, "0 ", 2))
			check_director_line(asked, answered + 2);
	}
}

/* The administrator has the begun root finished, with the keys that are here. */
static void
finish(enum repository repository)
{
	json_t *begun = signer.begun[repository];
	AUTO(json_decref_p)
	json_t *file = begun ? json_pack("{s:[],s:O}", "signatures", "signed", begun) : NULL;
	AUTO(json_decref_p) json_t *request = NULL;
	AUTO(free_p) char *root = NULL;
	AUTO(free_p) char *text = NULL;

	if (!file)
		return;
	root = json_write(file);
	request = json_pack(
	    "{s:s,s:s,s:s}", "operation", "finish", "repository", repository_name(repository), "root", root);
	text = json_write(request);
	ask(0, text, strlen(text));
}

/* otafs shows what was signed last of the image repository's targets. */
static void
show(void)
{
	AUTO(json_decref_p)
	json_t *request = signer.targets ? json_pack("{s:s,s:s,s:s,s:O}", "operation", "show", "repository",
					       "image", "name", "targets", "file", signer.targets)
					 : NULL;
	AUTO(json_decref_p)
	json_t *end =
	    json_pack("{s:s,s:s,s:s,s:{}}", "operation", "show", "repository", "image", "name", "", "file");
	AUTO(free_p) char *text = request ? json_write(request) : NULL;
	AUTO(free_p) char *end_text = json_write(end);

	if (!text)
		return;
	ask(OTAFS, text, strlen(text));
	ask(OTAFS, end_text, strlen(end_text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const char *at = (const char *)data, *end = at + bytes, *line;

	if (!signer.server)
		start();
	for (; at < end; at = line + 1) {
		size_t n;

		line = memchr(at, '\n', (size_t)(end - at)) ?: end;
		n = (size_t)(line - at);
		if (n == 2 && *at == 'r' && (at[1] == 'F' || at[1] == 'f'))
			finish(at[1] == 'F' ? REPOSITORY_IMAGE : REPOSITORY_DIRECTOR);
		else if (n == 2 && at[0] == 'o' && at[1] == 'S')
			show();
		else if (n > 1 && (*at == 'd' || *at == 'e'))
			ask_director(*at == 'd' ? OTAFS : WATCHER, at + 1, n - 1);
		else if (n > 1)
			ask(*at == 'o' ? OTAFS : *at == 'w' ? WATCHER : 0, at + 1, n - 1);
	}
	if (signer.is_changed) {
		close_signer();
		open_signer();
	}
	return 0;
}
