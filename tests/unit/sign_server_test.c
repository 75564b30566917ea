/* ota-signd without its socket: keys, roots, policy and ledger in a temporary folder. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/chain.h"
#include "sign/client.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/server.h"
#include "tests/unit/fault.h"
#include "tests/unit/signer.h"

#define A1 "a100000000000000000000000000000000000000000000000000000000000000"

static json_t *
document(const char *type, int version, int64_t seconds_to_live, const char *device)
{
	char expires[UTC_TEXT_SIZE];
	json_t *json;

	utc_format(utc_now() + seconds_to_live, expires);
	json =
	    json_pack("{s:s,s:s,s:i,s:{}}", "_type", type, "expires", expires, "version", version, "targets");
	if (device)
		json_object_set_new(json, "custom", json_pack("{s:s}", "deviceId", device));
	if (device && strcmp(type, "Targets")) {
		json_object_del(json, "targets");
		json_object_set_new(json, "meta",
		    json_pack("{s:{s:{s:s},s:i,s:i},s:{s:{s:s},s:i,s:i}}", "root.json", "hashes", "sha256", A1,
			"length", 9, "version", 1, "targets.json", "hashes", "sha256", A1, "length", 9,
			"version", version));
	}
	return json;
}

static int
ask(struct fixture *f, uid_t uid, const char *repository, const char *role, json_t *signed_part, char **out,
    struct err *err)
{
	AUTO(json_decref_p)
	json_t *request = json_pack("{s:s,s:s,s:s,s:o}", "operation", "sign", "repository", repository, "role",
	    role, "signed", signed_part);
	bool is_director = !strcmp(repository, "director");
	AUTO(free_p) char *text = json_write(is_director ? signed_part : request);
	size_t bytes;

	*out = NULL;
	if (!text)
		return -ENOMEM; /* a fault was planned */
	if (is_director)
		return ask_director(f, uid, role, 1, 0, text, out, err);
	return server_answer(f->server, uid, text, strlen(text), out, &bytes, err);
}

static int
ask_only(struct fixture *f, uid_t uid, const char *repository, const char *role, json_t *signed_part,
    struct err *err)
{
	AUTO(free_p) char *out = NULL;

	return ask(f, uid, repository, role, signed_part, &out, err);
}

static json_t *
newest_root(struct fixture *f, enum repository repository)
{
	AUTO(free_p) char *text = NULL;
	struct err err;
	size_t bytes;
	json_t *json;

	assert_int_equal(keyring_root(f->keyring, repository, keyring_root_version(f->keyring, repository),
			     &text, &bytes, &err),
	    0);
	assert_int_equal(json_read(text, bytes, "root", &json, &err), 0);
	return json;
}

static void
signs_what_the_root_lets_verify(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = newest_root(f, REPOSITORY_DIRECTOR);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };

	assert_int_equal(
	    ask(f, OTAFS, "director", "targets", document("Targets", 1, 3600, "car7"), &text, &err), 0);
	assert_int_equal(json_read(text, strlen(text), "targets", &file, &err), 0);
	assert_int_equal(
	    envelope_verify_role(file, json_object_get(root, "signed"), ROLE_TARGETS, "targets", &err), 0);
	assert_int_equal(
	    envelope_verify_role(file, json_object_get(root, "signed"), ROLE_SNAPSHOT, "targets", &err),
	    -EBADMSG);
	assert_reason(err, "_type is \"Targets\", not Snapshot");
}

static void
gives_each_user_the_roles_of_its_repository_only(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(
	    ask_only(f, OTAFS, "image", "targets", document("Targets", 1, 3600, NULL), &err), -EACCES);
	assert_reason(err, "user 501 may not have targets of the image repository signed");
	assert_int_equal(
	    ask_only(f, WATCHER, "director", "targets", document("Targets", 1, 3600, "a"), &err), -EACCES);
	assert_int_equal(
	    ask_only(f, STRANGER, "image", "timestamp", document("Timestamp", 1, 3600, NULL), &err), -EACCES);
	assert_int_equal(
	    ask_only(f, WATCHER, "image", "timestamp", document("Timestamp", 1, 3600, NULL), &err), 0);
}

