/* Director documents: a function of the stored state, with versions that only grow. A real signer signs. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/steady.h"
#include "lib/file.h"
#include "lib/utc.h"
#include "otafs/device.h"
#include "otafs/director.h"
#include "otafs/node.h"
#include "otafs/restore.h"
#include "sign/envelope.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

#define DAY 86400

/* A clock that nobody sets, but this test. */
static int64_t steady = 1000;

int64_t
steady_seconds(void)
{
	return steady;
}

int64_t
steady_ms(void)
{
	return steady * 1000;
}

static char *
document(struct fixture *f, enum role role)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;

	fixture_load(f);
	if (director_document(&f->core, &f->device, role, &text, &bytes, &err) != 0)
		fail_msg("%s: %s", role_name(role), err.text);
	assert_int_equal(strlen(text), bytes);
	return text;
}

/* Parses the document, whose signature the newest root has to bear out. */
static json_t *
read_document(struct fixture *f, enum role role)
{
	AUTO(free_p) char *text = document(f, role);
	AUTO(json_decref_p) json_t *root = NULL;
	const char *root_text = f->core.roots.texts[f->core.roots.count - 1];
	json_t *file;
	struct err err = { 0 };

	assert_int_equal(json_read(root_text, strlen(root_text), "root", &root, &err), 0);
	assert_int_equal(json_read(text, strlen(text), "document", &file, &err), 0);
	assert_int_equal(
	    envelope_verify_role(file, json_object_get(root, "signed"), role, role_name(role), &err), 0);
	return file;
}

static int64_t
version_of(struct fixture *f)
{
	AUTO(json_decref_p) json_t *file = read_document(f, ROLE_TARGETS);
	int64_t version;
	struct err err = { 0 };

	assert_int_equal(director_version(&f->core, &f->device, &version, &err), 0);
	assert_int_equal(
	    version, json_integer_value(json_object_get(json_object_get(file, "signed"), "version")));
	return version;
}

static void
has_the_same_bytes_on_every_read_and_after_a_restart(void **state)
{
	struct fixture *f = *state;
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		AUTO(free_p) char *first = document(f, role);
		AUTO(free_p) char *again = document(f, role);
		AUTO(free_p) char *after = NULL;

		assert_string_equal(first, again);
		fixture_reopen(f);
		after = document(f, role);
		assert_string_equal(first, after);
	}
}

/* From the node id alone, for a read long after its lookup. */
static void
is_made_again_as_long_as_its_version_is_the_newest(void **state)
{
	struct fixture *f = *state;
	struct inode_id id = { .kind = INODE_DOCUMENT, .role = ROLE_SNAPSHOT };
	AUTO(free_p) char *first = document(f, ROLE_SNAPSHOT);
	AUTO(free_p) char *again = NULL;
	char *none = NULL;
	struct err err = { 0 };
	size_t bytes;

	id.number = (uint32_t)f->device.number;
	id.version = (uint32_t)version_of(f);
	assert_int_equal(director_again(&f->core, &id, &again, &bytes, &err), 0);
	assert_string_equal(again, first);
	assert_int_equal(bytes, strlen(first));
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(director_again(&f->core, &id, &none, &bytes, &err), -ENODATA);
	assert_reason(err, "it is of an older version");
	id.number++;
	assert_int_equal(director_again(&f->core, &id, &none, &bytes, &err), -ENODATA);
	assert_null(none);
}

static void
counts_versions_up_with_each_change(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct assignment *open = NULL;
	int64_t version = version_of(f), epoch, raised_at;
	struct err err = { 0 };
	struct reply reply;
	size_t count;

	assert_int_equal(state_epoch(f->core.state, &epoch, &raised_at, &err), 0);
	assert_int_equal(version, f->device.counter + epoch);
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(version_of(f), version + 1);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(version_of(f), version + 2);
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_1), &reply), 200);
	assert_int_equal(version_of(f), version + 4);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_int_equal(
	    fixture_send(
		f, fixture_manifest(f, json_object(), fixture_result(false, open[0].correlation)), &reply),
	    200);
	assert_int_equal(version_of(f), version + 6);
}

