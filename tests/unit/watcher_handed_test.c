/* Signed documents that come out of the spool: drafts and files are real, the repositories are not. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "store/tree.h"
#include "tests/unit/fault.h"
#include "watcher/handed.h"

enum { ALICE, BOB, CAROL, PEOPLE };

/* -- repositories and signer -- */

static struct {
	char *taken[REPOSITORY_COUNT]; /* the root that was put last */
	int puts, held_back;
} world;

int
client_root(struct client *client, enum repository repository, int version, char **envelope, size_t *bytes,
    struct err *err)
{
	(void)client;
	(void)version;
	(void)err;
	if (!world.taken[repository])
		return CLIENT_NO_ROOT;
	*envelope = strdup(world.taken[repository]);
	*bytes = strlen(*envelope);
	return 0;
}

int
client_put_root(
    struct client *client, enum repository repository, const char *text, size_t bytes, struct err *err)
{
	(void)client;
	(void)err;
	free(world.taken[repository]);
	world.taken[repository] = strndup(text, bytes);
	world.puts++;
	return 0;
}

int
image_settle_root(struct image *image, struct err *err)
{
	(void)image;
	err_set(err, EAGAIN, "waits for targets");
	return world.held_back ? IMAGE_HELD_BACK : 0;
}

int
image_put_root(struct image *image, const char *text, size_t bytes, struct err *err)
{
	client_put_root(NULL, REPOSITORY_IMAGE, text, bytes, err);
	return image_settle_root(image, err);
}

int
image_put_next_targets(struct image *image, const char *text, size_t bytes, int *version, struct err *err)
{
	(void)image;
	(void)bytes;
	*version = 7;
	if (!strstr(text, "good"))
		err_set(err, EINVAL, "targets.json: has version 7, the next one is 9");
	return strstr(text, "good") ? 0 : IMAGE_OTHER_VERSION;
}

int
image_put_delegation(struct image *image, const char *name, const char *text, size_t bytes,
    const struct image_judge *judge, struct err *err)
{
	(void)judge;
	(void)image;
	(void)name;
	(void)text;
	(void)bytes;
	err_set(err, ENOENT, "there is no trusted delegation");
	return IMAGE_NO_DELEGATION;
}

/* -- drops -- */

struct fixture {
	char path[64];
	int dir, fds;
	struct key_pair *keys[PEOPLE];
	struct draft draft; /* root 2, with the root keys of alice and bob, both needed, as root 1 */
	struct handed handed;
	struct err err;
};

static const char *
id_of(const struct fixture *f, int who)
{
	return public_key_id(key_pair_public(f->keys[who]));
}

/* Root keys of @first and the one after it; carol's are all others. */
static json_t *
new_root(const struct fixture *f, int version, int first)
{
	json_t *keys = json_object();

	for (int who = 0; who < PEOPLE; who++)
		json_object_set_new(keys, id_of(f, who), public_key_json(key_pair_public(f->keys[who])));
	return json_pack("{s:s,s:b,s:s,s:o,s:i,s:{s:{s:[s,s],s:i},s:{s:[s],s:i},s:{s:[s],s:i},s:{s:[s],s:i}}}",
	    "_type", "Root", "consistent_snapshot", 0, "expires", "2099-01-01T00:00:00Z", "keys", keys,
	    "version", version, "roles", "root", "keyids", id_of(f, first), id_of(f, first + 1), "threshold", 2,
	    "targets", "keyids", id_of(f, CAROL), "threshold", 1, "snapshot", "keyids", id_of(f, CAROL),
	    "threshold", 1, "timestamp", "keyids", id_of(f, CAROL), "threshold", 1);
}

static void
add_signature(const struct fixture *f, json_t *list, const json_t *root, int who)
{
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	struct err err;
	size_t bytes;

	assert_int_equal(canonical_write(root, &canonical, &bytes, &err), 0);
	assert_int_equal(key_pair_sign(f->keys[who], canonical, bytes, &signature, &err), 0);
	json_array_append_new(list, signature);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	json_t *first;

	*state = f;
	f->fds = fault_open_fds();
	assert_int_equal(key_start(&f->err), 0);
	for (int who = 0; who < PEOPLE; who++)
		assert_int_equal(key_pair_new(&f->keys[who], &f->err), 0);
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->draft.version = 2;
	f->draft.repository = REPOSITORY_DIRECTOR;
	first = new_root(f, 1, ALICE);
	f->draft.current = json_pack("{s:[],s:o}", "signatures", "signed", first);
	add_signature(f, json_object_get(f->draft.current, "signatures"), first, ALICE);
	add_signature(f, json_object_get(f->draft.current, "signatures"), first, BOB);
	f->draft.next = new_root(f, 2, ALICE);
	f->draft.signatures = json_array();
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int fds = f->fds;

	handed_done(&f->handed);
	draft_done(&f->draft);
	for (int who = 0; who < PEOPLE; who++)
		key_pair_free(f->keys[who]);
	close(f->dir);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &f->err), 0);
	free(f);
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		free(world.taken[i]);
	memset(&world, 0, sizeof(world));
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