static void
signs_root_for_nobody(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(ask_only(f, WATCHER, "image", "root", document("Root", 2, 3600, NULL), &err), -EACCES);
	assert_int_equal(ask_only(f, OTAFS, "director", "root", document("Root", 2, 3600, "a"), &err), -EACCES);
	assert_reason(err, "root of the director repository");
}

static void
refuses_documents_that_clients_would_refuse(void **state)
{
	struct fixture *f = *state;
	json_t *bad;
	struct err err;

	ask_only(f, WATCHER, "image", "targets", document("targets", 1, 3600, NULL), &err);
	assert_reason(err, "_type is \"targets\", not Targets");
	ask_only(f, WATCHER, "image", "targets", document("Targets", 1, -1, NULL), &err);
	assert_reason(err, "expires in the past");
	ask_only(f, WATCHER, "image", "timestamp", document("Timestamp", 1, 3 * 86400, NULL), &err);
	assert_reason(err, "lives longer than the 1 days");
	ask_only(f, WATCHER, "image", "targets", document("Targets", 0, 3600, NULL), &err);
	assert_reason(err, "version is 0");
	bad = document("Targets", 1, 3600, NULL);
	json_object_set_new(bad, "expires", json_string("2030-01-01T00:00:00.5Z"));
	ask_only(f, WATCHER, "image", "targets", bad, &err);
	assert_reason(err, "not YYYY-MM-DDTHH:MM:SSZ");
	ask_only(f, OTAFS, "director", "targets", document("Targets", 1, 3600, NULL), &err);
	assert_reason(err, "targets: is not of the form that is signed, from byte 18 on: \",\"expires\":");
	bad = document("Targets", 1, 3600, NULL);
	json_object_set_new(bad, "x", json_real(0.5));
	ask_only(f, WATCHER, "image", "targets", bad, &err);
	assert_reason(err, "real number");
}

static void
lets_versions_of_image_roles_only_grow_across_restarts(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *five = document("Targets", 5, 3600, NULL);
	struct err err;

	assert_int_equal(ask_only(f, WATCHER, "image", "targets", json_incref(five), &err), 0);
	close_all(f);
	open_all(f);
	assert_int_equal(ledger_last(f->ledger, ROLE_TARGETS), 5);
	assert_int_equal(ask_only(f, WATCHER, "image", "targets", json_incref(five), &err), 0);
	assert_int_equal(
	    ask_only(f, WATCHER, "image", "targets", document("Targets", 5, 7200, NULL), &err), -ESTALE);
	assert_reason(err, "version 5 was signed with other content");
	assert_int_equal(
	    ask_only(f, WATCHER, "image", "targets", document("Targets", 4, 3600, NULL), &err), -ESTALE);
	assert_reason(err, "version 4 is below 5");
}

static void
keeps_a_ledger_entry_for_each_device(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(ask_only(f, OTAFS, "director", "targets", document("Targets", 9, 3600, "a"), &err), 0);
	assert_int_equal(ask_only(f, OTAFS, "director", "targets", document("Targets", 3, 3600, "b"), &err), 0);
	assert_int_equal(
	    ask_only(f, OTAFS, "director", "snapshot", document("Snapshot", 3, 3600, "a"), &err), 0);
	assert_int_equal(
	    ask_only(f, OTAFS, "director", "targets", document("Targets", 8, 3600, "a"), &err), -ESTALE);
	assert_reason(err, "targets of a: version 8 is below 9");
}

static void
does_not_sign_when_the_ledger_cannot_be_written(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *signed_part = document("Targets", 1, 3600, NULL);
	struct err err;
	int r, calls = 0;

	do {
		AUTO(free_p) char *out = NULL;

		fault_after(calls++);
		r = ask(f, WATCHER, "image", "targets", json_incref(signed_part), &out, &err);
		assert_true(r == 0 || out == NULL);
	} while (fault_stop());
	assert_int_equal(r, 0);
	assert_true(calls > 4);
}