/* What gets past otafs's own look, here a length that nobody offers. */
static void
assign_what_nobody_offers(struct fixture *f)
{
	struct assignment bad = { .ecu = "prim",
		.hardware = "hw-a",
		.target = "app-1.0",
		.sha256 = APP_1,
		.length = 999,
		.format = "OSTREE",
		.correlation = "urn:here-ota:mtu:x",
		.created_at = 1 };
	struct err err = { 0 };

	assert_int_equal(state_assignment_add(f->core.state, "car7", &bad, &err), 0);
	fixture_load(f);
}

static void
ends_the_update_that_the_signer_refuses(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *empty = NULL;
	int64_t version = version_of(f);

	assign_what_nobody_offers(f);
	empty = read_document(f, ROLE_TARGETS);
	assert_int_equal(json_object_size(json_object_get(json_object_get(empty, "signed"), "targets")), 0);
	assert_true(f->core.is_forgetting_due);
	assert_int_equal(version_of(f), version + 1);
	assert_string_equal(
	    f->device.failure, "ota-signd: car7: app-1.0: the image repository has another length");
	assert_int_equal(fixture_told(f, "failed app-1.0 on ECU prim, urn:here-ota:mtu:x"), 1);
}

/* Gathers targets.json, which the signer refuses. */
static struct director_source *
refused(struct fixture *f)
{
	struct director_source *source = NULL;
	struct err err = { 0 };
	size_t bytes;
	char *text;

	assert_int_equal(director_gather(&f->core, &f->device, ROLE_TARGETS, &source, &err), 0);
	assert_int_equal(director_make(f->core.signer, source, &text, &bytes, &err), DIRECTOR_OPPOSED);
	return source;
}

/* What was refused was held against the publication before, or is another document by now. */
static void
ends_no_update_for_what_was_refused_before(void **state)
{
	struct fixture *f = *state;
	AUTO(director_discardp) struct director_source *of_before = NULL;
	AUTO(director_discardp) struct director_source *of_another = NULL;
	struct err err = { 0 };

	assign_what_nobody_offers(f);
	of_before = refused(f);
	fixture_publish(f, 2, NULL);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	assert_int_equal(director_mend(&f->core, of_before, &err), 0);
	assert_int_equal(f->core.shown, 2);
	of_another = refused(f);
	assert_int_equal(state_device_bump(f->core.state, "car7", 2, &err), 0);
	assert_int_equal(director_mend(&f->core, of_another, &err), 0);
	assert_int_equal(fixture_told(f, "failed app-1.0"), 0);
}

/* Whatever happens meanwhile: the kernel forgets the name before that is acknowledged. */
static void
is_made_of_one_moment(void **state)
{
	struct fixture *f = *state;
	AUTO(director_discardp) struct director_source *source = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *before = document(f, ROLE_TIMESTAMP);
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(director_gather(&f->core, &f->device, ROLE_TIMESTAMP, &source, &err), 0);
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(director_make(f->core.signer, source, &text, &bytes, &err), 0);
	assert_string_equal(text, before);
}

/* Another lookup, of the same device by another certificate say, can be quicker with the next version. */
static void
is_gathered_anew_when_the_signer_has_signed_a_newer_one(void **state)
{
	struct fixture *f = *state;
	AUTO(director_discardp) struct director_source *source = NULL;
	struct err err = { 0 };
	size_t bytes;
	char *text;

	fixture_load(f);
	assert_int_equal(director_gather(&f->core, &f->device, ROLE_TARGETS, &source, &err), 0);
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	version_of(f);
	assert_int_equal(director_make(f->core.signer, source, &text, &bytes, &err), DIRECTOR_OPPOSED);
	assert_int_equal(director_mend(&f->core, source, &err), 0);
}

