/* The image repository with a signer of its own: real keys and signatures, no socket. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/steady.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "store/image.h"
#include "store/offer.h"
#include "store/publish.h"
#include "store/tree.h"
#include "tests/unit/fault.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROOTS_MAX 16

/* -- a signer -- */

static struct {
	struct key_pair *online, *offline, *supplier;
	char *roots[ROOTS_MAX + 1];
	int newest, last[ROLE_COUNT];
	bool is_behind;  /* its clock is: it signs nothing */
	bool is_offline; /* the newest root gives targets to the offline key */
	bool is_lost;    /* the key of snapshot is */
	int rotate_at;   /* all keys are replaced after so many more signatures */
} signer;

/* NULL: a fault was injected on the way. */
static char *
seal(const json_t *signed_part, const struct key_pair *pair, size_t *bytes)
{
	AUTO(json_decref_p) json_t *list = json_array();
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	struct err err;
	size_t n;
	char *out;

	if (canonical_write(signed_part, &canonical, &n, &err) < 0 ||
	    key_pair_sign(pair, canonical, n, &signature, &err) < 0)
		return NULL;
	json_array_append_new(list, signature);
	return envelope_write(signed_part, list, &out, bytes, &err) < 0 ? NULL : out;
}

static const char *
id_of(const struct key_pair *pair)
{
	return public_key_id(key_pair_public(pair));
}

static void
make_root(bool is_offline)
{
	const char *id = id_of(signer.online), *targets = is_offline ? id_of(signer.offline) : id;
	AUTO(json_decref_p)
	json_t *root =
	    json_pack("{s:s,s:i,s:s,s:b,s:{s:o,s:o},s:{s:{s:[s],s:i},s:{s:[s],s:i},s:{s:[s],s:i},s:{s:["
		      "s],s:i}}}",
		"_type", "Root", "version", ++signer.newest, "expires", "2099-01-01T00:00:00Z",
		"consistent_snapshot", 0, "keys", id, public_key_json(key_pair_public(signer.online)),
		id_of(signer.offline), public_key_json(key_pair_public(signer.offline)), "roles", "root",
		"keyids", id, "threshold", 1, "targets", "keyids", targets, "threshold", 1, "snapshot",
		"keyids", id, "threshold", 1, "timestamp", "keyids", id, "threshold", 1);
	size_t bytes;

	assert_non_null(root);
	signer.is_offline = is_offline;
	signer.roots[signer.newest] = seal(root, signer.online, &bytes);
}

static void rotate(void);

int
client_sign(struct client *client, enum repository repository, enum role role, const json_t *signed_part,
    char **envelope, size_t *bytes, struct err *err)
{
	(void)client;
	(void)repository;
	if (role == ROLE_TARGETS && signer.is_offline)
		return err_set(err, ENOKEY, "off line");
	if (role == ROLE_SNAPSHOT && signer.is_lost)
		return err_set(err, ENOKEY, "snapshot is signed with keys that are not here");
	signer.last[role] = (int)json_integer_value(json_object_get(signed_part, "version"));
	*envelope = seal(signed_part, signer.online, bytes);
	if (signer.rotate_at && --signer.rotate_at == 0)
		rotate();
	return *envelope ? 0 : err_set(err, ENOMEM, "no memory");
}

int
client_root(struct client *client, enum repository repository, int version, char **envelope, size_t *bytes,
    struct err *err)
{
	(void)client;
	(void)repository;
	if (version > signer.newest)
		return CLIENT_NO_ROOT;
	*envelope = strdup(signer.roots[version ? version : signer.newest]);
	if (*envelope && bytes)
		*bytes = strlen(*envelope);
	return *envelope ? 0 : err_set(err, ENOMEM, "no memory");
}

int
client_last(struct client *client, enum repository repository, enum role role, int *version, struct err *err)
{
	(void)client;
	(void)repository;
	(void)err;
	*version = signer.last[role];
	return 0;
}

int
client_check_clock(struct client *client, struct err *err)
{
	(void)client;
	return signer.is_behind ? err_set(err, EAGAIN, "the clock is behind") : 0;
}

int
client_can_sign(struct client *client, enum repository repository, enum role role, struct err *err)
{
	(void)client;
	(void)repository;
	(void)err;
	return role == ROLE_TARGETS && signer.is_offline ? CLIENT_OFFLINE : 0;
}

/* Takes {"offline":true} for a root that moves targets off line. */
int
client_put_root(
    struct client *client, enum repository repository, const char *text, size_t bytes, struct err *err)
{
	(void)client;
	(void)repository;
	(void)bytes;
	if (!strstr(text, "offline"))
		return err_set(err, EBADMSG, "root: not taken");
	make_root(true);
	return 0;
}

/* -- a clock that nobody sets, but this test -- */

static int64_t steady = 1000;

int64_t
steady_seconds(void)
{
	return steady;
}

/* -- a repository -- */

struct fixture {
	char path[64], fleet[96];
	struct config config;
	struct image *image;
	int fds;
	char retired[256];
};

static void
note_retired(void *data, const char *sha256, bool is_ostree)
{
	struct fixture *f = data;

	snprintf(f->retired + strlen(f->retired), sizeof(f->retired) - strlen(f->retired), "%.4s%s ", sha256,
	    is_ostree ? "o" : "b");
}

