/* Roots of the image repository that come from outside, and the root key that goes there. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/chain.h"
#include "sign/client.h"
#include "sign/envelope.h"
#include "sign/house.h"
#include "sign/key.h"
#include "sign/server.h"
#include "tests/unit/fault.h"
#include "tests/unit/first_roots.h"

enum { OTAFS = 501, WATCHER = 502 };

struct fixture {
	char path[64];
	int dir, fds;
	struct policy policy;
	struct keyring *keyring;
	struct ledger *ledger;
	struct journal *journal;
	struct issuer *issuer;
	struct server *server;
	struct key_pair *ours[ROLE_COUNT]; /* what the signer has, to sign in its place */
	struct key_pair *root, *targets;   /* of the builder */
	struct err err;
};

static int
try_open(struct fixture *f, int64_t now)
{
	const struct journal_limits limits = { CHAIN_FILE_MAX, 0 };
	int r = keyring_open(f->dir, 365, &f->keyring, &f->err);

	if (r < 0)
		return r;
	assert_int_equal(ledger_open(f->dir, &f->ledger, &f->err), 0);
	assert_int_equal(journal_open(f->dir, &limits, now, &f->journal, &f->err), 0);
	assert_int_equal(issuer_open(f->dir, &f->issuer, &f->err), 0);
	assert_int_equal(
	    server_new(-1, &f->policy, f->keyring, f->ledger, f->journal, f->issuer, &f->server, &f->err), 0);
	server_renew(f->server);
	return 0;
}

static void
close_all(struct fixture *f)
{
	server_free(f->server);
	issuer_free(f->issuer);
	journal_free(f->journal);
	ledger_free(f->ledger);
	keyring_free(f->keyring);
}

static void
restart(struct fixture *f)
{
	close_all(f);
	assert_int_equal(try_open(f, utc_now()), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct config config = { .root_days = 365,
		.image_targets_days = 31,
		.director_targets_days = 7,
		.snapshot_days = 7,
		.timestamp_days = 1,
		.user_otafs = "501",
		.user_watcher = "502" };
	char name[32];
	int image;

	*state = f;
	f->fds = fault_open_fds();
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(key_start(&f->err), 0);
	assert_int_equal(policy_init(&f->policy, &config, &f->err), 0);
	assert_int_equal(try_open(f, utc_now()), 0);
	make_first_roots(f->keyring, utc_now());
	image = openat(f->dir, "image", O_RDONLY | O_DIRECTORY);
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		snprintf(name, sizeof(name), "%s-1.key", role_name(role));
		assert_int_equal(key_pair_load(image, name, &f->ours[role], &f->err), 0);
	}
	close(image);
	assert_int_equal(key_pair_new(&f->root, &f->err), 0);
	assert_int_equal(key_pair_new(&f->targets, &f->err), 0);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	close_all(f);
	close(f->dir);
	for (enum role role = 0; role < ROLE_COUNT; role++)
		key_pair_free(f->ours[role]);
	key_pair_free(f->root);
	key_pair_free(f->targets);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

/* -- making roots -- */

static const char *
id_of(const struct key_pair *pair)
{
	return public_key_id(key_pair_public(pair));
}

static json_t *
newest(struct fixture *f)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;

	assert_int_equal(keyring_root(f->keyring, REPOSITORY_IMAGE,
			     keyring_root_version(f->keyring, REPOSITORY_IMAGE), &text, &bytes, &f->err),
	    0);
	assert_int_equal(json_read(text, bytes, "root", &file, &f->err), 0);
	return json_incref(json_object_get(file, "signed"));
}

static json_t *
role_of_root(json_t *root, const char *role)
{
	return json_object_get(json_object_get(root, "roles"), role);
}

static void
add_key(json_t *root, const char *role, const char *id, const struct key_pair *pair)
{
	AUTO(json_decref_p) json_t *public = public_key_json(key_pair_public(pair));

	json_object_set_new(json_object_get(root, "keys"), id, json_deep_copy(public));
	json_array_append_new(json_object_get(role_of_root(root, role), "keyids"), json_string(id));
}

static void
give_to(json_t *root, const char *role, const char *id, const struct key_pair *pair)
{
	json_array_clear(json_object_get(role_of_root(root, role), "keyids"));
	add_key(root, role, id, pair);
}

/* The next root: root and targets belong to the builder, as after garage-sign's move-offline. */
static json_t *
next_root(struct fixture *f)
{
	json_t *root = newest(f);

	json_object_set_new(
	    root, "version", json_integer(json_integer_value(json_object_get(root, "version")) + 1));
	json_object_del(json_object_get(root, "keys"), id_of(f->ours[ROLE_ROOT]));
	json_object_del(json_object_get(root, "keys"), id_of(f->ours[ROLE_TARGETS]));
	give_to(root, "root", id_of(f->root), f->root);
	give_to(root, "targets", id_of(f->targets), f->targets);
	return root;
}

static char *
sign_with(const json_t *signed_part, const struct key_pair *const *pairs)
{
	AUTO(json_decref_p) json_t *signatures = json_array();
	AUTO(free_p) char *canonical = NULL;
	char *text = NULL;
	struct err err;
	size_t bytes;

	assert_int_equal(canonical_write(signed_part, &canonical, &bytes, &err), 0);
	for (; *pairs; pairs++) {
		json_t *signature;

		assert_int_equal(key_pair_sign(*pairs, canonical, bytes, &signature, &err), 0);
		json_array_append_new(signatures, signature);
	}
	assert_int_equal(envelope_write(signed_part, signatures, &text, NULL, &err), 0);
	return text;
}

static char *
sign_by_both(struct fixture *f, const json_t *root)
{
	const struct key_pair *pairs[] = { f->ours[ROLE_ROOT], f->root, NULL };

	return sign_with(root, pairs);
}

/* -- asking -- */

static int
ask(struct fixture *f, uid_t uid, json_t *request, char **out)
{
	AUTO(free_p) char *text = json_write(request);
	AUTO(free_p) char *payload = NULL;
	size_t bytes = 0;
	int r;

	json_decref(request);
	assert_non_null(text);
	f->err.text[0] = '\0';
	r = server_answer(f->server, uid, text, strlen(text), &payload, &bytes, &f->err);
	if (out)
		*out = MOVE(payload);
	return r;
}

static int
put(struct fixture *f, const char *text)
{
	return ask(f, WATCHER,
	    json_pack("{s:s,s:s,s:s}", "operation", "put_root", "repository", "image", "root", text), NULL);
}

static int
put_signed(struct fixture *f, const json_t *root)
{
	AUTO(free_p) char *text = sign_by_both(f, root);

	return put(f, text);
}