static int
read_draft(struct fixture *f)
{
	handed_done(&f->handed);
	return handed_read_draft(&f->handed, f->dir, "stick", &f->err);
}

static void
sign(struct fixture *f, int who)
{
	AUTO(json_decref_p) json_t *list = json_array();

	add_signature(f, list, f->draft.next, who);
	assert_int_equal(draft_add_signature(&f->draft, f->dir, "stick", json_array_get(list, 0), &f->err), 0);
}

static void
write_draft(struct fixture *f)
{
	if (draft_write(f->dir, "stick", &f->draft, utc_now(), &f->err) != 0)
		fail_msg("%s", f->err.text);
}

static void
assert_receipt(struct fixture *f, const char *expected)
{
	AUTO(json_decref_p) json_t *json = handed_receipt(&f->handed);
	AUTO(free_p) char *text = json_write(json);

	assert_string_equal(text, expected);
}

static void
takes_a_draft_that_is_signed_enough(void **state)
{
	struct fixture *f = *state;

	write_draft(f);
	assert_true(handed_is_draft(f->dir, "stick"));
	sign(f, ALICE);
	sign(f, BOB);
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), 0);
	assert_int_equal(world.puts, 1);
	assert_receipt(f, "{\"next\":\"otafs gives it to devices within a second, at their next poll\","
			  "\"repository\":\"director\",\"result\":\"taken\",\"role\":\"root\",\"version\":2}");

	/* The answer was lost: it is done. */
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), 0);
	assert_int_equal(world.puts, 1);
}

static void
says_whose_signatures_are_missing(void **state)
{
	struct fixture *f = *state;
	char words[256];

	json_decref(f->draft.next);
	f->draft.next = new_root(f, 2, BOB);
	write_draft(f);
	sign(f, ALICE);
	assert_int_equal(read_draft(f), DROP_BAD);
	snprintf(words, sizeof(words),
	    "root 2 of the director repository: 1 of 2 needed signatures by root keys of root 1, the present "
	    "one, "
	    "are here; not signed have: %.12s...",
	    id_of(f, BOB));
	assert_reason(f->err, words);
	sign(f, BOB);
	assert_int_equal(read_draft(f), DROP_BAD);
	snprintf(words, sizeof(words),
	    "1 of 2 needed signatures by root keys of the new root itself are here; not signed have: %.12s...",
	    id_of(f, CAROL));
	assert_reason(f->err, words);
	sign(f, CAROL);
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(world.puts, 0);
}

/* Before there is a root, anybody's would do. */
static void
takes_no_first_root(void **state)
{
	struct fixture *f = *state;

	json_decref(f->draft.current);
	f->draft.current = NULL;
	f->draft.version = 1;
	json_object_set_new(f->draft.next, "version", json_integer(1));
	write_draft(f);
	sign(f, ALICE);
	sign(f, BOB);
	assert_int_equal(read_draft(f), DROP_BAD);
	assert_reason(f->err, "the first root is not taken from the spool");
}

static void
keeps_a_root_of_that_version(void **state)
{
	struct fixture *f = *state;

	world.taken[REPOSITORY_DIRECTOR] = strdup("{\"signatures\":[],\"signed\":{\"version\":2}}");
	write_draft(f);
	sign(f, ALICE);
	sign(f, BOB);
	assert_int_equal(read_draft(f), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), DROP_BAD);
	assert_reason(f->err, "root 2 of the director repository: there is a root of that version already");
	assert_int_equal(world.puts, 0);
}

/* -- files -- */

static void
write_file(struct fixture *f, const char *text, size_t bytes)
{
	assert_int_equal(file_replace(f->dir, "file", text, bytes, 0644, &f->err), 0);
}

static int
read_file(struct fixture *f, const char *push)
{
	AUTO(json_decref_p) json_t *json = json_loads(push, 0, NULL);

	handed_done(&f->handed);
	assert_true(handed_is_meant(json));
	return handed_read(&f->handed, f->dir, "file", json, &f->err);
}

static void
write_root(struct fixture *f, const char *member, json_t *value)
{
	AUTO(json_decref_p) json_t *list = json_array();
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	if (member)
		json_object_set_new(f->draft.next, member, value);
	add_signature(f, list, f->draft.next, ALICE);
	add_signature(f, list, f->draft.next, BOB);
	assert_int_equal(envelope_write(f->draft.next, list, &text, &bytes, &f->err), 0);
	write_file(f, text, bytes);
}

