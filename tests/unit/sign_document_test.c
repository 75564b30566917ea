/* What the signer makes of a document besides its form: what is offered, the epoch, versions, the clock, the
 * log. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/chain.h"
#include "sign/client.h"
#include "sign/key.h"
#include "sign/server.h"
#include "tests/unit/fault.h"
#include "tests/unit/signer.h"

#define A1 "a100000000000000000000000000000000000000000000000000000000000000"
#define B1 "b100000000000000000000000000000000000000000000000000000000000000"

/* -- asking -- */

/* @request is released. The answer's code; its payload in @out, when that is given. */
static int
ask(struct fixture *f, uid_t uid, json_t *request, char **out)
{
	AUTO(free_p) char *text = json_write(request);
	AUTO(free_p) char *payload = NULL;
	size_t bytes;
	int r;

	json_decref(request);
	f->err = (struct err){ 0 };
	if (!text)
		return -ENOMEM; /* a fault that was meant for the signer */
	r = server_answer(f->server, uid, text, strlen(text), &payload, &bytes, &f->err);
	if (out)
		*out = MOVE(payload);
	return r;
}

static json_t *
dated(const char *type, int version, int64_t seconds)
{
	char expires[UTC_TEXT_SIZE];

	utc_format(utc_now() + seconds, expires);
	return json_pack("{s:s,s:s,s:i}", "_type", type, "expires", expires, "version", version);
}

/* The image repository's documents, signed here. */
static int
sign_image(struct fixture *f, const char *role, json_t *signed_part, char **out)
{
	return ask(f, WATCHER,
	    json_pack("{s:s,s:s,s:s,s:o}", "operation", "sign", "repository", "image", "role", role, "signed",
		signed_part),
	    out);
}

static json_t *
image_targets(int version, const char *file)
{
	json_t *json = dated("Targets", version, 3600);

	json_object_set_new(json, "targets",
	    json_pack("{s:{s:i,s:{s:s},s:{s:[s]}}}", file, "length", 10, "hashes", "sha256", A1, "custom",
		"hardwareIds", "hw"));
	return json;
}

static int
sign_snapshot(struct fixture *f, int version, int targets)
{
	json_t *json = dated("Snapshot", version, 3600);

	json_object_set_new(json, "meta",
	    json_pack("{s:{s:i},s:{s:i}}", "targets.json", "version", targets, "root.json", "version", 1));
	return sign_image(f, "snapshot", json, NULL);
}

static int
show(struct fixture *f, uid_t uid, const char *name, const char *text)
{
	json_t *request = json_pack("{s:s,s:s,s:s}", "operation", "show", "repository", "image", "name", name);

	if (text)
		json_object_set_new(request, "file", json_loads(text, 0, NULL));
	return ask(f, uid, request, NULL);
}

/* Signs and shows targets of @version with one file. */
static void
publish(struct fixture *f, int version, const char *file)
{
	AUTO(free_p) char *text = NULL;

	assert_int_equal(sign_image(f, "targets", image_targets(version, file), &text), 0);
	assert_int_equal(show(f, OTAFS, "targets", text), 0);
	assert_int_equal(show(f, OTAFS, "", NULL), 0);
}

static json_t *
director_targets(int version, const char *file, const char *sha256)
{
	json_t *json = dated("Targets", version, 3600), *targets = json_object();

	if (file)
		json_object_set_new(targets, file,
		    json_pack("{s:i,s:{s:s},s:{s:{s:{s:s}},s:s,s:n}}", "length", 10, "hashes", "sha256", sha256,
			"custom", "ecuIdentifiers", "ecu1", "hardwareId", "hw", "targetFormat", "OSTREE",
			"uri"));
	json_object_set_new(json, "targets", targets);
	json_object_set_new(json, "custom",
	    json_pack("{s:s*,s:s}", "correlationId", file ? "urn:here-ota:mtu:7" : NULL, "deviceId", "car7"));
	return json;
}

static int
sign_director(struct fixture *f, json_t *signed_part, int root, int epoch)
{
	AUTO(free_p) char *text = json_write(signed_part);

	json_decref(signed_part);
	f->err = (struct err){ 0 };
	return text ? ask_director(f, OTAFS, "targets", root, epoch, text, NULL, &f->err) : -ENOMEM;
}