static int
about_key(struct fixture *f, const char *operation, const char *keyid, char **out)
{
	return ask(f, WATCHER,
	    json_pack("{s:s,s:s,s:s}", "operation", operation, "repository", "image", "keyid", keyid), out);
}

static int
can_sign(struct fixture *f, const char *role)
{
	return ask(f, WATCHER,
	    json_pack("{s:s,s:s,s:s}", "operation", "can_sign", "repository", "image", "role", role), NULL);
}

static int
sign(struct fixture *f, const char *role, int version, char **out)
{
	char expires[UTC_TEXT_SIZE], type[16];

	utc_format(utc_now() + 3600, expires);
	snprintf(type, sizeof(type), "%c%s", role[0] - 'a' + 'A', role + 1);
	return ask(f, WATCHER,
	    json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:i}}", "operation", "sign", "repository", "image", "role", role,
		"signed", "_type", type, "expires", expires, "version", version),
	    out);
}

static bool
has_file(struct fixture *f, const char *name)
{
	struct stat st;

	return fstatat(f->dir, name, &st, 0) == 0;
}

static void
allow_take(struct fixture *f)
{
	close(openat(f->dir, "image/allow-take", O_CREAT | O_WRONLY, 0600));
}

static void
expect_signed(struct fixture *f, const char *role, int version)
{
	AUTO(json_decref_p) json_t *root = newest(f);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;

	assert_int_equal(sign(f, role, version, &text), 0);
	assert_int_equal(json_read(text, strlen(text), role, &file, &f->err), 0);
	assert_int_equal(envelope_verify_role(file, root, (enum role)role_of(role), role, &f->err), 0);
}

/* -- roots from outside -- */

static void
takes_a_root_that_old_and_new_keys_signed_and_deletes_the_old_ones(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(free_p) char *text = sign_by_both(f, root);
	AUTO(free_p) char *stored = NULL;
	size_t bytes;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(put(f, text), 0); /* the second time as well: the answer was lost */
		assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 2);
		assert_false(has_file(f, "image/root-1.key"));
		assert_false(has_file(f, "image/targets-1.key"));
		assert_true(has_file(f, "image/snapshot-1.key"));
		assert_int_equal(can_sign(f, "targets"), CLIENT_OFFLINE);
		assert_int_equal(can_sign(f, "snapshot"), 0);
		assert_int_equal(sign(f, "targets", 5, NULL), -ENOKEY);
		assert_reason(f->err, "targets of the image repository is signed with keys that are not here");
		assert_int_equal(ledger_last(f->ledger, ROLE_TARGETS), 0);
		expect_signed(f, "snapshot", 3 + i);
		expect_signed(f, "timestamp", 3 + i);
		restart(f);
	}
	assert_int_equal(file_read(f->dir, "image/2.root.json", 65536, &stored, &bytes, &f->err), 0);
	assert_string_equal(stored, text);
}

static void
takes_the_next_root_by_the_builders_key_alone(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *second = next_root(f);
	AUTO(json_decref_p) json_t *third = json_deep_copy(second);
	const struct key_pair *pairs[] = { f->root, NULL };
	AUTO(free_p) char *text = NULL;

	assert_int_equal(put_signed(f, second), 0);
	json_object_set_new(third, "version", json_integer(3));
	text = sign_with(third, pairs);
	assert_int_equal(put(f, text), 0);
	restart(f);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 3);
}

/* Changes the root before it is signed. */
struct flaw {
	const char *reason;
	void (*make)(struct fixture *f, json_t *root);
};

#define FLAW(name, statement)                                                                                  \
	static void name(struct fixture *f, json_t *root)                                                      \
	{                                                                                                      \
		(void)f;                                                                                       \
		statement;                                                                                     \
	}

FLAW(other_version, json_object_set_new(root, "version", json_integer(3)))
FLAW(same_version, json_object_set_new(root, "version", json_integer(1)))
FLAW(other_type, json_object_set_new(root, "_type", json_string("root")))
FLAW(no_version, json_object_del(root, "version"))
FLAW(expired, json_object_set_new(root, "expires", json_string("2020-01-01T00:00:00Z")))
FLAW(odd_expires, json_object_set_new(root, "expires", json_string("2040-01-01T00:00:00.5Z")))
FLAW(no_snapshot_flag, json_object_del(root, "consistent_snapshot"))
FLAW(consistent, json_object_set_new(root, "consistent_snapshot", json_true()))
FLAW(more_members, json_object_set_new(root, "custom", json_object()))
FLAW(more_roles, json_object_set_new(json_object_get(root, "roles"), "mirrors", json_object()))
FLAW(no_timestamp, json_object_del(json_object_get(root, "roles"), "timestamp"))
FLAW(no_keys, json_object_del(root, "keys"))
FLAW(no_threshold, json_object_set_new(role_of_root(root, "root"), "threshold", json_integer(0)))
FLAW(empty_role, json_array_clear(json_object_get(role_of_root(root, "targets"), "keyids")))
FLAW(high_threshold, json_object_set_new(role_of_root(root, "targets"), "threshold", json_integer(2)))
FLAW(lost_key, json_object_del(json_object_get(root, "keys"), id_of(f->targets)))
FLAW(twice,
    json_array_append_new(json_object_get(role_of_root(root, "root"), "keyids"), json_string(id_of(f->root))))
FLAW(odd_key, json_object_set_new(json_object_get(json_object_get(root, "keys"), id_of(f->root)), "keytype",
		  json_string("ECPRIME256V1")))
FLAW(lower_key, json_object_set_new(json_object_get(json_object_get(root, "keys"), id_of(f->root)), "keytype",
		    json_string("ed25519")))
FLAW(private_key, json_object_set_new(
		      json_object_get(json_object_get(json_object_get(root, "keys"), id_of(f->root)), "keyval"),
		      "private", json_string("00")))
FLAW(odd_id, add_key(root, "targets", "my-key", f->root))
FLAW(snapshot_away, give_to(root, "snapshot", id_of(f->targets), f->targets))
FLAW(timestamp_away, give_to(root, "timestamp", id_of(f->targets), f->targets))
FLAW(snapshot_of_two, (add_key(root, "snapshot", id_of(f->targets), f->targets),
			  json_object_set_new(role_of_root(root, "snapshot"), "threshold", json_integer(2))))
FLAW(other_letters, json_object_set_new(root, "expires", json_string("2040-01-01T00:00:00\xc3\xa9")))
FLAW(one_key_twice,
    (add_key(root, "targets", "00000000000000000000000000000000000000000000000000000000000000aa", f->targets),
	json_object_set_new(role_of_root(root, "targets"), "threshold", json_integer(2))))