static void
renews_a_root_before_it_expires_and_keeps_the_chain(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *first = newest_root(f, REPOSITORY_IMAGE);
	AUTO(json_decref_p) json_t *second = NULL;
	struct err err = { 0 };

	assert_int_equal(keyring_renew(f->keyring, utc_now() + 200 * 86400LL, &err), 0);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 1);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 280 * 86400LL, &err), 0);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 2);
	second = newest_root(f, REPOSITORY_IMAGE);
	assert_int_equal(
	    envelope_verify_role(second, json_object_get(first, "signed"), ROLE_ROOT, "2.root", &err), 0);
	assert_int_equal(
	    envelope_verify_role(second, json_object_get(second, "signed"), ROLE_ROOT, "2.root", &err), 0);
}

static void
keeps_its_keys_across_restarts_and_refuses_open_key_files(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *before = newest_root(f, REPOSITORY_IMAGE);
	AUTO(json_decref_p) json_t *after = NULL;
	struct keyring *keyring;
	struct err err;

	close_all(f);
	open_all(f);
	after = newest_root(f, REPOSITORY_IMAGE);
	assert_true(json_equal(before, after));
	assert_int_equal(fchmodat(f->dir, "image/targets-1.key", 0640, 0), 0);
	assert_int_equal(keyring_open(f->dir, 365, &keyring, &err), -EPERM);
	assert_reason(err, "image: targets-1.key: a key file has to be ours and 0600, it is 640");
	assert_int_equal(fchmodat(f->dir, "image/targets-1.key", 0600, 0), 0);
}

static void
refuses_to_replace_what_was_lost(void **state)
{
	static const char *const lost[] = { "image/1.root.json", "director/1.root.json", "director",
		"ledger.json" };
	struct fixture *f = *state;

	close_all(f);
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		struct keyring *keyring;
		struct err err;

		assert_int_equal(renameat(f->dir, lost[i], f->dir, "elsewhere"), 0);
		assert_int_equal(keyring_open(f->dir, 365, &keyring, &err), -ENOENT);
		assert_reason(err, strrchr(lost[i], '/') ? strrchr(lost[i], '/') + 1 : lost[i]);
		assert_reason(err, "is gone: restore it from the backup");
		assert_int_equal(renameat(f->dir, "elsewhere", f->dir, lost[i]), 0);
	}
	open_all(f);
}

static void
refuses_a_ledger_of_roots_that_are_gone(void **state)
{
	struct fixture *f = *state;
	struct keyring *keyring;
	char command[256];
	struct err err;

	assert_int_equal(
	    ask_only(f, WATCHER, "image", "timestamp", document("Timestamp", 1, 3600, NULL), &err), 0);
	close_all(f);
	snprintf(command, sizeof(command), "mv %s/image %s/away && mkdir -m 700 %s/image", f->path, f->path,
	    f->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(keyring_open(f->dir, 365, &keyring, &err), -ENOENT);
	assert_reason(err, "image: 1.root.json is gone: restore it from the backup");
	snprintf(command, sizeof(command), "rm -r %s/image && mv %s/away %s/image", f->path, f->path, f->path);
	assert_int_equal(system(command), 0);
	open_all(f);
}

static void
refuses_requests_that_make_no_sense(void **state)
{
	static const char *const requests[] = { "", "{", "[]", "{\"operation\":7}", "{\"operation\":\"sign\"}",
		"{\"operation\":\"sign\",\"repository\":\"image\"}",
		"{\"operation\":\"sign\",\"repository\":\"image\",\"role\":\"targets\"}",
		"{\"operation\":\"sign\",\"repository\":\"director\",\"role\":\"targets\"}", "director\n",
		"{\"operation\":\"dance\",\"repository\":\"image\"}",
		"{\"operation\":\"root\",\"repository\":\"image\",\"version\":-1}",
		"{\"operation\":\"last\",\"repository\":\"director\",\"role\":\"targets\"}",
		"{\"operation\":\"root\",\"operation\":\"sign\",\"repository\":\"image\"}" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		AUTO(free_p) char *out = NULL;
		AUTO(free_p) char *request = strdup(requests[i]);
		struct err err = { 0 };
		size_t bytes;

		assert_true(
		    server_answer(f->server, WATCHER, request, strlen(request), &out, &bytes, &err) < 0);
		assert_int_not_equal(err.text[0], 0);
	}
}

/* Keys, key ids and signatures of another implementation: the device's manifest and the roots in tests/vectors.
 */
static json_t *
vector(const char *name)
{
	AUTO(free_p) char *text = NULL;
	struct err err;
	json_t *json;
	char path[128];
	size_t bytes;

	snprintf(path, sizeof(path), "tests/vectors/%s", name);
	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, &bytes, &err), 0);
	assert_int_equal(json_read(text, bytes, name, &json, &err), 0);
	return json;
}