/* The www view looks again, and finds the next version. */
static void
is_found_again_when_the_update_ended_while_it_was_made(void **state)
{
	static const char path[] = "devices/car7/0A/director/targets.json";
	struct fixture *f = *state;
	struct material material;
	struct err err = { 0 };
	struct node node;
	int64_t tag;

	assert_int_equal(state_certificate_add(f->core.state, "car7", "0A", 1, &err), 0);
	assign_what_nobody_offers(f);
	assert_int_equal(node_find(&f->core, VIEW_WWW, path, 0, &node, &err), 0);
	tag = node_tag(&node);
	assert_int_equal(node_gather(&node, &material, &err), 0);
	assert_null(material.content);
	assert_int_equal(node_build(&node, &material, &err), NODE_CHANGED);
	node_discard(&node, &material);
	assert_int_equal(node_find(&f->core, VIEW_WWW, path, 0, &node, &err), 0);
	assert_int_equal(node_tag(&node), tag + 1);
	assert_int_equal(node_gather(&node, &material, &err), 0);
	assert_int_equal(node_build(&node, &material, &err), 0);
	assert_int_equal(strlen(material.content), material.st.st_size);
	assert_non_null(strstr(material.content, "\"targets\":{}"));
	node_discard(&node, &material);
}

/* The signer is shown a publication when that is loaded, and once more when it was away then. */
static void
shows_the_signer_what_is_published(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	assert_int_equal(f->core.shown, 1);
	fixture_target(more, "late", "1.0", "OSTREE", APP_2, json_pack("[s]", "hw-a"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	assert_int_equal(f->core.shown, 1);
	assert_int_equal(fixture_assign(f, "late 1.0", &err), 0);
	json_decref(read_document(f, ROLE_TARGETS));
	assert_int_equal(f->core.shown, 2);
}

static void
names_only_ecus_that_something_is_open_for(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *empty = read_document(f, ROLE_TARGETS);
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	const json_t *body = json_object_get(empty, "signed"), *entry, *custom;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(json_object_size(json_object_get(body, "targets")), 0);
	assert_string_equal(json_text(json_object_get(body, "custom"), "deviceId"), "car7");
	assert_null(json_object_get(json_object_get(body, "custom"), "correlationId"));

	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, SEC_1, "fw-1.0", FW_1), &reply), 200);
	file = read_document(f, ROLE_TARGETS);
	body = json_object_get(file, "signed");
	assert_int_equal(json_object_size(json_object_get(body, "targets")), 1);
	entry = json_object_get(json_object_get(body, "targets"), "fw-1.0");
	custom = json_object_get(entry, "custom");
	assert_int_equal(json_integer_value(json_object_get(entry, "length")), 1000);
	assert_string_equal(json_text(json_object_get(entry, "hashes"), "sha256"), FW_1);
	assert_string_equal(json_text(custom, "targetFormat"), "BINARY");
	assert_true(json_is_null(json_object_get(custom, "uri")));
	assert_null(json_object_get(custom, "hardwareIds"));
	text = json_write(json_object_get(custom, "ecuIdentifiers"));
	assert_string_equal(text, "{\"sec-2\":{\"hardwareId\":\"hw-b\"}}");
	assert_int_equal(
	    strncmp(json_text(json_object_get(body, "custom"), "correlationId"), "urn:here-ota:mtu:", 17), 0);
}

static void
puts_ecus_that_get_the_same_file_into_one_entry(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *text = NULL;
	const json_t *targets;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "duo 1.0", &err), 0);
	file = read_document(f, ROLE_TARGETS);
	targets = json_object_get(json_object_get(file, "signed"), "targets");
	assert_int_equal(json_object_size(targets), 1);
	text = json_write(
	    json_object_get(json_object_get(json_object_get(targets, "duo-1.0"), "custom"), "ecuIdentifiers"));
	assert_string_equal(text, "{\"prim\":{\"hardwareId\":\"hw-a\"},\"sec-1\":{\"hardwareId\":\"hw-b\"},"
				  "\"sec-2\":{\"hardwareId\":\"hw-b\"}}");
}