static int
sign_file(struct fixture *f, int version, const char *file)
{
	return sign_director(f, director_targets(version, file, A1), 1, 1);
}

static int
tell(struct fixture *f, uid_t uid, const char *operation)
{
	return ask(f, uid, json_pack("{s:s}", "operation", operation), NULL);
}

/* -- the log -- */

static int
count_line(const json_t *line, void *context)
{
	*(int *)context += !json_text(line, "event");
	return 0;
}

/* Signatures in the log, which has to chain. */
static int
logged(struct fixture *f)
{
	AUTO(close_p) int log = openat(f->dir, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY);
	struct chain chain = { 0 };
	int count = 0;

	if (chain_read(log, 1, &chain, count_line, &count, &f->err) != 0)
		fail_msg("%s", f->err.text);
	return count;
}

/* -- tests -- */

static void
signs_director_targets_only_of_what_it_was_shown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sign_file(f, 2, "app-1"), CLIENT_NOT_SHOWN);
	assert_int_equal(sign_file(f, 2, NULL), 0);
	publish(f, 1, "app-1");
	assert_int_equal(sign_file(f, 3, "app-1"), 0);
	assert_int_equal(sign_file(f, 4, "app-2"), -EPERM);
	assert_reason(f->err, "car7: app-2: is not in the image repository");
	assert_int_equal(sign_director(f, director_targets(4, "app-1", B1), 1, 1), -EPERM);
	assert_reason(f->err, "car7: app-1: the image repository has other content");
	publish(f, 2, "app-2");
	assert_int_equal(sign_file(f, 4, "app-1"), -EPERM);
	assert_int_equal(sign_file(f, 4, "app-2"), 0);
	close_all(f);
	open_all(f);
	assert_int_equal(sign_file(f, 4, "app-2"), CLIENT_NOT_SHOWN);
}

static void
is_shown_things_by_otafs_alone(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;

	assert_int_equal(sign_image(f, "targets", image_targets(1, "app-1"), &text), 0);
	assert_int_equal(show(f, WATCHER, "targets", text), -EACCES);
	assert_int_equal(show(f, OTAFS, "targets", "{}"), -EBADMSG);
	assert_int_equal(show(f, OTAFS, "targets", NULL), -EBADMSG);
	assert_int_equal(show(f, OTAFS, "acme", text), -EINVAL);
	assert_int_equal(show(f, OTAFS, "", NULL), -EINVAL);
}

static void
takes_no_older_targets_than_the_newest_snapshot_for_long(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	publish(f, 1, "app-1");
	assert_int_equal(sign_snapshot(f, 1, 1), 0);
	assert_int_equal(sign_snapshot(f, 2, 2), 0);
	/* Being published. */
	assert_int_equal(sign_file(f, 2, "app-1"), 0);
	close_all(f);
	assert_int_equal(file_read(f->dir, LEDGER_FILE, 4096, &text, &bytes, &f->err), 0);
	{
		AUTO(json_decref_p) json_t *ledger = json_loads(text, 0, NULL);
		AUTO(free_p) char *older = NULL;

		json_object_set_new(json_object_get(ledger, "offer"), "since", json_integer(utc_now() - 601));
		older = json_write(ledger);
		assert_int_equal(file_replace(f->dir, LEDGER_FILE, older, strlen(older), 0600, &f->err), 0);
	}
	open_all(f);
	{
		AUTO(free_p) char *targets = NULL;

		assert_int_equal(sign_image(f, "targets", image_targets(3, "app-2"), &targets), 0);
	}
	assert_int_equal(sign_file(f, 3, "app-1"), CLIENT_NOT_SHOWN);
	assert_int_equal(sign_snapshot(f, 3, 2), 0); /* since when is kept */
	publish(f, 4, "app-1");
	assert_int_equal(sign_file(f, 3, "app-1"), 0);
	assert_int_equal(ledger_offered(f->ledger)->targets, 2);
}