static void
verifies_what_another_implementation_signed(void **state)
{
	AUTO(json_decref_p) json_t *ecus = vector("device/ecus.json");
	AUTO(json_decref_p) json_t *manifest = vector("device/manifest.json");
	AUTO(json_decref_p) json_t *root = vector("repo/root.json");
	AUTO(json_decref_p) json_t *targets = vector("repo/targets.json");
	AUTO(public_key_freep) struct public_key *key = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    public_key_read(json_object_get(json_array_get(json_object_get(ecus, "ecus"), 0), "clientKey"),
		"ecu", &key, &err),
	    0);
	assert_string_equal(
	    public_key_id(key), "75c90fc04d07034023b4776837beb02c55a3830635cf04077c70e2abb1ec9e9f");
	assert_int_equal(envelope_verify_key(manifest, key, "manifest", &err), 0);
	assert_int_equal(
	    envelope_verify_role(root, json_object_get(root, "signed"), ROLE_ROOT, "root", &err), 0);
	assert_int_equal(
	    envelope_verify_role(targets, json_object_get(root, "signed"), ROLE_TARGETS, "targets", &err), 0);
	json_object_set_new(json_object_get(targets, "signed"), "version", json_integer(8));
	assert_int_equal(
	    envelope_verify_role(targets, json_object_get(root, "signed"), ROLE_TARGETS, "targets", &err),
	    -EBADMSG);
	assert_reason(err, "0 of 1 needed signatures");
}

/* -- a user that asks without end -- */

#define ASKERS 8
#define DOCUMENTS 100

struct asker {
	struct fixture *fixture;
	atomic_bool has_ended;
	atomic_long answers;
};

static void *
ask_without_end(void *data)
{
	static const char root[] = "{\"operation\":\"root\",\"repository\":\"image\",\"version\":0}";
	struct asker *asker = data;

	while (!asker->has_ended) {
		AUTO(free_p) char *request = strdup(root);
		AUTO(free_p) char *payload = NULL;
		struct err err;
		size_t bytes;

		assert_int_equal(server_answer(asker->fixture->server, WATCHER, request, strlen(request),
				     &payload, &bytes, &err),
		    0);
		asker->answers++;
	}
	return NULL;
}

static void
lets_no_user_keep_documents_of_the_director_waiting(void **state)
{
	struct asker asker = { *state, false, 0 };
	pthread_t threads[ASKERS];
	struct err err = { 0 };

	for (int i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_without_end, &asker), 0);
	while (asker.answers < ASKERS)
		usleep(1000);
	asker.answers = 0;
	for (int i = 1; i <= DOCUMENTS; i++)
		assert_int_equal(
		    ask_only(*state, OTAFS, "director", "targets", document("Targets", i, 3600, "car7"), &err),
		    0);
	/* A document waits for those that are before it, and not for those that come later. */
	print_message("# answers=%ld\n", (long)asker.answers);
	assert_true(asker.answers < 3 * ASKERS * DOCUMENTS);
	asker.has_ended = true;
	for (int i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signs_what_the_root_lets_verify),
		TEST(gives_each_user_the_roles_of_its_repository_only),
		TEST(signs_root_for_nobody),
		TEST(refuses_documents_that_clients_would_refuse),
		TEST(lets_versions_of_image_roles_only_grow_across_restarts),
		TEST(keeps_a_ledger_entry_for_each_device),
		TEST(does_not_sign_when_the_ledger_cannot_be_written),
		TEST(renews_a_root_before_it_expires_and_keeps_the_chain),
		TEST(keeps_its_keys_across_restarts_and_refuses_open_key_files),
		TEST(refuses_to_replace_what_was_lost),
		TEST(refuses_a_ledger_of_roots_that_are_gone),
		TEST(refuses_requests_that_make_no_sense),
		TEST(verifies_what_another_implementation_signed),
		TEST(lets_no_user_keep_documents_of_the_director_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