static void
open_image(struct fixture *f)
{
	struct err err;

	if (image_start(f->path, &f->config, (struct client *)&signer, &f->image, &err) < 0)
		fail_msg("%s", err.text);
	image_on_retired(f->image, note_retired, f);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	f->fds = fault_open_fds();
	assert_int_equal(key_start(&err), 0);
	assert_int_equal(key_pair_new(&signer.online, &err), 0);
	assert_int_equal(key_pair_new(&signer.offline, &err), 0);
	assert_int_equal(key_pair_new(&signer.supplier, &err), 0);
	make_root(false);
	strcpy(f->path, "/tmp/store-image.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->config = (struct config){ .image_targets_days = 31, .snapshot_days = 7, .timestamp_days = 1 };
	snprintf(f->config.fleet, sizeof(f->config.fleet), "%s/fleet", f->path);
	open_image(f);
	assert_int_equal(image_renew(f->image, &err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	image_close(f->image);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	assert_int_equal(fault_open_fds(), f->fds);
	free(f);
	for (int i = 1; i <= signer.newest; i++)
		free(signer.roots[i]);
	key_pair_free(signer.online);
	key_pair_free(signer.offline);
	key_pair_free(signer.supplier);
	memset(&signer, 0, sizeof(signer));
	return 0;
}

static json_t *
published(struct fixture *f, const char *name)
{
	AUTO(free_p) char *text = NULL;
	char path[128];
	json_t *json;
	struct err err;
	size_t bytes;

	snprintf(path, sizeof(path), "%s/published/current/%s", f->path, name);
	if (file_read(AT_FDCWD, path, IMAGE_TARGETS_MAX, &text, &bytes, &err) < 0)
		return NULL;
	assert_int_equal(json_read(text, bytes, name, &json, &err), 0);
	return json;
}

static int
version_of(struct fixture *f, const char *name)
{
	AUTO(json_decref_p) json_t *json = published(f, name);

	return (int)json_integer_value(json_object_get(json_object_get(json, "signed"), "version"));
}

/* Everything that a client checks of a set: signatures by its root, versions, hashes over the canonical form.
 */
static void
assert_consistent(struct fixture *f)
{
	AUTO(json_decref_p) json_t *root = published(f, "root.json");
	AUTO(json_decref_p) json_t *snapshot = published(f, "snapshot.json");
	const json_t *meta = json_object_get(json_object_get(snapshot, "signed"), "meta");
	const char *name;
	json_t *entry;
	struct err err;

	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		AUTO(json_decref_p) json_t *json = NULL;
		char file[32];

		snprintf(file, sizeof(file), "%s.json", role_name(role));
		json = published(f, file);
		if (envelope_verify_role(json, json_object_get(root, "signed"), role, file, &err) < 0)
			fail_msg("%s", err.text);
	}
	json_object_foreach((json_t *)(uintptr_t)meta, name, entry)
	{
		AUTO(json_decref_p) json_t *json = published(f, name);
		AUTO(free_p) char *canonical = NULL;
		char path[96], hash[DIGEST_HEX_SIZE];
		size_t bytes;

		snprintf(path, sizeof(path), "delegations/%s", name);
		if (!json)
			json = published(f, path);
		assert_int_equal(canonical_write(json, &canonical, &bytes, &err), 0);
		digest_sha256_hex(canonical, bytes, hash);
		assert_int_equal(json_integer_value(json_object_get(entry, "version")),
		    json_integer_value(json_object_get(json_object_get(json, "signed"), "version")));
		if (strcmp(name, "root.json"))
			assert_string_equal(json_text(json_object_get(entry, "hashes"), "sha256"), hash);
	}
}

static struct release *
add(struct releases *list, const char *name, const char *version, const char *hash, bool is_binary)
{
	struct release *release = releases_add(list);

	strcpy(release->name, name);
	strcpy(release->version, version);
	strcpy(release->commit, hash);
	release->is_binary = is_binary;
	release->length = is_binary ? 20000 : 0;
	release->hardware = json_pack("[s]", "board");
	return release;
}

static int
offer(struct fixture *f, const char *name, const char *version, const char *hash, struct err *err)
{
	AUTO(releases_done) struct releases list = { 0 };
	int ignored;

	add(&list, name, version, hash, true);
	return image_publish(f->image, &list, &ignored, err);
}

static json_t *
target(struct fixture *f, const char *file)
{
	AUTO(json_decref_p) json_t *json = published(f, "targets.json");

	return json_incref(json_object_get(json_object_get(json_object_get(json, "signed"), "targets"), file));
}

static bool
is_offered(struct fixture *f, const char *file)
{
	AUTO(json_decref_p) json_t *json = target(f, file);

	return json != NULL;
}

/* fleet.json of a fleet in which one device runs @hash. */
#define RUNS(hash)                                                                                             \
	"{\"running\":[{\"sha256\":\"" hash                                                                    \
	"\",\"format\":\"BINARY\",\"hardware\":\"board\",\"devices\":1}],\"assigned\":[]}"

static void
write_fleet(struct fixture *f, const char *text)
{
	char path[128];
	struct err err;

	mkdir(f->config.fleet, 0755);
	snprintf(path, sizeof(path), "%.90s/fleet.json", f->config.fleet);
	assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
}

/* -- what is signed here -- */

static void
publishes_a_binary_as_clients_want_it(void **state)
{
	struct fixture *f = *state;
	AUTO(releases_done) struct releases list = { 0 };
	AUTO(json_decref_p) json_t *found = NULL;
	AUTO(free_p) char *text = NULL;
	struct release *release = add(&list, "fw", "1.0", HASH_A, true);
	struct err err;
	int version;

	strcpy(release->target, "dir/fw.bin");
	release->custom = json_pack("{s:s,s:i}", "team", "red", "level", 3);
	release->uri = json_string("https://cdn.example/fw");
	assert_int_equal(image_check(f->image, &list, &err), 0);
	assert_int_equal(image_publish(f->image, &list, &version, &err), 0);
	assert_int_equal(version, 2);
	assert_consistent(f);
	found = target(f, "dir/fw.bin");
	json_object_del(json_object_get(found, "custom"), "createdAt");
	json_object_del(json_object_get(found, "custom"), "updatedAt");
	text = json_write(found);
	assert_string_equal(text,
	    "{\"custom\":{\"hardwareIds\":[\"board\"],\"level\":3,\"name\":\"fw\",\"targetFormat\":\"BINARY\","
	    "\"team\":\"red\",\"uri\":\"https://cdn.example/fw\",\"version\":\"1.0\"},"
	    "\"hashes\":{\"sha256\":\"" HASH_A "\"},\"length\":20000}");
	assert_int_equal(image_publish(f->image, &list, &version, &err), IMAGE_SAME);
	strcpy(release->commit, HASH_B);
	assert_int_equal(image_check(f->image, &list, &err), DROP_BAD);
	assert_reason(err, "dir/fw.bin: was published with sha256 " HASH_A);
}

static void
assert_custom(const char *custom, const char *reason)
{
	AUTO(json_decref_p) json_t *json = json_loads(custom, 0, NULL);
	struct err err;

	assert_int_equal(offer_check_custom(json, &err), DROP_BAD);
	assert_reason(err, reason);
}

static void
refuses_members_that_are_not_the_builders(void **state)
{
	char text[OFFER_CUSTOM_MAX + 100];

	(void)state;
	assert_custom("[]", "custom is no JSON object");
	assert_custom("{\"uri\":\"x\"}", "member \"uri\" is not the builder's to set");
	assert_custom("{\"a\":[\"\\u00fc\"]}", "not all printable ASCII");
	assert_custom("{\"\\u00fc\":1}", "not all printable ASCII");
	assert_custom("{\"a\":1.5}", "a real number has no canonical form");
	assert_custom("{\"a\":[[[[[[[[1]]]]]]]]}", "nested deeper than 8");
	snprintf(text, sizeof(text), "{\"a\":\"%0*d\"}", OFFER_CUSTOM_MAX, 1);
	assert_custom(text, "at most 4096 are allowed");
}

static void
refuses_addresses_that_clients_would_choke_on(void **state)
{
	static const char *const bad[] = { "https://x/\u00e9", "https://x/\n", "https://x/a b", "ftp://x", "" };
	struct fixture *f = *state;
	struct err err;
	int ignored;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(releases_done) struct releases list = { 0 };

		add(&list, "app", "1", HASH_A, true)->uri = json_string(bad[i]);
		assert_int_equal(image_publish(f->image, &list, &ignored, &err), DROP_BAD);
		assert_reason(err, "uri is no http:// or https:// address");
	}
}

static void
goes_on_where_the_ledger_is(void **state)
{
	struct fixture *f = *state;
	struct err err;

	signer.last[ROLE_TARGETS] = 41;
	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_int_equal(version_of(f, "targets.json"), 42);
	signer.last[ROLE_TARGETS] = 0;
	assert_int_equal(offer(f, "fw", "2", HASH_A, &err), 0);
	assert_int_equal(version_of(f, "targets.json"), 43);
}

static void
waits_when_another_key_than_that_of_targets_is_missing(void **state)
{
	struct fixture *f = *state;
	struct err err;

	signer.is_lost = true;
	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), -EAGAIN);
	assert_reason(err, "sign image snapshot: snapshot is signed with keys that are not here");
	assert_false(is_offered(f, "fw-1"));
	signer.is_lost = false;
	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_true(is_offered(f, "fw-1"));
}