FLAW(own_threshold, (add_key(root, "root", id_of(f->targets), f->targets),
			json_object_set_new(role_of_root(root, "root"), "threshold", json_integer(2))))

static void
refuses_roots_that_would_strand_somebody(void **state)
{
	static const struct flaw flaws[] = {
		{ "version is 3, the next is 2", other_version },
		{ "version is 1, the next is 2", same_version },
		{ "_type is \"root\", not Root", other_type },
		{ "member \"version\" is missing", no_version },
		{ "expires in the past", expired },
		{ "is not YYYY-MM-DDTHH:MM:SSZ", odd_expires },
		{ "consistent_snapshot is not false", no_snapshot_flag },
		{ "consistent_snapshot is not false", consistent },
		{ "has a member \"custom\" that does not belong there", more_members },
		{ "roles: has a member \"mirrors\"", more_roles },
		{ "role timestamp is missing", no_timestamp },
		{ "has no keys", no_keys },
		{ "role root has no keys or no threshold", no_threshold },
		{ "role targets has no keys or no threshold", empty_role },
		{ "role targets needs 2 signatures and has 1 different keys", high_threshold },
		{ "role targets names a key that is not there", lost_key },
		{ "names key", twice },
		{ "key type \"ECPRIME256V1\" is neither", odd_key },
		{ "key type \"ed25519\" is not in upper-case", lower_key },
		{ "has a member \"private\"", private_key },
		{ "key id \"my-key\" is not 64 lower-case hex digits", odd_id },
		{ "snapshot has to stay with the keys of ota-signd", snapshot_away },
		{ "timestamp has to stay with the keys of ota-signd", timestamp_away },
		{ "2 signatures are needed, keys for 1 are here", snapshot_of_two },
		{ "not YYYY-MM-DDTHH:MM:SSZ", other_letters },
		{ "role targets needs 2 signatures and has 1 different keys", one_key_twice },
		{ "by itself: keys of the root role: root: TUF 1.0, 5.3: 1 of 2 needed", own_threshold },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
		AUTO(json_decref_p) json_t *root = next_root(f);

		flaws[i].make(f, root);
		assert_int_equal(put_signed(f, root), -EBADMSG);
		assert_reason(f->err, flaws[i].reason);
	}
	restart(f);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 1);
	expect_signed(f, "targets", 1);
}

static void
refuses_roots_that_not_both_signed(void **state)
{
	struct fixture *f = *state;
	const struct key_pair *new_only[] = { f->root, NULL }, *old_only[] = { f->ours[ROLE_ROOT], NULL },
			      *others[] = { f->targets, f->ours[ROLE_TARGETS], NULL };
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(free_p) char *one = sign_with(root, new_only);
	AUTO(free_p) char *two = sign_with(root, old_only);
	AUTO(free_p) char *three = sign_with(root, others);

	assert_int_equal(put(f, one), -EBADMSG);
	assert_reason(f->err, "by 1.root.json: keys of the root role: root: TUF 1.0, 5.3: 0 of 1 needed");
	assert_int_equal(put(f, two), -EBADMSG);
	assert_reason(f->err, "by itself: keys of the root role: root: TUF 1.0, 5.3: 0 of 1 needed");
	assert_int_equal(put(f, three), -EBADMSG);
	assert_true(has_file(f, "image/root-1.key"));
}

static void
refuses_texts_that_are_no_root(void **state)
{
	static const char *const texts[][2] = { { "x", "not JSON" }, { "[]", "is no {\"signatures\"" },
		{ "{\"signatures\":[],\"signed\":{},\"signed\":{}}", "duplicate object key" },
		{ "{\"signatures\":[],\"signed\":{\"a\":\"\xc3\xa9\"}}", "outside printable ASCII" },
		{ "{\"signatures\":[],\"signed\":{},\"more\":1}", "has a member \"more\"" } };
	AUTO(free_p) char *large = malloc(ROOT_BYTES_MAX + 2);
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(put(f, texts[i][0]), -EBADMSG);
		assert_reason(f->err, texts[i][1]);
	}
	memset(large, ' ', ROOT_BYTES_MAX + 1);
	large[ROOT_BYTES_MAX + 1] = '\0';
	assert_int_equal(put(f, large), -EBADMSG);
	assert_reason(f->err, "has 65537 bytes, devices read 65536");
}

static void
takes_roots_of_the_image_publisher_and_hands_keys_to_it_only(void **state)
{
	static const char *const operations[] = { "put_root", "take_key", "delete_key" };
	struct fixture *f = *state;

	allow_take(f);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		for (int j = 0; j < 2; j++) {
			json_t *request = json_pack("{s:s,s:s,s:s,s:s}", "operation", operations[i],
			    "repository", j && i ? "director" : "image", "root", "{}", "keyid",
			    id_of(f->ours[ROLE_ROOT]));

			assert_int_equal(ask(f, j && i ? WATCHER : OTAFS, request, NULL), -EACCES);
			assert_reason(f->err, "may not change the root of the");
		}
	assert_true(has_file(f, "image/allow-take"));
	assert_true(has_file(f, "director/root-1.key"));
}

static void
signs_under_the_id_that_the_newest_root_gives_a_key(void **state)
{
	static const char id[] = "00000000000000000000000000000000000000000000000000000000000000aa";
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(free_p) char *text = NULL;

	give_to(root, "targets", id_of(f->ours[ROLE_TARGETS]), f->ours[ROLE_TARGETS]);
	json_object_del(json_object_get(root, "keys"), id_of(f->ours[ROLE_SNAPSHOT]));
	give_to(root, "snapshot", id, f->ours[ROLE_SNAPSHOT]);
	assert_int_equal(put_signed(f, root), 0);
	restart(f);
	expect_signed(f, "snapshot", 2);
	assert_int_equal(sign(f, "snapshot", 3, &text), 0);
	assert_non_null(strstr(text, id));
}

static void
renews_a_root_from_outside_without_changing_its_keys(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = newest(f);
	AUTO(json_decref_p) json_t *renewed = NULL;
	const struct key_pair *pairs[] = { f->ours[ROLE_ROOT], NULL };
	AUTO(free_p) char *text = NULL;

	json_object_set_new(root, "version", json_integer(2));
	add_key(root, "targets", id_of(f->targets), f->targets);
	text = sign_with(root, pairs);
	assert_int_equal(put(f, text), 0);
	assert_int_equal(can_sign(f, "targets"), 0);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 280 * 86400LL, &f->err), 0);
	renewed = newest(f);
	assert_int_equal(json_integer_value(json_object_get(renewed, "version")), 3);
	assert_true(json_equal(json_object_get(root, "keys"), json_object_get(renewed, "keys")));
	assert_true(json_equal(json_object_get(root, "roles"), json_object_get(renewed, "roles")));
}