static void
takes_a_root_file_and_says_when_it_is_held_back(void **state)
{
	struct fixture *f = *state;

	write_root(f, NULL, NULL);
	assert_int_equal(read_file(f, "{\"root\":\"image\"}"), 0);
	world.held_back = 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), 0);
		assert_int_equal(world.puts, 1);
		assert_receipt(f, "{\"next\":\"waits for targets\",\"repository\":\"image\",\"result\":\"held "
				  "back\",\"role\":\"root\",\"version\":2}");
	}
	world.held_back = 0;
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), 0);
	assert_receipt(f, "{\"next\":\"devices learn of it at their next update\",\"repository\":\"image\","
			  "\"result\":\"published\",\"role\":\"root\",\"version\":2}");
}

static void
refuses_roots_that_are_none(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *large = calloc(1, 9 << 20);

	memset(large, ' ', 9 << 20);
	write_file(f, large, 9 << 20);
	assert_int_equal(read_file(f, "{\"root\":\"image\"}"), DROP_BAD);
	assert_reason(
	    f->err, "root of the image repository: file: has 9437184 bytes, at most 65536 are allowed");
	assert_int_equal(read_file(f, "{\"targets\":\"image\"}"), DROP_BAD);
	assert_reason(f->err, "targets of the image repository: file: has 9437184 bytes, at most 8323072");
	write_file(f, "{\"signatures\":[", 15);
	assert_int_equal(read_file(f, "{\"root\":\"director\"}"), DROP_BAD);
	assert_reason(f->err, "root of the director repository: root: not JSON");
	write_root(f, "expires", json_string("2020-01-01T00:00:00Z"));
	assert_int_equal(read_file(f, "{\"root\":\"image\"}"), DROP_BAD);
	assert_reason(f->err, "root: expires in the past");
	write_root(f, "expires", json_string("2099-01-01T00:00:00.5Z"));
	assert_int_equal(read_file(f, "{\"root\":\"image\"}"), DROP_BAD);
	assert_reason(f->err, "root: ");
	write_root(f, "expires", json_string("2099-01-01T00:00:00Z"));
	write_root(f, "version", json_integer(1));
	assert_int_equal(read_file(f, "{\"root\":\"image\"}"), DROP_BAD);
	assert_reason(f->err, "the first root is not taken from the spool");
}

static void
refuses_what_push_json_should_not_say(void **state)
{
	struct fixture *f = *state;

	write_file(f, "{}", 2);
	assert_int_equal(read_file(f, "{\"root\":\"other\"}"), DROP_BAD);
	assert_reason(f->err, "push.json: root is \"other\", neither image nor director");
	assert_int_equal(read_file(f, "{\"targets\":\"director\"}"), DROP_BAD);
	assert_reason(f->err, "targets of the director are made for each device by otafs");
	assert_int_equal(read_file(f, "{\"root\":\"image\",\"name\":\"x\"}"), DROP_BAD);
	assert_reason(f->err, "\"name\"");
	assert_int_equal(read_file(f, "{\"root\":7}"), DROP_BAD);
	assert_int_equal(read_file(f, "{\"delegation\":\"targets\"}"), DROP_BAD);
	assert_reason(f->err, "\"targets\" is no name of a delegation");
}

static void
hands_targets_and_delegations_on(void **state)
{
	struct fixture *f = *state;

	write_file(f, "{\"good\":1}", 10);
	assert_int_equal(read_file(f, "{\"targets\":\"image\"}"), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), 0);
	assert_receipt(f, "{\"next\":\"devices learn of it at their next update\",\"repository\":\"image\","
			  "\"result\":\"published\",\"role\":\"targets\",\"version\":7}");
	write_file(f, "{\"late\":1}", 10);
	assert_int_equal(read_file(f, "{\"targets\":\"image\"}"), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), DROP_BAD);
	assert_reason(f->err, "targets.json: has version 7, the next one is 9");
	assert_int_equal(read_file(f, "{\"delegation\":\"sup\"}"), 0);
	assert_int_equal(handed_publish(&f->handed, NULL, NULL, &f->err), DROP_BAD);
	assert_reason(f->err, "there is no trusted delegation");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_a_draft_that_is_signed_enough),
		TEST(says_whose_signatures_are_missing),
		TEST(takes_no_first_root),
		TEST(keeps_a_root_of_that_version),
		TEST(takes_a_root_file_and_says_when_it_is_held_back),
		TEST(refuses_roots_that_are_none),
		TEST(refuses_what_push_json_should_not_say),
		TEST(hands_targets_and_delegations_on),
	};

	return cmocka_run_group_tests_name("watcher/handed", tests, NULL, NULL);
}