/* Two contents of which the first 96 bits are the same are found in hours, and the second would not be logged.
 */
static void
tells_contents_apart_that_begin_alike(void **state)
{
	struct fixture *f = *state;
	char digest[DIGEST_HEX_SIZE] = A1;
	struct ledger_entry entry = { REPOSITORY_DIRECTOR, ROLE_TARGETS, "car7", 1, digest };

	assert_int_equal(ledger_note(f->ledger, &entry, NULL, &f->err), 0);
	assert_int_equal(ledger_check(f->ledger, &entry, &f->err), LEDGER_SAME);
	digest[24] = digest[24] == '0' ? '1' : '0';
	assert_int_equal(ledger_check(f->ledger, &entry, &f->err), -ESTALE);
}

static void
refuses_when_what_was_shown_is_behind(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry entry = { REPOSITORY_IMAGE, ROLE_SNAPSHOT, NULL, 1, A1 };
	struct ledger_offer offer = { 2, 1, utc_now() - 601 };

	publish(f, 1, "app-1");
	assert_int_equal(ledger_note(f->ledger, &entry, &offer, &f->err), 0);
	assert_int_equal(sign_file(f, 2, "app-1"), -EAGAIN);
	assert_reason(f->err, "car7: the image repository's targets were shown in version 1");
	assert_int_equal(sign_file(f, 2, NULL), 0);
}

static void
tells_of_a_newer_root_and_knows_the_epoch(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sign_director(f, director_targets(5, NULL, NULL), 2, 3), CLIENT_NEW_ROOT);
	assert_int_equal(sign_director(f, director_targets(5, NULL, NULL), 1, 3), 0);
	assert_int_equal(sign_director(f, director_targets(6, NULL, NULL), 1, 2), -ESTALE);
	assert_reason(
	    f->err, "the fleet's state is older than what was signed: its epoch is 2, and was 3 before");
	assert_int_equal(sign_director(f, director_targets(6, NULL, NULL), 1, 6), -EINVAL);
	assert_reason(f->err, "car7: targets: version 6 is not above the epoch 6");
	close_all(f);
	open_all(f);
	assert_int_equal(sign_director(f, director_targets(6, NULL, NULL), 1, 2), -ESTALE);
	assert_int_equal(sign_director(f, director_targets(6, NULL, NULL), 1, 4), 0);
}

static void
raises_the_epoch_in_one_write_and_none_for_the_rest(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sign_director(f, director_targets(5, NULL, NULL), 1, 3), 0);
	fault_after(100000);
	assert_int_equal(sign_director(f, director_targets(6, NULL, NULL), 1, 3), 0);
	/* Nothing of these can be written, but nothing has to be, besides the log. */
	fault_stop();
	assert_int_equal(unlinkat(f->dir, LEDGER_FILE, 0), 0);
	assert_int_equal(sign_director(f, director_targets(7, NULL, NULL), 1, 3), 0);
	assert_int_equal(faccessat(f->dir, LEDGER_FILE, F_OK, 0), -1);
	assert_int_equal(sign_director(f, director_targets(8, NULL, NULL), 1, 4), 0);
	assert_int_equal(faccessat(f->dir, LEDGER_FILE, F_OK, 0), 0);
}

static void
signs_the_next_version_of_an_image_role_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 4, 3600), NULL), 0);
	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 6, 3600), NULL), -EINVAL);
	assert_reason(f->err, "timestamp: version is 6, the next is 5");
	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 5, 3600), NULL), 0);
	/* Targets that were signed elsewhere count as well. */
	assert_int_equal(sign_image(f, "targets", image_targets(1, "app-1"), NULL), 0);
	assert_int_equal(sign_snapshot(f, 1, 8), 0);
	assert_int_equal(sign_image(f, "targets", image_targets(10, "app-1"), NULL), -EINVAL);
	assert_int_equal(sign_image(f, "targets", image_targets(9, "app-1"), NULL), 0);
}