static void
leaves_a_root_to_its_owner_when_it_is_due(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = next_root(f);

	assert_int_equal(put_signed(f, root), 0);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 300 * 86400LL, &f->err), 0);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 2);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_DIRECTOR), 2);
	expect_signed(f, "timestamp", 2);
}

static void
does_not_sign_targets_that_need_more_keys_than_are_here(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = newest(f);
	const struct key_pair *pairs[] = { f->ours[ROLE_ROOT], NULL };
	AUTO(free_p) char *text = NULL;

	json_object_set_new(root, "version", json_integer(2));
	add_key(root, "targets", id_of(f->targets), f->targets);
	json_object_set_new(role_of_root(root, "targets"), "threshold", json_integer(2));
	text = sign_with(root, pairs);
	assert_int_equal(put(f, text), 0);
	assert_true(has_file(f, "image/targets-1.key"));
	assert_int_equal(can_sign(f, "targets"), CLIENT_OFFLINE);
	assert_int_equal(sign(f, "targets", 2, NULL), -ENOKEY);
}

/* -- the root key goes -- */

static void
hands_the_root_key_out_once_for_each_permission(void **state)
{
	struct fixture *f = *state;
	const char *id = id_of(f->ours[ROLE_ROOT]);
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *refusal = NULL;
	AUTO(free_p) char *again = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *seed = NULL;
	const char *private, *public;
	size_t bytes;

	assert_int_equal(about_key(f, "take_key", id, &refusal), CLIENT_NO_KEY);
	assert_non_null(strstr(refusal, "the administrator did not allow it"));
	allow_take(f);
	assert_int_equal(about_key(f, "take_key", id_of(f->ours[ROLE_TARGETS]), NULL), CLIENT_NO_KEY);
	assert_true(has_file(f, "image/allow-take"));
	assert_int_equal(about_key(f, "take_key", id, &text), 0);
	assert_false(has_file(f, "image/allow-take"));
	restart(f);
	assert_int_equal(about_key(f, "take_key", id, &again), CLIENT_NO_KEY);
	assert_non_null(strstr(again, "it was handed out before"));

	assert_int_equal(json_read(text, strlen(text), "key", &json, &f->err), 0);
	private = json_text(json_object_get(json, "keyval"), "private");
	public = json_text(json_object_get(json, "keyval"), "public");
	assert_string_equal(json_text(json, "keytype"), "ED25519");
	assert_int_equal(strlen(private), 128);
	assert_string_equal(private + 64, public);
	assert_int_equal(file_read(f->dir, "image/root-1.key", 100, &seed, &bytes, &f->err), 0);
	assert_memory_equal(seed, private, 64);
}

static void
deletes_the_root_key_only_after_it_was_handed_out(void **state)
{
	struct fixture *f = *state;
	const char *id = id_of(f->ours[ROLE_ROOT]);
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(free_p) char *refusal = NULL;

	assert_int_equal(about_key(f, "delete_key", id, &refusal), CLIENT_NO_KEY);
	assert_non_null(strstr(refusal, "was not handed out"));
	assert_int_equal(about_key(f, "delete_key", id_of(f->ours[ROLE_SNAPSHOT]), NULL), CLIENT_NO_KEY);
	allow_take(f);
	assert_int_equal(about_key(f, "take_key", id, NULL), 0);
	restart(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(about_key(f, "delete_key", id, NULL), 0);
		assert_false(has_file(f, "image/root-1.key"));
		restart(f);
	}
	assert_int_equal(about_key(f, "take_key", id, NULL), CLIENT_NO_KEY);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 300 * 86400LL, &f->err), 0);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 1);
	expect_signed(f, "targets", 1);
	assert_int_equal(put_signed(f, root), 0);
	assert_int_equal(about_key(f, "delete_key", id, NULL), 0);
}

/* -- lost keys, and roots that the administrator asks for -- */

static int
next_by_ours(struct fixture *f, const char *roles)
{
	AUTO(json_decref_p) json_t *json = json_loads(roles, 0, NULL);

	assert_non_null(json);
	return next_root_by_ours(f->keyring, REPOSITORY_IMAGE, json, utc_now(), &f->err);
}

/* Where the newest root's first key of @role is. */
static void
expect_where(struct fixture *f, const char *role, const char *where)
{
	AUTO(json_decref_p) json_t *report = NULL;
	AUTO(free_p) char *text = NULL;
	const json_t *keys;

	assert_int_equal(
	    ask(f, OTAFS, json_pack("{s:s,s:s}", "operation", "keys", "repository", "image"), &text), 0);
	report = json_loads(text, 0, NULL);
	keys = json_object_get(json_object_get(json_object_get(report, "roles"), role), "keys");
	assert_string_equal(json_text(json_array_get(keys, 0), "where"), where);
}

static void
goes_on_without_a_key_that_was_lost_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;

	close_all(f);
	assert_int_equal(unlinkat(f->dir, "image/snapshot-1.key", 0), 0);
	assert_int_equal(try_open(f, utc_now()), 0);
	expect_where(f, "snapshot", "lost");
	expect_where(f, "timestamp", "here");
	assert_int_equal(sign(f, "snapshot", 2, NULL), -ENOKEY);
	expect_signed(f, "timestamp", 2);
	assert_int_equal(next_by_ours(f, "{\"targets\":{\"new\":1}}"), -EBADMSG);
	assert_reason(f->err, "snapshot has to stay with the keys of ota-signd");
	assert_int_equal(next_by_ours(f, "{\"snapshot\":{\"new\":1}}"), 0);
	assert_true(has_file(f, "image/snapshot-2.key"));
	expect_where(f, "snapshot", "here");
	restart(f);
	expect_signed(f, "snapshot", 2);
}

static void
goes_on_without_a_key_file_that_is_damaged(void **state)
{
	struct fixture *f = *state;
	struct err err;

	close_all(f);
	assert_int_equal(file_replace(f->dir, "image/targets-1.key", "x", 1, 0600, &err), 0);
	assert_int_equal(try_open(f, utc_now()), 0);
	expect_where(f, "targets", "lost");
	assert_int_equal(next_by_ours(f, "{\"targets\":{\"new\":1}}"), 0);
	restart(f);
	expect_signed(f, "targets", 2);
}