/* Holds an entry of "meta" against the bytes it is about. */
static void
describes(const json_t *file, const char *name, const char *bytes)
{
	const json_t *entry = json_object_get(json_object_get(json_object_get(file, "signed"), "meta"), name);
	char hex[DIGEST_HEX_SIZE];

	digest_sha256_hex(bytes, strlen(bytes), hex);
	assert_string_equal(json_text(json_object_get(entry, "hashes"), "sha256"), hex);
	assert_int_equal(json_integer_value(json_object_get(entry, "length")), strlen(bytes));
}

static void
hangs_together_by_length_and_hash(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *targets = document(f, ROLE_TARGETS);
	AUTO(free_p) char *snapshot_text = document(f, ROLE_SNAPSHOT);
	AUTO(json_decref_p) json_t *snapshot = read_document(f, ROLE_SNAPSHOT);
	AUTO(json_decref_p) json_t *timestamp = read_document(f, ROLE_TIMESTAMP);

	describes(snapshot, "targets.json", targets);
	describes(snapshot, "root.json", f->core.roots.texts[f->core.roots.count - 1]);
	describes(timestamp, "snapshot.json", snapshot_text);
}

static void
is_renewed_when_half_its_life_is_over(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *file = NULL;
	int64_t version = version_of(f), now = utc_now(), expires;
	struct err err = { 0 };

	steady += 60;
	assert_int_equal(core_refresh(&f->core, now + 3 * DAY, &err), 0);
	assert_int_equal(version_of(f), version);
	assert_int_equal(core_refresh(&f->core, now + 4 * DAY - DAY / 2, &err), 0);
	fixture_load(f);
	assert_true(f->core.changes.is_all);
	/* The clock is set back: what was raised then would expire too late for the signer. */
	steady += 60;
	assert_int_equal(core_refresh(&f->core, now + 3600, &err), 0);
	assert_true(version_of(f) > version);
	file = read_document(f, ROLE_TARGETS);
	assert_int_equal(envelope_expires(json_object_get(file, "signed"), "targets", &expires, &err), 0);
	assert_int_equal(expires, now + 3600 + 7 * DAY);
}

static int64_t
epoch_of(struct fixture *f)
{
	int64_t epoch, raised_at;
	struct err err = { 0 };

	assert_int_equal(state_epoch(f->core.state, &epoch, &raised_at, &err), 0);
	return epoch;
}

static void
raises_the_epoch_at_a_pace_however_the_clock_jumps(void **state)
{
	static const int64_t jumps[] = { 10 * DAY, 0, -10 * DAY, 730 * DAY, -600, -1, 40 * DAY };
	struct fixture *f = *state;
	int64_t now = utc_now(), epoch = epoch_of(f);
	struct err err = { 0 };

	steady += 60;
	for (int i = 0; i < 70; i++)
		assert_int_equal(core_refresh(&f->core, now + jumps[i % 7], &err), 0);
	assert_int_equal(epoch_of(f), epoch + DUE_PACE_BURST);
	steady += 60;
	for (int i = 0; i < 70; i++)
		assert_int_equal(core_refresh(&f->core, now + jumps[i % 7], &err), 0);
	assert_int_equal(epoch_of(f), epoch + DUE_PACE_BURST + 1);
}

static void
stays_when_the_clock_is_set_back_a_little(void **state)
{
	struct fixture *f = *state;
	int64_t now = utc_now(), epoch = epoch_of(f);
	struct err err = { 0 };

	steady += 60;
	assert_int_equal(core_refresh(&f->core, now - 1, &err), 0);
	assert_int_equal(core_refresh(&f->core, now - 600, &err), 0);
	assert_int_equal(epoch_of(f), epoch);
}