static void
jumps_ahead_after_a_restore(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 4, 3600), NULL), 0);
	assert_int_equal(tell(f, WATCHER, "restored"), -EACCES);
	assert_int_equal(tell(f, ROOT, "restored"), 0);
	assert_int_equal(ledger_last(f->ledger, ROLE_TIMESTAMP), 4 + LEDGER_RESTORE_JUMP);
	close_all(f);
	open_all(f);
	assert_int_equal(ledger_last(f->ledger, ROLE_TIMESTAMP), 4 + LEDGER_RESTORE_JUMP);
	assert_int_equal(
	    sign_image(f, "timestamp", dated("Timestamp", 4 + LEDGER_RESTORE_JUMP, 3600), NULL), -ESTALE);
	assert_int_equal(
	    sign_image(f, "timestamp", dated("Timestamp", 5 + LEDGER_RESTORE_JUMP, 3600), NULL), 0);
}

static void
signs_nothing_while_the_clock_is_behind(void **state)
{
	struct fixture *f = *state;
	struct journal_entry entry = { .time = utc_now() + 5000,
		.repository = REPOSITORY_IMAGE,
		.role = ROLE_TARGETS,
		.version = 1,
		.sha256 = A1,
		.is_durable = true };

	assert_int_equal(journal_add(f->journal, &entry, &f->err), 0);
	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 1, 3600), NULL), -EAGAIN);
	assert_reason(f->err, "nothing is signed until the clock is right");
	assert_int_equal(sign_file(f, 2, NULL), -EAGAIN);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 280 * 86400LL, &f->err), -EAGAIN);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 1);
	assert_int_equal(tell(f, OTAFS, "clock"), -EACCES);
	assert_int_equal(tell(f, ROOT, "clock"), 0);
	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 1, 3600), NULL), 0);
	assert_int_equal(sign_file(f, 2, NULL), 0);
}

static void
logs_every_signature_once(void **state)
{
	struct fixture *f = *state;
	int before = logged(f);
	json_t *again = director_targets(3, NULL, NULL);

	assert_int_equal(before, 2); /* the first roots */
	assert_int_equal(sign_image(f, "timestamp", dated("Timestamp", 1, 3600), NULL), 0);
	assert_int_equal(sign_director(f, json_incref(again), 1, 1), 0);
	assert_int_equal(sign_director(f, again, 1, 1), 0);
	assert_int_equal(sign_file(f, 4, "app-1"), CLIENT_NOT_SHOWN);
	assert_int_equal(sign_file(f, 2, NULL), -ESTALE);
	assert_int_equal(logged(f), 4);
}

static void
lets_nothing_leave_that_is_not_logged(void **state)
{
	struct fixture *f = *state;
	json_t *image = dated("Timestamp", 1, 3600), *director = director_targets(3, NULL, NULL);
	int r, calls;

	fault_code(ENOSPC);
	/* The epoch is known: of a director document only the log is written. */
	assert_int_equal(sign_file(f, 2, NULL), 0);
	for (calls = 0, r = -1; r < 0; calls++) {
		int before = logged(f);

		fault_after(calls);
		r = sign_director(f, json_incref(director), 1, 1);
		fault_stop();
		assert_int_equal(logged(f), before + (r == 0));
	}
	assert_int_equal(r, 0);
	for (calls = 0, r = -1; r < 0; calls++) {
		fault_after(calls);
		r = sign_image(f, "timestamp", json_incref(image), NULL);
		fault_stop();
	}
	fault_code(EIO);
	assert_int_equal(r, 0);
	assert_true(calls > 8);
	json_decref(image);
	json_decref(director);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(signs_director_targets_only_of_what_it_was_shown),
		TEST(is_shown_things_by_otafs_alone),
		TEST(takes_no_older_targets_than_the_newest_snapshot_for_long),
		TEST(refuses_when_what_was_shown_is_behind),
		TEST(tells_contents_apart_that_begin_alike),
		TEST(tells_of_a_newer_root_and_knows_the_epoch),
		TEST(raises_the_epoch_in_one_write_and_none_for_the_rest),
		TEST(signs_the_next_version_of_an_image_role_only),
		TEST(jumps_ahead_after_a_restore),
		TEST(signs_nothing_while_the_clock_is_behind),
		TEST(logs_every_signature_once),
		TEST(lets_nothing_leave_that_is_not_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