static void
makes_nothing_without_being_asked(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_all(f);
	snprintf(command, sizeof(command), "rm -rf %s/*", f->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(try_open(f, utc_now()), 0);
	restart(f);
	assert_false(has_file(f, "image/1.root.json") || has_file(f, "image/root-1.key"));
	assert_int_equal(
	    ask(f, OTAFS,
		json_pack("{s:s,s:s,s:i}", "operation", "root", "repository", "director", "version", 0), NULL),
	    CLIENT_NO_ROOT);
	assert_int_equal(can_sign(f, "targets"), -EAGAIN);
	assert_int_equal(sign(f, "targets", 1, NULL), -EAGAIN);
	assert_reason(f->err, "the image repository has no root yet: see init in ota-sign(1)");
	assert_int_equal(ledger_last(f->ledger, ROLE_TARGETS), 0);
}

static void
replaces_the_keys_of_each_role(void **state)
{
	static const char *const roles[] = { "root", "targets", "snapshot", "timestamp" };
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		AUTO(json_decref_p) json_t *before = newest(f);
		AUTO(json_decref_p) json_t *after = NULL;
		char wanted[64], old[64], new[64];

		snprintf(wanted, sizeof(wanted), "{\"%s\":{\"new\":1}}", roles[i]);
		snprintf(old, sizeof(old), "image/%s-1.key", roles[i]);
		snprintf(new, sizeof(new), "image/%s-%d.key", roles[i], i + 2);
		assert_int_equal(next_by_ours(f, wanted), 0);
		after = newest(f);
		for (int j = 0; j < 4; j++)
			assert_int_equal(
			    json_equal(role_of_root(before, roles[j]), role_of_root(after, roles[j])), i != j);
		assert_int_equal(json_object_size(json_object_get(after, "keys")), 4);
		assert_false(has_file(f, old));
		assert_true(has_file(f, new));
		restart(f);
		for (int j = 1; j < 4; j++)
			expect_signed(f, roles[j], i + 2);
	}
}

static void
signs_with_thresholds_of_keys_here_in_the_same_order_for_ever(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;
	json_t *signed_part = json_pack("{s:s,s:s,s:i}", "_type", "Targets", "expires", "", "version", 7);
	char expires[UTC_TEXT_SIZE];

	utc_format(utc_now() + 3600, expires);
	json_object_set_new(signed_part, "expires", json_string(expires));
	assert_int_equal(
	    next_by_ours(f, "{\"targets\":{\"new\":3,\"threshold\":2},\"root\":{\"new\":3,\"threshold\":2}}"),
	    0);
	assert_true(has_file(f, "image/targets-2.key") && has_file(f, "image/targets-2-3.key"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(f, WATCHER,
				     json_pack("{s:s,s:s,s:s,s:O}", "operation", "sign", "repository", "image",
					 "role", "targets", "signed", signed_part),
				     i ? &after : &before),
		    0);
		restart(f);
	}
	json_decref(signed_part);
	assert_string_equal(before, after);
	expect_signed(f, "targets", 8);
	/* One of three is lost: two are enough, also for the next root. */
	close_all(f);
	assert_int_equal(unlinkat(f->dir, "image/targets-2-2.key", 0), 0);
	assert_int_equal(unlinkat(f->dir, "image/root-2.key", 0), 0);
	assert_int_equal(try_open(f, utc_now()), 0);
	expect_signed(f, "targets", 9);
	assert_int_equal(next_by_ours(f, "{\"root\":{\"new\":1,\"threshold\":1}}"), 0);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 3);
}

static json_t *
begin(struct fixture *f, uid_t uid, const char *roles, bool is_preview)
{
	AUTO(free_p) char *text = NULL;
	int r = ask(f, uid,
	    json_pack("{s:s,s:s,s:o,s:b}", "operation", "begin", "repository", "image", "roles",
		json_loads(roles, 0, NULL), "preview", is_preview),
	    &text);

	assert_true(r == 0 || !text);
	return r < 0 ? NULL : json_loads(text, 0, NULL);
}

static void
shows_the_next_root_and_makes_nothing(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *shown = begin(f, 0, "{\"targets\":{\"new\":2,\"threshold\":2}}", true);
	AUTO(json_decref_p) json_t *again = begin(f, 0, "{\"targets\":{\"new\":2,\"threshold\":2}}", true);
	AUTO(json_decref_p) json_t *expected = json_loads("[\"new-targets-1\",\"new-targets-2\"]", 0, NULL);

	assert_true(json_equal(json_object_get(role_of_root(shown, "targets"), "keyids"), expected));
	assert_true(json_equal(json_object_get(shown, "keys"), json_object_get(again, "keys")));
	assert_int_equal(json_object_size(json_object_get(shown, "keys")), 5);
	assert_int_equal(json_integer_value(json_object_get(shown, "version")), 2);
	assert_false(has_file(f, "image/targets-2.key"));
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 1);
	expect_signed(f, "targets", 1);
	assert_null(begin(f, 0, "{\"snapshot\":{\"new\":1,\"threshold\":2}}", true));
	assert_reason(f->err, "role snapshot needs 2 signatures and has 1 different keys");
	assert_null(begin(f, 0, "{\"mirrors\":{\"new\":1}}", true));
	assert_reason(f->err, "no such role \"mirrors\"");
}

static void
keeps_the_keys_of_a_root_to_come_until_another_comes(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *first = begin(f, 0, "{\"targets\":{\"new\":1}}", false);
	AUTO(json_decref_p) json_t *second = NULL;
	AUTO(json_decref_p) json_t *other = NULL;

	restart(f);
	assert_true(has_file(f, "image/targets-2.key"));
	second = begin(f, 0, "{\"targets\":{\"new\":1}}", false);
	assert_true(json_equal(role_of_root(first, "targets"), role_of_root(second, "targets")));
	assert_false(has_file(f, "image/targets-2-2.key"));
	other = next_root(f);
	assert_int_equal(put_signed(f, other), 0);
	assert_false(has_file(f, "image/targets-2.key"));
}

/* The publisher has its id from the draft that others sign. */
static void
lets_nobody_delete_the_root_key_of_a_root_to_come(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *next = begin(f, 0, "{\"root\":{\"new\":1}}", false);
	const char *id =
	    json_string_value(json_array_get(json_object_get(role_of_root(next, "root"), "keyids"), 0));
	AUTO(free_p) char *refusal = NULL;

	assert_int_equal(about_key(f, "delete_key", id, &refusal), CLIENT_NO_KEY);
	assert_non_null(strstr(refusal, "it waits for the next root"));
	assert_true(has_file(f, "image/root-2.key"));
}