/* -- what leaves -- */

static void
keeps_as_many_versions_as_set_but_what_the_fleet_needs(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->config.keep_versions = 2;
	for (int i = 1; i <= 4; i++) {
		char version[16], hash[DIGEST_HEX_SIZE];

		snprintf(version, sizeof(version), "%d", i);
		snprintf(hash, sizeof(hash), "%064d", i);
		assert_int_equal(offer(f, "fw", version, hash, &err), 0);
	}
	assert_true(is_offered(f, "fw-1")); /* nobody said what the fleet needs */
	write_fleet(f, RUNS("0000000000000000000000000000000000000000000000000000000000000001"));
	assert_int_equal(offer(f, "fw", "5", HASH_B, &err), 0);
	assert_true(is_offered(f, "fw-1") && !is_offered(f, "fw-2") && !is_offered(f, "fw-3") &&
		    is_offered(f, "fw-4") && is_offered(f, "fw-5"));
	assert_string_equal(f->retired, "0000b 0000b ");
	assert_consistent(f);
}

static void
retires_what_is_asked_for_unless_it_is_assigned(void **state)
{
	struct fixture *f = *state;
	const char *files[] = { "fw-1", "none" };
	struct err err;
	int before;

	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_int_equal(offer(f, "same", "1", HASH_A, &err), 0);
	write_fleet(f, "{\"running\":[],\"assigned\":[{\"target\":\"fw-1\",\"sha256\":\"" HASH_A "\"}]}");
	assert_int_equal(image_retire(f->image, files, 2, &err), DROP_BAD);
	assert_reason(err, "fw-1: is assigned to a device");
	write_fleet(f, RUNS(HASH_A));
	assert_int_equal(image_retire(f->image, files, 2, &err), 0);
	assert_false(is_offered(f, "fw-1"));
	assert_string_equal(f->retired, ""); /* same-1 has that content */
	before = version_of(f, "targets.json");
	assert_int_equal(image_retire(f->image, files, 2, &err), 0);
	assert_int_equal(version_of(f, "targets.json"), before);
	files[0] = "same-1";
	assert_int_equal(image_retire(f->image, files, 1, &err), 0);
	assert_string_equal(f->retired, "aaaab ");
}

/* -- signed elsewhere -- */

static json_t *
targets_document(int version)
{
	return json_pack("{s:s,s:s,s:i,s:{s:{s:i,s:{s:s},s:{s:s,s:s,s:[s],s:s,s:n}}}}", "_type", "Targets",
	    "expires", "2098-01-01T00:00:00Z", "version", version, "targets", "fw-9", "length", 7, "hashes",
	    "sha256", HASH_B, "custom", "name", "fw", "version", "9", "hardwareIds", "board", "targetFormat",
	    "BINARY", "uri");
}

