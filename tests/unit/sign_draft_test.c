/* The folder in which a root travels to those who sign it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "tests/unit/fault.h"

enum { ALICE, BOB, CAROL, ONLINE, STRANGER, PEOPLE };

struct fixture {
	char path[64];
	int dir, fds;
	struct key_pair *keys[PEOPLE];
	struct draft draft; /* root 2: root keys of alice, bob and carol, 2 of them; root 1: of alice and bob */
	struct err err;
};

static const char *
id_of(const struct fixture *f, int who)
{
	return public_key_id(key_pair_public(f->keys[who]));
}

static void
add_key(const struct fixture *f, json_t *root, const char *role, int who)
{
	json_t *roles = json_object_get(root, "roles"), *entry = json_object_get(roles, role);

	if (!entry)
		json_object_set_new(roles, role, entry = json_pack("{s:[],s:i}", "keyids", "threshold", 1));
	json_array_append_new(json_object_get(entry, "keyids"), json_string(id_of(f, who)));
	json_object_set_new(
	    json_object_get(root, "keys"), id_of(f, who), public_key_json(key_pair_public(f->keys[who])));
}

static json_t *
new_root(const struct fixture *f, int version, int root_keys)
{
	char expires[UTC_TEXT_SIZE];
	json_t *root;

	utc_format(utc_now() + 365 * 86400, expires);
	root = json_pack("{s:s,s:b,s:s,s:{},s:{},s:i}", "_type", "Root", "consistent_snapshot", 0, "expires",
	    expires, "keys", "roles", "version", version);
	for (int who = 0; who < root_keys; who++)
		add_key(f, root, "root", who);
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++)
		add_key(f, root, role_name(role), ONLINE);
	json_object_set_new(json_object_get(json_object_get(root, "roles"), "root"), "threshold",
	    json_integer(root_keys > 1 ? 2 : 1));
	return root;
}

static json_t *
signature_of(const struct fixture *f, const json_t *root, int who)
{
	AUTO(free_p) char *canonical = NULL;
	struct err err;
	json_t *signature;
	size_t bytes;

	assert_int_equal(canonical_write(root, &canonical, &bytes, &err), 0);
	assert_int_equal(key_pair_sign(f->keys[who], canonical, bytes, &signature, &err), 0);
	return signature;
}

static json_t *
envelope_of(const struct fixture *f, json_t *root, int signers)
{
	json_t *signatures = json_array();

	for (int who = 0; who < signers; who++)
		json_array_append_new(signatures, signature_of(f, root, who));
	return json_pack("{s:o,s:o}", "signatures", signatures, "signed", root);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->fds = fault_open_fds();
	assert_int_equal(key_start(&f->err), 0);
	for (int who = 0; who < PEOPLE; who++)
		assert_int_equal(key_pair_new(&f->keys[who], &f->err), 0);
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	f->draft.version = 2;
	f->draft.current = envelope_of(f, new_root(f, 1, 2), 2);
	f->draft.next = new_root(f, 2, 3);
	f->draft.signatures = json_array();
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	draft_done(&f->draft);
	for (int who = 0; who < PEOPLE; who++)
		key_pair_free(f->keys[who]);
	close(f->dir);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

static void
write_draft(struct fixture *f)
{
	if (draft_write(f->dir, "stick", &f->draft, utc_now(), &f->err) != 0)
		fail_msg("%s", f->err.text);
}

static int
sign(struct fixture *f, int who)
{
	AUTO(json_decref_p) json_t *signature = signature_of(f, f->draft.next, who);

	return draft_add_signature(&f->draft, f->dir, "stick", signature, &f->err);
}

/* Writes @text to stick/FILE. */
static void
put(struct fixture *f, const char *file, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "stick/%s", file);
	assert_int_equal(file_replace(f->dir, path, text, strlen(text), 0644, &f->err), 0);
}

static void
put_json(struct fixture *f, const char *file, const json_t *json)
{
	AUTO(free_p) char *text = json_write(json);

	put(f, file, text);
}

static void
signature_file(const struct fixture *f, int who, char name[static 96])
{
	snprintf(name, 96, "signatures/%s.json", id_of(f, who));
}

static int
read_draft(struct fixture *f)
{
	struct draft draft = { 0 };
	int r = draft_read(f->dir, "stick", utc_now(), &draft, &f->err);

	draft_done(&draft);
	return r;
}