static void
jumps_ahead_after_a_restore(void **state)
{
	struct fixture *f = *state;
	int64_t version = version_of(f), epoch = epoch_of(f);
	char path[128];
	struct err err = { 0 };

	snprintf(path, sizeof(path), "%s/" RESTORE_FILE, f->path);
	assert_int_equal(file_replace(AT_FDCWD, path, "", 0, 0600, &err), 0);
	fixture_reopen(f);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(version_of(f), version + RESTORE_JUMP);
	fixture_reopen(f);
	assert_int_equal(version_of(f), version + RESTORE_JUMP);

	/* A crash before the file is gone: once more does no harm. */
	assert_int_equal(file_replace(AT_FDCWD, path, "", 0, 0600, &err), 0);
	fixture_reopen(f);
	assert_int_equal(epoch_of(f), epoch + 2 * RESTORE_JUMP);
}

static void
tells_when_no_version_is_left(void **state)
{
	struct fixture *f = *state;
	char path[128], basis[STATE_BASIS_SIZE];
	struct err err = { 0 };

	assert_int_equal(state_basis(f->core.state, basis, &err), 0);
	assert_int_equal(
	    state_raise_epoch(f->core.state, STATE_EPOCH_MAX - epoch_of(f), utc_now(), basis, &err), 0);
	assert_true(version_of(f) > STATE_EPOCH_MAX);
	snprintf(path, sizeof(path), "%s/" RESTORE_FILE, f->path);
	assert_int_equal(file_replace(AT_FDCWD, path, "", 0, 0600, &err), 0);
	assert_int_equal(restore_follow(&f->config, f->core.state, utc_now(), &err), -EOVERFLOW);
	assert_reason(err, "restored: the epoch is 2000000000");
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(state_raise_epoch(f->core.state, 1, utc_now(), basis, &err), -EOVERFLOW);
}

static void
gets_a_new_version_when_the_lifetime_is_changed(void **state)
{
	struct fixture *f = *state;
	int64_t version = version_of(f);
	struct err err = { 0 };

	f->config.director_targets_days = 5;
	assert_int_equal(core_refresh(&f->core, utc_now(), &err), 0);
	assert_int_equal(version_of(f), version + 1);
	fixture_reopen(f);
	assert_int_equal(version_of(f), version + 1);
}

static void
goes_on_above_the_old_version_when_a_device_is_made_again(void **state)
{
	struct fixture *f = *state;
	int64_t version;
	struct err err = { 0 };

	for (int i = 0; i < 5; i++)
		assert_int_equal(fixture_assign(f, i % 2 ? "cancel" : "app 1.0", &err), 0);
	version = version_of(f);
	assert_int_equal(device_remove(&f->core, &f->device, "test", &err), 0);
	assert_int_equal(device_add(&f->core, "car7", "test", &err), 0);
	assert_true(version_of(f) > version);
}

/* The signer gets a root with another key for targets. */
static void
rotate_targets(struct fixture *f)
{
	AUTO(json_decref_p) json_t *roles = json_loads("{\"targets\":{\"new\":1}}", 0, NULL);
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *unsigned_root = NULL;
	AUTO(free_p) char *kept = NULL;
	struct err err = { 0 };

	assert_int_equal(client_begin(f->core.signer, REPOSITORY_DIRECTOR, roles, NULL, false, &root, &err), 0);
	file = json_pack("{s:[],s:O}", "signatures", "signed", root);
	unsigned_root = json_write(file);
	assert_int_equal(client_finish(f->core.signer, REPOSITORY_DIRECTOR, unsigned_root,
			     strlen(unsigned_root), &kept, NULL, &err),
	    0);
	f->core.changes.is_all = false;
}