static void
present_checksum(struct fixture *f, char checksum[static DIGEST_HEX_SIZE])
{
	AUTO(free_p) char *text = NULL;
	struct err err;
	size_t bytes;

	assert_int_equal(image_read(f->image, NULL, &text, &bytes, checksum, &err), 0);
}

/* Pushes @document, which is released, signed by @pair. */
static int
push_targets(struct fixture *f, json_t *document, const struct key_pair *pair, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char checksum[DIGEST_HEX_SIZE];
	size_t bytes;

	text = seal(document, pair, &bytes);
	json_decref(document);
	present_checksum(f, checksum);
	return image_put_targets(f->image, text, bytes, checksum, NULL, err);
}

static void
assert_targets_refused(struct fixture *f, json_t *document, const char *reason)
{
	struct err err;
	int before = version_of(f, "targets.json");

	assert_int_equal(push_targets(f, document, signer.online, &err), DROP_BAD);
	assert_reason(err, reason);
	assert_int_equal(version_of(f, "targets.json"), before);
}

static json_t *
entry_of(json_t *document)
{
	return json_object_get(json_object_get(document, "targets"), "fw-9");
}

static void
publishes_targets_byte_for_byte(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *document = targets_document(2);
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *sealed = NULL;
	AUTO(free_p) char *pretty = NULL;
	AUTO(free_p) char *read = NULL;
	char checksum[DIGEST_HEX_SIZE];
	struct err err;
	size_t bytes;

	sealed = seal(document, signer.online, &bytes);
	json = json_loads(sealed, 0, NULL);
	pretty = json_dumps(json, JSON_INDENT(2));
	present_checksum(f, checksum);
	assert_int_equal(
	    image_put_targets(f->image, pretty, strlen(pretty), NULL, NULL, &err), IMAGE_NO_CHECKSUM);
	assert_int_equal(
	    image_put_targets(f->image, pretty, strlen(pretty), HASH_A, NULL, &err), IMAGE_OTHER_CHECKSUM);
	assert_int_equal(image_put_targets(f->image, pretty, strlen(pretty), checksum, NULL, &err), 0);
	assert_int_equal(image_read(f->image, NULL, &read, &bytes, checksum, &err), 0);
	assert_string_equal(read, pretty);
	assert_consistent(f);
	assert_int_equal(push_targets(f, targets_document(2), signer.online, &err), IMAGE_OTHER_VERSION);
	assert_reason(err, "has version 2, the next one is 3");
	assert_int_equal(push_targets(f, targets_document(4), signer.online, &err), IMAGE_OTHER_VERSION);
	assert_int_equal(offer(f, "fw", "10", HASH_A, &err), 0);
	assert_int_equal(version_of(f, "targets.json"), 3);
	assert_true(is_offered(f, "fw-9") && is_offered(f, "fw-10"));
}

static void
refuses_targets_that_clients_would_choke_on(void **state)
{
	struct fixture *f = *state;
	struct err err;
	json_t *d;

	assert_int_equal(push_targets(f, targets_document(2), signer.offline, &err), DROP_BAD);
	assert_reason(err, "0 of 1 needed signatures");
	json_object_set_new(d = targets_document(2), "_type", json_string("Snapshot"));
	assert_targets_refused(f, d, "_type is \"Snapshot\", not Targets");
	json_object_set_new(d = targets_document(2), "expires", json_string("2020-01-01T00:00:00Z"));
	assert_targets_refused(f, d, "has expired");
	json_object_set_new(entry_of(d = targets_document(2)), "length", json_string("7"));
	assert_targets_refused(f, d, "member \"length\" is missing or no integer");
	json_object_set_new(
	    json_object_get(entry_of(d = targets_document(2)), "hashes"), "sha256", json_string("AB"));
	assert_targets_refused(f, d, "fw-9: hashes.sha256 is not 64 lower-case hex digits");
	json_object_set_new(
	    json_object_get(entry_of(d = targets_document(2)), "custom"), "hardwareIds", json_array());
	assert_targets_refused(f, d, "custom.hardwareIds is missing or empty");
	json_object_del(json_object_get(entry_of(d = targets_document(2)), "custom"), "name");
	assert_targets_refused(f, d, "custom.name or custom.version is missing");
	json_object_set_new(json_object_get(entry_of(d = targets_document(2)), "custom"), "targetFormat",
	    json_string("OSTREE"));
	assert_targets_refused(f, d, "is OSTREE and has length 7");
	json_object_set_new(
	    json_object_get(entry_of(d = targets_document(2)), "custom"), "x", json_string("\u00fc"));
	assert_targets_refused(f, d, "not printable ASCII");
	json_object_set_new(d = targets_document(2), "delegations", json_object());
	assert_targets_refused(f, d, "delegations are no");
	assert_int_equal(offer(f, "fw", "9", HASH_A, &err), 0);
	assert_targets_refused(f, targets_document(3), "fw-9: was published with sha256 " HASH_A);
}

/* What was asked of a judge: "fw-9 old new" and so on. */
static char asked[256];

static int
note_and_answer(const char *file, const json_t *before, const json_t *after, void *answer, struct err *err)
{
	size_t used = strlen(asked);

	snprintf(asked + used, sizeof(asked) - used, "%s%s%s;", file ? file : "trust", before ? " old" : "",
	    after ? " new" : "");
	err_set(err, EACCES, "the judge is against it");
	return *(int *)answer;
}

static int
push_judged(struct fixture *f, json_t *document, int answer, struct err *err)
{
	const struct image_judge judge = { note_and_answer, &answer };
	AUTO(free_p) char *text = NULL;
	char checksum[DIGEST_HEX_SIZE];
	size_t bytes;

	*asked = '\0';
	text = seal(document, signer.online, &bytes);
	json_decref(document);
	present_checksum(f, checksum);
	return image_put_targets(f->image, text, bytes, checksum, &judge, err);
}