#define refused(f, words)                                                                                      \
	do {                                                                                                   \
		assert_int_equal(read_draft(f), -EBADMSG);                                                     \
		assert_reason((f)->err, words);                                                                \
	} while (0)

static void
reads_what_it_wrote(void **state)
{
	struct fixture *f = *state;
	struct draft draft;

	f->draft.repository = REPOSITORY_DIRECTOR;
	write_draft(f);
	assert_int_equal(sign(f, BOB), 0);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(draft_read(f->dir, "stick", utc_now(), &draft, &f->err), 0);
	assert_int_equal(draft.repository, REPOSITORY_DIRECTOR);
	assert_int_equal(draft.version, 2);
	assert_true(json_equal(draft.current, f->draft.current));
	assert_true(json_equal(draft.next, f->draft.next));
	assert_true(json_equal(draft.signatures, f->draft.signatures));
	assert_int_equal(json_array_size(draft.signatures), 2);
	draft_done(&draft);
}

static void
assembles_a_root_that_old_and_new_keys_accept(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *again = NULL;
	size_t bytes;

	write_draft(f);
	assert_int_equal(sign(f, BOB), 0);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(draft_assemble(&f->draft, &text, &bytes, &f->err), 0);
	assert_int_equal(json_read(text, bytes, "root", &root, &f->err), 0);
	assert_int_equal(
	    envelope_verify_role(root, json_object_get(f->draft.current, "signed"), ROLE_ROOT, "root", &f->err),
	    0);
	assert_int_equal(envelope_verify_role(root, f->draft.next, ROLE_ROOT, "root", &f->err), 0);
	assert_int_equal(canonical_write(root, &again, NULL, &f->err), 0);
	assert_string_equal(text, again);
}

static void
counts_signatures_of_each_root_for_itself(void **state)
{
	struct fixture *f = *state;
	const json_t *current = json_object_get(f->draft.current, "signed");

	write_draft(f);
	assert_int_equal(sign(f, CAROL), 0);
	assert_int_equal(draft_count(&f->draft, current), 0);
	assert_int_equal(draft_count(&f->draft, f->draft.next), 1);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(draft_count(&f->draft, current), 1);
	assert_int_equal(draft_count(&f->draft, f->draft.next), 2);
	assert_true(draft_has_signed(&f->draft, id_of(f, CAROL)));
	assert_false(draft_has_signed(&f->draft, id_of(f, BOB)));
}

static void
is_the_draft_of_a_first_root_without_a_current_one(void **state)
{
	struct fixture *f = *state;

	json_decref(f->draft.current);
	json_decref(f->draft.next);
	f->draft.current = NULL;
	f->draft.next = new_root(f, 1, 3);
	f->draft.version = 1;
	write_draft(f);
	assert_int_equal(sign(f, CAROL), 0);
	assert_int_equal(read_draft(f), 0);
	put(f, "draft.json", "{\"repository\":\"image\",\"role\":\"root\",\"version\":2}");
	refused(f, "has no current.json");
}

static void
never_writes_over_what_is_there(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	assert_int_equal(draft_write(f->dir, "stick", &f->draft, utc_now(), &f->err), -EEXIST);
	assert_int_equal(read_draft(f), 0);
}

static void
leaves_nothing_behind_when_writing_fails(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	for (int calls = 0;; calls++) {
		int r;

		fault_after(calls);
		r = draft_write(f->dir, "stick", &f->draft, utc_now(), &f->err);
		if (!fault_stop()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r < 0);
		assert_int_equal(fstatat(f->dir, "stick", &st, AT_SYMLINK_NOFOLLOW), -1);
		assert_true(calls < 2000);
	}
	assert_int_equal(read_draft(f), 0);
}

static void
tells_what_was_changed_after_the_first_signature(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	assert_int_equal(sign(f, ALICE), 0);
	json_object_set_new(
	    json_object_get(json_object_get(f->draft.next, "roles"), "root"), "threshold", json_integer(1));
	put_json(f, "next.json", f->draft.next);
	refused(f, "next.json, which was changed after it was signed");
	assert_reason(f->err, id_of(f, ALICE));
}