static void
adds_its_own_signatures_to_those_of_others(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *others = public_key_json(key_pair_public(f->root));
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *roles = NULL;
	AUTO(free_p) char *asked = NULL;
	AUTO(free_p) char *without = NULL;
	AUTO(free_p) char *with = NULL;
	AUTO(free_p) char *kept = NULL;
	AUTO(free_p) char *again = NULL;
	const struct key_pair *none[] = { NULL }, *new[] = { f->root, NULL };

	roles = json_pack("{s:{s:[O]}}", "root", "keys", others);
	asked = json_write(roles);
	root = begin(f, 0, asked, false);
	assert_non_null(root);
	without = sign_with(root, none);
	with = sign_with(root, new);
	assert_int_equal(
	    ask(f, 0, json_pack("{s:s,s:s,s:s}", "operation", "finish", "repository", "image", "root", without),
		NULL),
	    -EBADMSG);
	assert_reason(f->err, "by itself: keys of the root role: root: TUF 1.0, 5.3: 0 of 1 needed");
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    ask(f, 0,
			json_pack("{s:s,s:s,s:s}", "operation", "finish", "repository", "image", "root", with),
			i ? &again : &kept),
		    0);
	assert_string_equal(kept, again);
	assert_false(has_file(f, "image/root-1.key"));
	expect_where(f, "root", "elsewhere");
	restart(f);
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 2);
}

static void
makes_roots_for_root_of_the_machine_only(void **state)
{
	static const char *const operations[] = { "begin", "finish" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++) {
			json_t *request = json_pack("{s:s,s:s,s:s,s:{}}", "operation", operations[i],
			    "repository", "image", "root", "{}", "roles");

			assert_int_equal(ask(f, j ? WATCHER : OTAFS, request, NULL), -EACCES);
			assert_reason(f->err, "may not ask for that");
		}
}

static void
keeps_what_the_director_signs_with_online(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *key = public_key_json(key_pair_public(f->targets));
	AUTO(json_decref_p) json_t *roles = json_pack("{s:{s:[O]}}", "targets", "keys", key);

	assert_int_equal(
	    next_root_by_ours(f->keyring, REPOSITORY_DIRECTOR, roles, utc_now(), &f->err), -EBADMSG);
	assert_reason(f->err, "root: targets has to stay with the keys of ota-signd");
	assert_int_equal(next_root_by_ours(f->keyring, REPOSITORY_IMAGE, roles, utc_now(), &f->err), 0);
	assert_int_equal(can_sign(f, "targets"), CLIENT_OFFLINE);
}

/* Makes the next root of the image repository with @roles, which is taken over. */
static int
change_image(struct fixture *f, json_t *roles)
{
	int r = next_root_by_ours(f->keyring, REPOSITORY_IMAGE, roles, utc_now(), &f->err);

	json_decref(roles);
	return r;
}

/* Or both would expire before the targets are there. */
static void
keeps_snapshot_and_timestamp_while_a_root_waits_for_targets(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *key = public_key_json(key_pair_public(f->targets));

	for (enum role role = ROLE_SNAPSHOT; role < ROLE_COUNT; role++) {
		assert_int_equal(change_image(f, json_pack("{s:{s:[O]},s:{s:i}}", "targets", "keys", key,
						     role_name(role), "new", 1)),
		    -EBADMSG);
		assert_reason(f->err, "root: gives targets to keys elsewhere, and new ones to");
		assert_non_null(strstr(f->err.text, role_name(role)));
	}
	assert_int_equal(change_image(f, json_pack("{s:{s:[O]}}", "targets", "keys", key)), 0);
	assert_int_equal(
	    change_image(f, json_pack("{s:{s:i},s:{s:i}}", "snapshot", "new", 1, "timestamp", "new", 1)), 0);
	assert_int_equal(
	    change_image(f, json_pack("{s:{s:i},s:{s:i}}", "targets", "new", 1, "timestamp", "new", 1)), 0);
}

/* A snapshot that tells a root: devices have it. */
static void
publish_root(struct fixture *f, int root, int version)
{
	char expires[UTC_TEXT_SIZE];

	utc_format(utc_now() + 3600, expires);
	assert_int_equal(ask(f, WATCHER,
			     json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:i,s:{s:{s:i},s:{s:i}}}}", "operation", "sign",
				 "repository", "image", "role", "snapshot", "signed", "_type", "Snapshot",
				 "expires", expires, "version", version, "meta", "root.json", "version", root,
				 "targets.json", "version", version),
			     NULL),
	    0);
}

static json_t *
begin_snapshot(struct fixture *f)
{
	return begin(f, 0, "{\"snapshot\":{\"new\":1}}", false);
}

/* Nor in the root after that one, which waits as well. */
static void
keeps_snapshot_and_timestamp_until_a_root_that_waited_is_published(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *key = public_key_json(key_pair_public(f->targets));
	AUTO(json_decref_p) json_t *next = NULL;

	publish_root(f, 1, 1);
	assert_int_equal(change_image(f, json_pack("{s:{s:[O]}}", "targets", "keys", key)), 0);
	restart(f);
	assert_null(begin_snapshot(f));
	assert_reason(f->err, "change snapshot in a root of its own, when such targets are published");
	assert_int_equal(change_image(f, json_pack("{s:{s:i}}", "root", "new", 1)), 0);
	assert_null(begin_snapshot(f));
	publish_root(f, 3, 2);
	next = begin_snapshot(f);
	assert_non_null(next);
}

/* The targets that are there have one signature. */
static void
keeps_snapshot_and_timestamp_while_a_root_waits_for_a_second_signature(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *a = public_key_json(key_pair_public(f->targets));
	AUTO(json_decref_p) json_t *b = public_key_json(key_pair_public(f->root));
	AUTO(json_decref_p) json_t *both = json_pack("[O,O]", a, b);

	assert_int_equal(change_image(f, json_pack("{s:{s:O}}", "targets", "keys", both)), 0);
	publish_root(f, 2, 1);
	assert_int_equal(change_image(f, json_pack("{s:{s:O,s:i},s:{s:i}}", "targets", "keys", both,
					     "threshold", 2, "snapshot", "new", 1)),
	    -EBADMSG);
	assert_reason(f->err, "and snapshot expire meanwhile");
}