static void
asks_the_judge_about_each_change_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct err err;
	json_t *d;

	assert_int_equal(push_judged(f, targets_document(2), 77, &err), 77);
	assert_string_equal(asked, "fw-9 new;");
	assert_reason(err, "the judge is against it");
	assert_int_equal(version_of(f, "targets.json"), 1);
	assert_int_equal(push_judged(f, targets_document(2), 0, &err), 0);
	assert_int_equal(push_judged(f, targets_document(3), 77, &err), 0);
	assert_string_equal(asked, "");
	json_object_set_new(
	    json_object_get(entry_of(d = targets_document(4)), "custom"), "uri", json_string("https://x/y"));
	assert_int_equal(push_judged(f, d, 0, &err), 0);
	assert_string_equal(asked, "fw-9 old new;");
	json_object_clear(json_object_get(d = targets_document(5), "targets"));
	assert_int_equal(push_judged(f, d, 77, &err), 77);
	assert_string_equal(asked, "fw-9 old;");
	assert_int_equal(version_of(f, "targets.json"), 4);
}

static void
holds_a_root_back_until_targets_fit_it(void **state)
{
	struct fixture *f = *state;
	const char *file = "fw-1", *root = "{\"offline\":true}";
	struct err err;
	int timestamp;

	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_int_equal(image_put_root(f->image, "{}", 2, &err), DROP_BAD);
	assert_int_equal(image_put_root(f->image, root, strlen(root), &err), IMAGE_HELD_BACK);
	assert_reason(
	    err, "root 2 is held back until targets.json of version 3 arrives, signed by 1 of the keys [\"");
	assert_non_null(strstr(err.text, id_of(signer.offline)));
	assert_reason(err, "devices have root 1 till then");
	assert_int_equal(version_of(f, "root.json"), 1);
	assert_consistent(f);
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_int_equal(offer(f, "fw", "2", HASH_A, &err), -ENOKEY);
	assert_reason(err, "garage-sign");
	assert_int_equal(image_retire(f->image, &file, 1, &err), -ENOKEY);

	/* What is signed here goes on, with its own life. */
	f->config.timestamp_days = 10;
	steady += 60;
	timestamp = version_of(f, "timestamp.json");
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_int_equal(version_of(f, "timestamp.json"), timestamp + 1);
	assert_int_equal(version_of(f, "targets.json"), 2);
	assert_int_equal(version_of(f, "root.json"), 1);
	assert_consistent(f);

	assert_int_equal(push_targets(f, targets_document(3), signer.online, &err), DROP_BAD);
	assert_int_equal(push_targets(f, targets_document(3), signer.offline, &err), 0);
	assert_int_equal(version_of(f, "root.json"), 2);
	assert_consistent(f);

	image_close(f->image);
	open_image(f);
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_int_equal(push_targets(f, targets_document(4), signer.offline, &err), 0);
}

/* As they come out of the spool: nothing but their version says what they are to follow. */
static void
takes_the_next_targets_once(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *second = targets_document(2), *fourth = targets_document(4);
	AUTO(free_p) char *next = NULL, *far = NULL;
	size_t bytes, far_bytes;
	struct err err;
	int version;

	next = seal(second, signer.online, &bytes);
	far = seal(fourth, signer.online, &far_bytes);
	assert_int_equal(image_put_next_targets(f->image, far, far_bytes, &version, &err), IMAGE_OTHER_VERSION);
	assert_reason(err, "targets.json: has version 4, the next one is 2");
	assert_int_equal(image_put_next_targets(f->image, next, bytes, &version, &err), 0);
	assert_int_equal(version, 2);
	assert_consistent(f);
	assert_int_equal(image_put_next_targets(f->image, next, bytes, &version, &err), IMAGE_SAME);
	assert_int_equal(version_of(f, "targets.json"), 2);
	assert_int_equal(offer(f, "fw", "10", HASH_A, &err), 0);
	assert_int_equal(image_put_next_targets(f->image, next, bytes, &version, &err), IMAGE_OTHER_VERSION);
	assert_reason(err, "targets.json: has version 2, the next one is 4");
}

static int64_t
life_of(struct fixture *f, const char *name)
{
	AUTO(json_decref_p) json_t *json = published(f, name);
	int64_t expires;
	struct err err;

	assert_int_equal(envelope_expires(json_object_get(json, "signed"), name, &expires, &err), 0);
	return expires - utc_now();
}

/* Targets that live until 2098 must not hand that on: who stole a snapshot could freeze devices as long. */
static void
gives_snapshot_and_timestamp_lives_of_their_own(void **state)
{
	struct fixture *f = *state;
	const char *root = "{\"offline\":true}";
	char warning[IMAGE_WARNING_SIZE];
	struct err err;

	assert_int_equal(image_put_root(f->image, root, strlen(root), &err), IMAGE_HELD_BACK);
	assert_int_equal(push_targets(f, targets_document(2), signer.offline, &err), 0);
	assert_true(life_of(f, "targets.json") > 365 * 86400);
	for (int i = 0; i < 2; i++) {
		assert_true(life_of(f, "snapshot.json") <= 7 * 86400);
		assert_true(life_of(f, "timestamp.json") <= 86400);
		f->config.timestamp_days = 1 + 2 * i;
		steady += 60;
		assert_int_equal(image_renew(f->image, &err), i ? 0 : IMAGE_FRESH);
	}
	assert_int_equal(version_of(f, "targets.json"), 2);
	assert_false(image_warning(f->image, warning));
}

/* A new key for everything that is signed here, in a new root. */
static void
rotate(void)
{
	key_pair_free(signer.online);
	signer.online = NULL;
	assert_int_equal(key_pair_new(&signer.online, &(struct err){ 0 }), 0);
	make_root(signer.is_offline);
}