static void
refuses_to_change_what_somebody_signed(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *other = new_root(f, 2, 2);

	write_draft(f);
	assert_int_equal(draft_change(&f->draft, f->dir, "stick", other, utc_now(), &f->err), 0);
	assert_true(json_equal(f->draft.next, other));
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(draft_change(&f->draft, f->dir, "stick", other, utc_now(), &f->err), -EPERM);
	assert_reason(f->err, "has signed it already");
}

static void
takes_only_signatures_of_root_keys(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *signature = signature_of(f, f->draft.next, STRANGER);
	char name[96];

	write_draft(f);
	assert_int_equal(sign(f, STRANGER), -EBADMSG);
	assert_reason(f->err, "is no root key, neither of the current root nor of the next");
	assert_int_equal(sign(f, ONLINE), -EBADMSG);
	assert_int_equal(read_draft(f), 0);
	signature_file(f, STRANGER, name);
	put_json(f, name, signature);
	refused(f, "is no root key");
}

static void
takes_one_signature_of_each_key(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *signature = signature_of(f, f->draft.next, ALICE);

	write_draft(f);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(sign(f, ALICE), -EEXIST);
	assert_reason(f->err, "has signed already");
	put_json(f, "signatures/again.json", signature);
	refused(f, "signatures/again.json: is no signature, KEYID.json");
}

static void
refuses_a_signature_under_the_name_of_another(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *signature = signature_of(f, f->draft.next, ALICE);
	char name[96];

	write_draft(f);
	signature_file(f, BOB, name);
	put_json(f, name, signature);
	refused(f, "is of another key id than its name says");
	json_object_set_new(signature, "keyid", json_string(id_of(f, BOB)));
	put_json(f, name, signature);
	refused(f, "is no good signature");
	json_object_set_new(signature, "method", json_string("hmac"));
	put_json(f, name, signature);
	refused(f, "\"hmac\" is unknown");
}

static void
refuses_versions_that_do_not_follow(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	json_object_set_new(f->draft.next, "version", json_integer(3));
	put_json(f, "next.json", f->draft.next);
	refused(f, "next.json: has version 3, draft.json says 2");
	put(f, "draft.json", "{\"repository\":\"image\",\"role\":\"root\",\"version\":3}");
	refused(f, "version of the next root is 3, after version 1 it has to be 2");
}

static void
refuses_a_current_root_that_its_keys_did_not_sign(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *forged = envelope_of(f, new_root(f, 1, 2), 1);

	write_draft(f);
	put_json(f, "current.json", forged);
	refused(f, "current.json");
	assert_reason(f->err, "1 of 2 needed signatures");
}

static void
refuses_one_key_id_for_two_keys(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	json_object_set_new(json_object_get(f->draft.next, "keys"), id_of(f, ALICE),
	    public_key_json(key_pair_public(f->keys[STRANGER])));
	put_json(f, "next.json", f->draft.next);
	refused(f, "is another key in the next root than in the current one");
}

static void
refuses_what_devices_would_refuse(void **state)
{
	static const struct {
		const char *member, *json, *words;
	} cases[] = {
		{ "expires", "\"2020-01-01T00:00:00Z\"", "expires in the past" },
		{ "expires", "\"2040-01-01T00:00:00.5Z\"", "is not YYYY-MM-DDTHH:MM:SSZ" },
		{ "_type", "\"Targets\"", "not Root" },
		{ "consistent_snapshot", "1.0", "real number" },
		{ "keys", "{}", "names a key that is not there" },
		{ "custom", "{}", "does not belong there" },
	};
	struct fixture *f = *state;

	write_draft(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(json_decref_p) json_t *next = json_deep_copy(f->draft.next);

		json_object_set_new(next, cases[i].member, json_loads(cases[i].json, JSON_DECODE_ANY, NULL));
		put_json(f, "next.json", next);
		refused(f, cases[i].words);
		assert_int_equal(draft_change(&f->draft, f->dir, "stick", next, utc_now(), &f->err), -EBADMSG);
		assert_reason(f->err, cases[i].words);
	}
}