static void
has_one_content_for_a_version_when_the_signer_has_a_new_root(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = document(f, ROLE_TARGETS);
	AUTO(free_p) char *after = NULL;
	int64_t version = version_of(f);

	if (getuid() != 0)
		skip(); /* to the signer, who asks for a root has to be root of the machine */
	rotate_targets(f);
	after = document(f, ROLE_TARGETS);
	assert_int_equal(f->core.roots.count, 2);
	/* The kernel holds the folder of the name that it looks up. */
	assert_true(f->core.is_forgetting_due && !f->core.changes.is_all);
	assert_int_equal(version_of(f), version + 1);
	assert_string_not_equal(before, after);
}

/* So that the targets which it reads next are of the root that it was told. */
static void
looks_for_a_root_when_a_device_does(void **state)
{
	struct fixture *f = *state;
	int64_t version = version_of(f);
	uint64_t woken = 0;

	if (getuid() != 0)
		skip();
	f->core.wake = eventfd(0, EFD_NONBLOCK);
	core_look_for_root(&f->core);
	assert_false(f->core.is_forgetting_due);
	rotate_targets(f);
	core_look_for_root(&f->core);
	assert_int_equal(f->core.roots.count, 1); /* it was asked just now */
	f->core.root_ask_ms = 0;
	core_look_for_root(&f->core);
	assert_int_equal(f->core.roots.count, 2);
	assert_int_equal(version_of(f), version + 1);
	assert_true(f->core.is_forgetting_due && !f->core.changes.is_all);
	assert_int_equal(read(f->core.wake, &woken, sizeof(woken)), sizeof(woken));
	close(f->core.wake);
	f->core.wake = 0;
}

static void
refuses_the_very_document_when_no_root_is_known(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	size_t bytes;
	char *text;

	assert_int_equal(director_document(&f->core, &f->device, ROLE_TARGETS, &text, &bytes, &err), -EAGAIN);
	assert_reason(err, "the director's root is not known yet: is ota-signd running?");
}

static void
foresees_the_size_within_a_few_bytes_and_never_below(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct assignment *open = NULL;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	int64_t bytes;
	size_t count;

	assert_int_equal(fixture_assign(f, "app 1.0\nfw 1.0", &err), 0);
	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	text = document(f, ROLE_TARGETS);
	bytes = director_size(&f->core, &f->device, open, count, &err);
	assert_in_range(bytes, (int64_t)strlen(text), (int64_t)strlen(text) + 100);
}

#define SIGNED(name) cmocka_unit_test_setup_teardown(name, fixture_setup_with_signer, fixture_teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SIGNED(has_the_same_bytes_on_every_read_and_after_a_restart),
		SIGNED(is_made_again_as_long_as_its_version_is_the_newest),
		SIGNED(counts_versions_up_with_each_change),
		SIGNED(ends_the_update_that_the_signer_refuses),
		SIGNED(ends_no_update_for_what_was_refused_before),
		SIGNED(is_made_of_one_moment),
		SIGNED(is_gathered_anew_when_the_signer_has_signed_a_newer_one),
		SIGNED(is_found_again_when_the_update_ended_while_it_was_made),
		SIGNED(shows_the_signer_what_is_published),
		SIGNED(names_only_ecus_that_something_is_open_for),
		SIGNED(puts_ecus_that_get_the_same_file_into_one_entry),
		SIGNED(hangs_together_by_length_and_hash),
		SIGNED(is_renewed_when_half_its_life_is_over),
		SIGNED(raises_the_epoch_at_a_pace_however_the_clock_jumps),
		SIGNED(stays_when_the_clock_is_set_back_a_little),
		SIGNED(jumps_ahead_after_a_restore),
		SIGNED(tells_when_no_version_is_left),
		SIGNED(gets_a_new_version_when_the_lifetime_is_changed),
		SIGNED(goes_on_above_the_old_version_when_a_device_is_made_again),
		SIGNED(has_one_content_for_a_version_when_the_signer_has_a_new_root),
		SIGNED(looks_for_a_root_when_a_device_does),
		TEST(refuses_the_very_document_when_no_root_is_known),
		SIGNED(foresees_the_size_within_a_few_bytes_and_never_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