static void
signs_all_anew_when_keys_were_rotated(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_int_equal(image_look_for_root(f->image, &err), IMAGE_FRESH);
	rotate();
	rotate();
	assert_int_equal(image_look_for_root(f->image, &err), 0);
	assert_int_equal(version_of(f, "root.json"), 1);
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_int_equal(image_look_for_root(f->image, &err), IMAGE_FRESH);
	assert_int_equal(version_of(f, "root.json"), 3);
	assert_int_equal(version_of(f, "targets.json"), 3);
	assert_consistent(f);
	assert_true(is_offered(f, "fw-1"));
}

/* A try a minute, but the reason stays. */
static void
says_why_it_cannot_renew_until_it_can(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->config.timestamp_days = 10;
	steady += 60;
	signer.rotate_at = 1;
	assert_int_equal(image_renew(f->image, &err), -EAGAIN);
	memset(&err, 0, sizeof(err));
	signer.newest--; /* ota-signd was restored from a backup: the root is the published one */
	assert_int_equal(image_renew(f->image, &err), -EAGAIN);
	assert_reason(err, "the keys of ota-signd are not those of root 1");
	free(signer.roots[++signer.newest]);
	signer.newest--;
	rotate();
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_consistent(f);
}

/* What is held back is looked at once, not every second. */
static void
looks_at_a_root_once(void **state)
{
	struct fixture *f = *state;
	struct err err;

	make_root(true);
	assert_int_equal(image_look_for_root(f->image, &err), 0);
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_int_equal(image_look_for_root(f->image, &err), IMAGE_FRESH);
	assert_int_equal(version_of(f, "root.json"), 1);
}

/* Half of a set under the old keys would be refused by every device. */
static void
publishes_nothing_when_keys_change_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct err err;

	/* After targets, and after snapshot. */
	for (int i = 1; i <= 2; i++) {
		signer.rotate_at = i;
		assert_int_equal(offer(f, "fw", "1", HASH_A, &err), -EAGAIN);
		assert_int_equal(version_of(f, "root.json"), 2 * i - 1);
		assert_consistent(f);
		rotate();
		assert_int_equal(image_renew(f->image, &err), 0);
		assert_int_equal(version_of(f, "root.json"), 2 * i + 1);
		assert_consistent(f);
	}
	assert_int_equal(offer(f, "fw", "1", HASH_A, &err), 0);
	assert_consistent(f);
}

static void
warns_of_targets_that_expire_elsewhere(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	char warning[IMAGE_WARNING_SIZE], expires[UTC_TEXT_SIZE], path[128];
	const char *root = "{\"offline\":true}";
	json_t *document = targets_document(2);
	struct err err;
	size_t bytes;

	utc_format(utc_now() + 2, expires);
	json_object_set_new(document, "expires", json_string(expires));
	assert_int_equal(image_put_root(f->image, root, strlen(root), &err), IMAGE_HELD_BACK);
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_int_equal(push_targets(f, document, signer.offline, &err), 0);
	assert_true(image_warning(f->image, warning));
	assert_non_null(strstr(warning, "targets.json expires 20"));
	assert_non_null(strstr(warning, "the holders of its keys have to sign it anew"));
	while (life_of(f, "targets.json") >= 0)
		usleep(100000);

	/* It is served on, and what is signed here goes on. */
	f->config.timestamp_days = 10;
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_consistent(f);
	assert_true(image_warning(f->image, warning));
	assert_non_null(strstr(warning, "targets.json has expired at 20"));
	snprintf(path, sizeof(path), "%s/report/limits", f->path);
	assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &bytes, &err), 0);
	assert_non_null(strstr(text, "warning: it has expired; devices take no updates then"));
}

/* -- time -- */

/* What a clock that is wrong does to the age of a document, a lifetime that is set does as well. */
static void
renews_what_was_signed_while_the_clock_was_ahead(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->config.timestamp_days = 10;
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), 0);
	f->config.timestamp_days = 9; /* the day that the signer grants */
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	f->config.timestamp_days = 8;
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_int_equal(version_of(f, "timestamp.json"), 3);
	assert_int_equal(version_of(f, "targets.json"), 1);
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_consistent(f);
}

static void
renews_at_a_pace_however_the_clock_jumps(void **state)
{
	struct fixture *f = *state;
	struct err err;

	steady += 60;
	for (int i = 0; i < 20; i++) {
		f->config.timestamp_days = i % 2 ? 1 : 10;
		assert_int_equal(image_renew(f->image, &err), i < DUE_PACE_BURST ? 0 : IMAGE_FRESH);
	}
	assert_int_equal(version_of(f, "timestamp.json"), 1 + DUE_PACE_BURST);
	steady += 60;
	f->config.timestamp_days = 1;
	assert_int_equal(image_renew(f->image, &err), 0);
	f->config.timestamp_days = 10;
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
	assert_int_equal(version_of(f, "timestamp.json"), 2 + DUE_PACE_BURST);
}

static void
waits_for_the_signers_clock_without_trying(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->config.timestamp_days = 10;
	steady += 600;
	signer.is_behind = true;
	for (int i = 0; i < 2 * DUE_PACE_BURST; i++)
		assert_int_equal(image_renew(f->image, &err), -EAGAIN);
	signer.is_behind = false;
	assert_int_equal(image_renew(f->image, &err), 0);
	assert_int_equal(version_of(f, "timestamp.json"), 2);
}

static void
publishes_anew_when_the_ledger_has_jumped(void **state)
{
	static const char *const names[] = { "targets.json", "snapshot.json", "timestamp.json" };
	struct fixture *f = *state;
	struct err err;

	for (int role = 0; role < ROLE_COUNT; role++)
		signer.last[role] += 100000;
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(version_of(f, names[i]), 100002);
	assert_consistent(f);
	steady += 60;
	assert_int_equal(image_renew(f->image, &err), IMAGE_FRESH);
}

/* -- delegations -- */

static json_t *
role_of_supplier(const char *name, const char *path)
{
	return json_pack(
	    "{s:s,s:[s],s:[s],s:i}", "name", name, "keyids", "any-id", "paths", path, "threshold", 1);
}