static void
takes_over_a_folder_from_before_roles_had_several_keys(void **state)
{
	static const char *const roles[] = { "root", "targets", "snapshot", "timestamp" };
	struct fixture *f = *state;

	close_all(f);
	for (int i = 0; i < 4; i++) {
		char new[64], old[64];

		snprintf(new, sizeof(new), "image/%s-1.key", roles[i]);
		snprintf(old, sizeof(old), "image/%s.key", roles[i]);
		assert_int_equal(renameat(f->dir, new, f->dir, old), 0);
	}
	assert_int_equal(unlinkat(f->dir, "image/keys.json", 0), 0);
	assert_int_equal(unlinkat(f->dir, "image/root.key", 0), 0);
	assert_int_equal(unlinkat(f->dir, "image/timestamp.key", 0), 0);
	{
		AUTO(json_decref_p)
		json_t *old = json_pack(
		    "{s:[s],s:[s]}", "deleted", id_of(f->ours[ROLE_ROOT]), "taken", id_of(f->ours[ROLE_ROOT]));
		AUTO(free_p) char *text = json_write(old);

		assert_int_equal(
		    file_replace(f->dir, "image/handed-out.json", text, strlen(text), 0600, &f->err), 0);
	}
	assert_int_equal(try_open(f, utc_now()), 0);
	expect_where(f, "root", "elsewhere");
	expect_where(f, "timestamp", "lost");
	expect_signed(f, "targets", 3);
	assert_true(has_file(f, "image/snapshot-1.key"));
}

/* -- faults: a restart after each leaves the old state or the new one -- */

/* Copies a folder of the keys' folder. */
static void
copy(struct fixture *f, const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && rm -rf %s && cp -a %s %s", f->path, to, from, to);
	assert_int_equal(system(command), 0);
}

static void
is_whole_after_a_restart_whatever_fails_while_a_root_is_taken(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(free_p) char *text = sign_by_both(f, root);
	int r, calls = 0, is_reached;

	copy(f, "image", "before");
	do {
		fault_after(calls++);
		r = keyring_put_root(f->keyring, REPOSITORY_IMAGE, text, strlen(text), utc_now(), &f->err);
		is_reached = fault_stop();
		restart(f);
		/* The keys go only when the root that does not name them is there for good. */
		if (keyring_root_version(f->keyring, REPOSITORY_IMAGE) == 1) {
			assert_true(r < 0);
			assert_true(has_file(f, "image/root-1.key") && has_file(f, "image/targets-1.key"));
		} else {
			assert_false(has_file(f, "image/root-1.key") || has_file(f, "image/targets-1.key"));
		}
		assert_int_equal(put(f, text), 0);
		copy(f, "before", "image");
		restart(f);
	} while (is_reached);
	assert_int_equal(r, 0);
	assert_true(calls > 20);
}

static void
is_whole_after_a_restart_whatever_fails_while_keys_are_replaced(void **state)
{
	static const char wanted[] =
	    "{\"root\":{\"new\":1},\"targets\":{\"new\":2,\"threshold\":2},\"timestamp\":{\"new\":1}}";
	struct fixture *f = *state;
	int r, calls = 0, is_reached, version = 1;

	do {
		AUTO(json_decref_p) json_t *roles = json_loads(wanted, 0, NULL);

		fault_after(calls++);
		r = next_root_by_ours(f->keyring, REPOSITORY_IMAGE, roles, utc_now(), &f->err);
		is_reached = fault_stop();
		restart(f);
		/* The old root with its keys, or the new one with its own: never one without. */
		assert_in_range(keyring_root_version(f->keyring, REPOSITORY_IMAGE), version, version + 1);
		assert_true(r < 0 || keyring_root_version(f->keyring, REPOSITORY_IMAGE) > version);
		version = keyring_root_version(f->keyring, REPOSITORY_IMAGE);
		expect_where(f, "root", "here");
		for (int i = 1; i < 4; i++)
			expect_signed(f, role_name((enum role)i), calls + 10);
	} while (is_reached);
	assert_int_equal(r, 0);
	assert_true(calls > 40);
}

static void
never_deletes_a_key_that_did_not_leave_whatever_fails(void **state)
{
	struct fixture *f = *state;
	const char *id = id_of(f->ours[ROLE_ROOT]);
	int r, calls = 0;

	do {
		AUTO(free_p) char *text = NULL;
		size_t bytes;

		allow_take(f);
		fault_after(calls++);
		r = keyring_take(f->keyring, id, &text, &bytes, &f->err);
		if (!fault_stop())
			break;
		assert_true(r == 0 || text == NULL);
		restart(f);
		assert_true(has_file(f, "image/root-1.key"));
	} while (calls < 10000);
	assert_int_equal(r, 0);
	calls = 0;
	do {
		fault_after(calls++);
		r = keyring_delete(f->keyring, id, &f->err);
		if (!fault_stop())
			break;
		restart(f);
	} while (calls < 10000);
	assert_int_equal(r, 0);
	assert_false(has_file(f, "image/root-1.key"));
}

/* -- thresholds -- */

static json_t *
rsa_public(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	json_t *json;
	char *pem;
	long n;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	n = BIO_get_mem_data(bio, &pem);
	json = json_pack("{s:s,s:{s:s#}}", "keytype", "RSA", "keyval", "public", pem, (int)n);
	BIO_free(bio);
	return json;
}

static json_t *
rsa_sign(EVP_PKEY *key, const char *id, const char *data)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char raw[256];
	size_t bytes = sizeof(raw);
	EVP_PKEY_CTX *padding;
	AUTO(free_p) char *text = NULL;

	assert_int_equal(EVP_DigestSignInit(context, &padding, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_DigestSign(context, raw, &bytes, (const unsigned char *)data, strlen(data)), 1);
	EVP_MD_CTX_free(context);
	text = digest_base64(raw, bytes);
	return json_pack("{s:s,s:s,s:s}", "keyid", id, "method", "rsassa-pss-sha256", "sig", text);
}