static void
follows_no_symlink(void **state)
{
	static const char *const files[] = { "draft.json", "current.json", "next.json", "signatures" };
	struct fixture *f = *state;
	char from[64], to[64];

	write_draft(f);
	assert_int_equal(sign(f, ALICE), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(from, sizeof(from), "stick/%s", files[i]);
		snprintf(to, sizeof(to), "aside-%s", files[i]);
		assert_int_equal(renameat(f->dir, from, f->dir, to), 0);
		snprintf(to, sizeof(to), "../aside-%s", files[i]);
		assert_int_equal(symlinkat(to, f->dir, from), 0);
		assert_true(read_draft(f) < 0);
		assert_reason(f->err, files[i]);
		assert_int_equal(unlinkat(f->dir, from, 0), 0);
		snprintf(to, sizeof(to), "aside-%s", files[i]);
		assert_int_equal(renameat(f->dir, to, f->dir, from), 0);
	}
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(symlinkat("stick", f->dir, "link"), 0);
	assert_true(draft_read(f->dir, "link", utc_now(), &f->draft, &f->err) < 0);
}

/* Also when it appears while somebody thinks about what the draft changes. */
static void
writes_through_no_symlink(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(mkdirat(f->dir, "elsewhere", 0755), 0);
	unlinkat(f->dir, "stick/signatures", AT_REMOVEDIR);
	assert_int_equal(symlinkat("../elsewhere", f->dir, "stick/signatures"), 0);
	assert_true(sign(f, ALICE) < 0);
	assert_reason(f->err, "signatures");
	assert_int_equal(unlinkat(f->dir, "elsewhere", AT_REMOVEDIR), 0);
}

static void
does_not_wait_for_a_fifo(void **state)
{
	struct fixture *f = *state;
	char name[96], path[112];

	write_draft(f);
	signature_file(f, ALICE, name);
	snprintf(path, sizeof(path), "stick/%s", name);
	assert_int_equal(mkfifoat(f->dir, path, 0644), 0);
	assert_true(read_draft(f) < 0);
	assert_reason(f->err, "not a regular file");
}

static void
bounds_sizes_and_numbers(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *large = malloc(70000);

	memset(large, ' ', 69999);
	large[69999] = '\0';
	write_draft(f);
	for (int i = 0; i < 300; i++) {
		char name[64];

		snprintf(name, sizeof(name), "signatures/.%d", i);
		put(f, name, "");
	}
	refused(f, "has more than 256 files");
	put(f, "next.json", large);
	assert_int_equal(read_draft(f), -EFBIG);
	assert_reason(f->err, "next.json: has 69999 bytes");
	put(f, "draft.json", large);
	assert_int_equal(read_draft(f), -EFBIG);
}

static void
leaves_alone_what_file_managers_leave(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	put(f, "signatures/.DS_Store", "x");
	put(f, "notes from bob.txt", "hello");
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(unlinkat(f->dir, "stick/signatures/.DS_Store", 0), 0);
	assert_int_equal(unlinkat(f->dir, "stick/signatures", AT_REMOVEDIR), 0);
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(sign(f, ALICE), 0);
	assert_int_equal(read_draft(f), 0);
}

static void
is_no_draft_without_its_head(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	put(f, "draft.json", "{\"repository\":\"image\",\"role\":\"targets\",\"version\":2}");
	refused(f, "role is not root");
	put(f, "draft.json", "{\"repository\":\"other\",\"role\":\"root\",\"version\":2}");
	refused(f, "repository is neither image nor director");
	assert_int_equal(unlinkat(f->dir, "stick/draft.json", 0), 0);
	assert_int_equal(read_draft(f), -ENOENT);
}

#define row(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		row(reads_what_it_wrote),
		row(assembles_a_root_that_old_and_new_keys_accept),
		row(counts_signatures_of_each_root_for_itself),
		row(is_the_draft_of_a_first_root_without_a_current_one),
		row(never_writes_over_what_is_there),
		row(leaves_nothing_behind_when_writing_fails),
		row(tells_what_was_changed_after_the_first_signature),
		row(refuses_to_change_what_somebody_signed),
		row(takes_only_signatures_of_root_keys),
		row(takes_one_signature_of_each_key),
		row(refuses_a_signature_under_the_name_of_another),
		row(refuses_versions_that_do_not_follow),
		row(refuses_a_current_root_that_its_keys_did_not_sign),
		row(refuses_one_key_id_for_two_keys),
		row(refuses_what_devices_would_refuse),
		row(follows_no_symlink),
		row(writes_through_no_symlink),
		row(does_not_wait_for_a_fifo),
		row(bounds_sizes_and_numbers),
		row(leaves_alone_what_file_managers_leave),
		row(is_no_draft_without_its_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