/* Takes over @roles; the key has an id that its supplier's tool made in its own way. */
static json_t *
trust_of(json_t *roles)
{
	return json_pack("{s:{s:o},s:o}", "keys", "any-id", public_key_json(key_pair_public(signer.supplier)),
	    "roles", roles);
}

static int
put_trust(struct fixture *f, json_t *roles, struct err *err)
{
	AUTO(json_decref_p) json_t *trust = trust_of(roles);

	return image_put_trust(f->image, trust, err);
}

static json_t *
delegation(int version, const char *file)
{
	json_t *document = targets_document(version), *targets = json_object_get(document, "targets");

	json_object_set(targets, file, json_object_get(targets, "fw-9"));
	if (strcmp(file, "fw-9"))
		json_object_del(targets, "fw-9");
	return document;
}

static int
push(struct fixture *f, const char *name, json_t *document, const struct key_pair *pair, struct err *err)
{
	AUTO(json_decref_p) json_t *list = json_array();
	AUTO(free_p) char *canonical = NULL;
	AUTO(free_p) char *text = NULL;
	json_t *signature;
	size_t bytes;

	assert_int_equal(canonical_write(document, &canonical, &bytes, err), 0);
	assert_int_equal(key_pair_sign(pair, canonical, bytes, &signature, err), 0);
	json_object_set_new(signature, "keyid", json_string("any-id"));
	json_array_append_new(list, signature);
	assert_int_equal(envelope_write(document, list, &text, &bytes, err), 0);
	json_decref(document);
	return image_put_delegation(f->image, name, text, bytes, NULL, err);
}

static int
count_one(const char *file, const json_t *one, void *data, struct err *err)
{
	(void)file;
	(void)one;
	(void)err;
	++*(int *)data;
	return 0;
}