static void
counts_signatures_of_mixed_keys_once_for_each_key(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	AUTO(json_decref_p)
	json_t *keys = json_pack("{s:o,s:o,s:o}", "rsa", rsa_public(rsa), "one",
	    public_key_json(key_pair_public(f->root)), "two", public_key_json(key_pair_public(f->root)));
	AUTO(json_decref_p) json_t *ids = json_pack("[s,s,s]", "rsa", "one", "two");
	AUTO(json_decref_p) json_t *file = json_pack("{s:[],s:{s:i}}", "signatures", "signed", "a", 1);
	json_t *signatures = json_object_get(file, "signatures"), *signature;
	static const char data[] = "{\"a\":1}";

	for (int i = 0; i < 2; i++) {
		assert_int_equal(key_pair_sign(f->root, data, strlen(data), &signature, &f->err), 0);
		json_object_set_new(signature, "keyid", json_string(i ? "two" : "one"));
		json_array_append_new(signatures, signature);
	}
	assert_int_equal(envelope_verify_keys(file, keys, ids, 1, "doc", &f->err), 0);
	assert_int_equal(envelope_verify_keys(file, keys, ids, 2, "doc", &f->err), -EBADMSG);
	assert_reason(f->err, "doc: TUF 1.0, 5.3: 1 of 2 needed signatures are good");
	json_array_append_new(signatures, rsa_sign(rsa, "rsa", data));
	assert_int_equal(envelope_verify_keys(file, keys, ids, 2, "doc", &f->err), 0);
	json_array_append_new(signatures, rsa_sign(rsa, "stranger", data));
	assert_int_equal(envelope_verify_keys(file, keys, ids, 2, "doc", &f->err), 0);
	assert_int_equal(envelope_verify_keys(file, keys, ids, 0, "doc", &f->err), -EBADMSG);
	json_object_set_new(json_array_get(signatures, 3), "method", json_string("ecdsa"));
	assert_int_equal(envelope_verify_keys(file, keys, ids, 2, "doc", &f->err), -EBADMSG);
	assert_reason(f->err, "signature method \"ecdsa\" is unknown");
	json_array_append_new(signatures, rsa_sign(rsa, "rsa", data));
	assert_int_equal(envelope_verify_keys(file, keys, ids, 2, "doc", &f->err), -EBADMSG);
	assert_reason(f->err, "has two signatures");
	EVP_PKEY_free(rsa);
}

static void
takes_roots_with_rsa_keys_and_thresholds(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	AUTO(json_decref_p) json_t *root = next_root(f);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(json_decref_p) json_t *public = rsa_public(rsa);
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(free_p) char *canonical = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *whole = NULL;

	assert_int_equal(public_key_read(public, "rsa", &key, &f->err), 0);
	json_object_set(json_object_get(root, "keys"), public_key_id(key), public);
	json_array_append_new(
	    json_object_get(role_of_root(root, "root"), "keyids"), json_string(public_key_id(key)));
	json_object_set_new(role_of_root(root, "root"), "threshold", json_integer(2));
	text = sign_by_both(f, root);
	assert_int_equal(put(f, text), -EBADMSG);
	assert_reason(f->err, "1 of 2 needed signatures are good");
	assert_int_equal(json_read(text, strlen(text), "root", &file, &f->err), 0);
	assert_int_equal(canonical_write(root, &canonical, NULL, &f->err), 0);
	json_array_append_new(
	    json_object_get(file, "signatures"), rsa_sign(rsa, public_key_id(key), canonical));
	whole = json_write(file);
	assert_int_equal(put(f, whole), 0);
	restart(f);
	expect_signed(f, "snapshot", 2);
	EVP_PKEY_free(rsa);
}

/* With the signatures of all its keys it has more than the last one, which a part of them signed. */
static void
renews_no_root_into_one_that_devices_do_not_read(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *rsa = EVP_RSA_gen(4096);
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *public = rsa_public(rsa);
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *whole = NULL;
	struct key_pair *one;
	char id[65];

	assert_int_equal(next_by_ours(f, "{\"root\":{\"new\":20,\"threshold\":1}}"), 0);
	root = newest(f);
	json_object_set_new(root, "version", json_integer(3));
	for (int i = 0;; i++) {
		AUTO(json_decref_p) json_t *more = json_deep_copy(root);

		snprintf(id, sizeof(id), "%064d", i);
		json_object_set(json_object_get(more, "keys"), id, public);
		text = json_write(more);
		if (strlen(text) + 1000 > ROOT_BYTES_MAX)
			break;
		free(MOVE(text));
		json_object_set(json_object_get(root, "keys"), id, public);
	}
	assert_int_equal(key_pair_load(f->dir, "image/root-2.key", &one, &f->err), 0);
	whole = sign_with(root, (const struct key_pair *[]){ one, NULL });
	key_pair_free(one);
	assert_int_equal(put(f, whole), 0);
	assert_int_equal(keyring_renew(f->keyring, utc_now() + 300 * 86400LL, &f->err), -EBADMSG);
	assert_reason(f->err, "devices read 65536");
	assert_int_equal(keyring_root_version(f->keyring, REPOSITORY_IMAGE), 3);
	restart(f);
	EVP_PKEY_free(rsa);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_a_root_that_old_and_new_keys_signed_and_deletes_the_old_ones),
		TEST(takes_the_next_root_by_the_builders_key_alone),
		TEST(refuses_roots_that_would_strand_somebody),
		TEST(refuses_roots_that_not_both_signed),
		TEST(refuses_texts_that_are_no_root),
		TEST(takes_roots_of_the_image_publisher_and_hands_keys_to_it_only),
		TEST(signs_under_the_id_that_the_newest_root_gives_a_key),
		TEST(renews_a_root_from_outside_without_changing_its_keys),
		TEST(leaves_a_root_to_its_owner_when_it_is_due),
		TEST(does_not_sign_targets_that_need_more_keys_than_are_here),
		TEST(hands_the_root_key_out_once_for_each_permission),
		TEST(deletes_the_root_key_only_after_it_was_handed_out),
		TEST(goes_on_without_a_key_that_was_lost_until_it_is_replaced),
		TEST(goes_on_without_a_key_file_that_is_damaged),
		TEST(makes_nothing_without_being_asked),
		TEST(replaces_the_keys_of_each_role),
		TEST(signs_with_thresholds_of_keys_here_in_the_same_order_for_ever),
		TEST(shows_the_next_root_and_makes_nothing),
		TEST(keeps_the_keys_of_a_root_to_come_until_another_comes),
		TEST(lets_nobody_delete_the_root_key_of_a_root_to_come),
		TEST(adds_its_own_signatures_to_those_of_others),
		TEST(makes_roots_for_root_of_the_machine_only),
		TEST(keeps_what_the_director_signs_with_online),
		TEST(keeps_snapshot_and_timestamp_while_a_root_waits_for_targets),
		TEST(keeps_snapshot_and_timestamp_until_a_root_that_waited_is_published),
		TEST(keeps_snapshot_and_timestamp_while_a_root_waits_for_a_second_signature),
		TEST(takes_over_a_folder_from_before_roles_had_several_keys),
		TEST(is_whole_after_a_restart_whatever_fails_while_a_root_is_taken),
		TEST(is_whole_after_a_restart_whatever_fails_while_keys_are_replaced),
		TEST(never_deletes_a_key_that_did_not_leave_whatever_fails),
		TEST(counts_signatures_of_mixed_keys_once_for_each_key),
		TEST(takes_roots_with_rsa_keys_and_thresholds),
		TEST(renews_no_root_into_one_that_devices_do_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