static void
publishes_what_suppliers_sign(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *trust = NULL;
	AUTO(json_decref_p) json_t *snapshot = NULL;
	struct err err;
	int count = 0;

	assert_int_equal(
	    put_trust(
		f, json_pack("[o,o]", role_of_supplier("never", "n/*"), role_of_supplier("sup", "fw-*")), &err),
	    0);
	trust = image_trust(f->image);
	assert_true(
	    json_is_false(json_object_get(json_array_get(json_object_get(trust, "roles"), 0), "terminating")));
	assert_int_equal(push(f, "sup", delegation(5, "fw-9"), signer.supplier, &err), 0);
	assert_consistent(f);
	snapshot = published(f, "snapshot.json");
	assert_int_equal(json_object_size(json_object_get(json_object_get(snapshot, "signed"), "meta")), 3);
	assert_int_equal(image_each(f->image, count_one, &count, &err), 0);
	assert_int_equal(count, 1);

	/* The same once more is done; less and other is not. */
	assert_int_equal(push(f, "sup", delegation(5, "fw-9"), signer.supplier, &err), 0);
	assert_int_equal(push(f, "sup", delegation(4, "fw-9"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "has version 4, it has to be above 5");
	assert_int_equal(push(f, "sup", delegation(6, "other"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "may not offer the file name \"other\"");
	assert_int_equal(push(f, "sup", delegation(6, "fw-9"), signer.online, &err), DROP_BAD);
	assert_reason(err, "0 of 1 needed signatures");
	assert_int_equal(push(f, "nobody", delegation(6, "fw-9"), signer.supplier, &err), IMAGE_NO_DELEGATION);
	assert_int_equal(offer(f, "fw", "8", HASH_A, &err), 0);
	assert_int_equal(push(f, "sup", delegation(6, "fw-8"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "fw-8: was published with sha256");
	assert_int_equal(version_of(f, "delegations/sup.json"), 5);

	/* Who is not trusted any more stays in the snapshot, and is not offered. */
	assert_int_equal(put_trust(f, json_array(), &err), 0);
	assert_int_equal(version_of(f, "delegations/sup.json"), 5);
	assert_consistent(f);
	count = 0;
	assert_int_equal(image_each(f->image, count_one, &count, &err), 0);
	assert_int_equal(count, 1);
	image_close(f->image);
	open_image(f);
	assert_int_equal(put_trust(f, json_pack("[o]", role_of_supplier("sup", "fw-*")), &err), 0);
	assert_int_equal(push(f, "sup", delegation(5, "fw-7"), signer.supplier, &err), DROP_BAD);
}

static void
follows_delegations_of_delegations(void **state)
{
	struct fixture *f = *state;
	json_t *document = delegation(1, "fw-9");
	struct err err;

	assert_int_equal(
	    put_trust(
		f, json_pack("[o,o]", role_of_supplier("sup", "fw-*"), role_of_supplier("two", "x*")), &err),
	    0);
	json_object_set_new(document, "delegations", trust_of(json_pack("[o]", role_of_supplier("sub", "*"))));
	assert_int_equal(push(f, "sub", delegation(1, "fw-3"), signer.supplier, &err), IMAGE_NO_DELEGATION);
	assert_int_equal(push(f, "sup", document, signer.supplier, &err), 0);
	assert_int_equal(push(f, "sub", delegation(1, "x-3"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "delegation sub: may not offer the file name \"x-3\"");
	assert_int_equal(push(f, "sub", delegation(1, "fw-3"), signer.supplier, &err), 0);
	assert_consistent(f);

	/* Nobody takes another's name. */
	document = delegation(1, "x-1");
	json_object_set_new(document, "delegations", trust_of(json_pack("[o]", role_of_supplier("sup", "*"))));
	assert_int_equal(push(f, "two", document, signer.supplier, &err), DROP_BAD);
	assert_reason(err, "delegates the name sup, which another has given already");
}

static json_t *
delegation_of(int version, const char *file, const char *package)
{
	json_t *document = delegation(version, file);
	json_t *target = json_object_get(json_object_get(document, "targets"), file);

	json_object_set_new(json_object_get(target, "custom"), "name", json_string(package));
	return document;
}

static void
lets_nobody_add_to_what_another_offers(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(
	    put_trust(
		f, json_pack("[o,o]", role_of_supplier("sup", "fw-*"), role_of_supplier("two", "x-*")), &err),
	    0);
	assert_int_equal(offer(f, "app", "1", HASH_A, &err), 0);
	assert_int_equal(push(f, "sup", delegation_of(1, "fw-1", "app"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "delegation sup: fw-1: package app is of targets.json");
	assert_int_equal(push(f, "sup", delegation_of(1, "fw-1", "fw"), signer.supplier, &err), 0);
	assert_int_equal(push(f, "two", delegation_of(1, "x-1", "fw"), signer.supplier, &err), DROP_BAD);
	assert_reason(err, "delegation two: x-1: package fw is of sup");
	assert_int_equal(push(f, "sup", delegation_of(2, "fw-2", "fw"), signer.supplier, &err), 0);

	/* Devices look into targets.json first. */
	assert_int_equal(offer(f, "fw", "2", HASH_A, &err), DROP_BAD);
	assert_reason(err, "fw-2: delegation sup offers other content under this file name");
}

static void
assert_trust_refused(struct fixture *f, json_t *role, const char *reason)
{
	struct err err;

	assert_int_equal(put_trust(f, json_pack("[o]", role), &err), DROP_BAD);
	assert_reason(err, reason);
}

static void
refuses_trust_that_clients_would_choke_on(void **state)
{
	struct fixture *f = *state;
	struct err err;
	json_t *r;

	assert_trust_refused(f, role_of_supplier("targets", "*"),
	    "delegation 1: delegation \"targets\": a delegation's name is no role's");
	assert_trust_refused(
	    f, role_of_supplier("a/b", "*"), "delegation \"a/b\": character 2 (0x2f) is not allowed there");
	assert_trust_refused(
	    f, role_of_supplier(".a", "*"), "delegation \".a\": character 1 (0x2e) is not allowed there");
	assert_trust_refused(f, role_of_supplier("s", "../x"), "path 1 is no text");
	json_object_set_new(r = role_of_supplier("s", "*"), "threshold", json_integer(2));
	assert_trust_refused(f, r, "threshold is 2, with 1 keys it can be 1 to 1");
	json_object_set_new(r = role_of_supplier("s", "*"), "keyids", json_pack("[s]", "other"));
	assert_trust_refused(f, r, "key id other is not among the keys");
	json_object_set_new(r = role_of_supplier("s", "*"), "path_hash_prefixes", json_array());
	assert_trust_refused(f, r, "path_hash_prefixes are not known to clients");
	assert_int_equal(
	    put_trust(f, json_pack("[o,o]", role_of_supplier("s", "*"), role_of_supplier("s", "*")), &err),
	    DROP_BAD);
	assert_reason(err, "delegation s: is there twice");
}

static void
reports_limits_in_words(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	char path[128];
	struct err err;
	size_t bytes;

	snprintf(path, sizeof(path), "%s/report/limits", f->path);
	assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &bytes, &err), 0);
	assert_non_null(strstr(text, "of 8388608 bytes, ok\n"));
	assert_non_null(strstr(text, "of 65536 bytes, ok\n"));
	assert_non_null(strstr(text, "targets.json: expires 20"));
}

static void
keeps_a_consistent_set_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int is_reached = 1, r;
	struct err err;

	assert_int_equal(put_trust(f, json_pack("[o]", role_of_supplier("sup", "fw-*")), &err), 0);
	assert_int_equal(push(f, "sup", delegation(1, "fw-9"), signer.supplier, &err), 0);
	for (int i = 0; is_reached && i < 400; i += 7) {
		struct releases list = { 0 };
		char version[16];
		int ignored;

		snprintf(version, sizeof(version), "1.%d", i);
		add(&list, "app", version, HASH_A, false);
		fault_after(i);
		r = image_publish(f->image, &list, &ignored, &err);
		is_reached = fault_stop();
		if (r)
			assert_int_equal(r, -err.code);
		assert_consistent(f);
		releases_done(&list);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(publishes_a_binary_as_clients_want_it),
		cmocka_unit_test(refuses_members_that_are_not_the_builders),
		TEST(refuses_addresses_that_clients_would_choke_on),
		TEST(goes_on_where_the_ledger_is),
		TEST(waits_when_another_key_than_that_of_targets_is_missing),
		TEST(keeps_as_many_versions_as_set_but_what_the_fleet_needs),
		TEST(retires_what_is_asked_for_unless_it_is_assigned),
		TEST(publishes_targets_byte_for_byte),
		TEST(refuses_targets_that_clients_would_choke_on),
		TEST(asks_the_judge_about_each_change_and_no_other),
		TEST(holds_a_root_back_until_targets_fit_it),
		TEST(takes_the_next_targets_once),
		TEST(gives_snapshot_and_timestamp_lives_of_their_own),
		TEST(signs_all_anew_when_keys_were_rotated),
		TEST(looks_at_a_root_once),
		TEST(says_why_it_cannot_renew_until_it_can),
		TEST(publishes_nothing_when_keys_change_meanwhile),
		TEST(warns_of_targets_that_expire_elsewhere),
		TEST(renews_what_was_signed_while_the_clock_was_ahead),
		TEST(renews_at_a_pace_however_the_clock_jumps),
		TEST(waits_for_the_signers_clock_without_trying),
		TEST(publishes_anew_when_the_ledger_has_jumped),
		TEST(publishes_what_suppliers_sign),
		TEST(follows_delegations_of_delegations),
		TEST(lets_nobody_add_to_what_another_offers),
		TEST(refuses_trust_that_clients_would_choke_on),
		TEST(reports_limits_in_words),
		TEST(keeps_a_consistent_set_whatever_fails),
	};

	return cmocka_run_group_tests_name("store/image", tests, NULL, NULL);
}
