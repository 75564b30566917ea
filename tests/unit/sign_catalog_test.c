/* What the signer was shown of the image repository, and what it then lets the director name. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/catalog.h"
#include "sign/key.h"

#define NOW 1800000000
#define A1 "a100000000000000000000000000000000000000000000000000000000000000"
#define B1 "b100000000000000000000000000000000000000000000000000000000000000"

enum { TOP, ACME, SUB, OTHER, KEYS };

struct fixture {
	struct key_pair *keys[KEYS];
	struct catalog *catalog;
	json_t *roots[3]; /* envelopes of versions 1 and 2 */
	struct catalog_roots give;
};

/* -- making documents -- */

static const char *
id(const struct fixture *f, int key)
{
	return public_key_id(key_pair_public(f->keys[key]));
}

/* @signed_part is released. */
static json_t *
sign(const struct fixture *f, int key, json_t *signed_part)
{
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(canonical_write(signed_part, &canonical, &bytes, &err), 0);
	assert_int_equal(key_pair_sign(f->keys[key], canonical, bytes, &signature, &err), 0);
	return json_pack("{s:[o],s:o}", "signatures", signature, "signed", signed_part);
}

static json_t *
root_with(const struct fixture *f, int version, int key)
{
	return json_pack("{s:[],s:{s:s,s:i,s:{s:o},s:{s:{s:[s],s:i}}}}", "signatures", "signed", "_type",
	    "Root", "version", version, "keys", id(f, key), public_key_json(key_pair_public(f->keys[key])),
	    "roles", "targets", "keyids", id(f, key), "threshold", 1);
}

static json_t *
entry(const char *sha256, int length, const char *hardware)
{
	return json_pack("{s:i,s:{s:s},s:{s:[s],s:s}}", "length", length, "hashes", "sha256", sha256, "custom",
	    "hardwareIds", hardware, "targetFormat", "BINARY");
}

/* A role of a delegating document; to be joined by delegate(). */
static json_t *
role(const struct fixture *f, const char *name, int key, const char *path, bool is_terminating)
{
	return json_pack("{s:s,s:[s],s:[s],s:i,s:b}", "name", name, "keyids", id(f, key), "paths", path,
	    "threshold", 1, "terminating", is_terminating);
}

/* The "signed" part of targets; all is released. */
static json_t *
targets(const struct fixture *f, int version, int64_t expires, json_t *list, json_t *roles)
{
	AUTO(json_decref_p) json_t *keys = json_object();
	char when[UTC_TEXT_SIZE];

	for (int i = 0; i < KEYS; i++)
		json_object_set_new(keys, id(f, i), public_key_json(key_pair_public(f->keys[i])));
	utc_format(expires, when);
	return json_pack("{s:s,s:i,s:s,s:o,s:{s:O,s:o}}", "_type", "Targets", "version", version, "expires",
	    when, "targets", list, "delegations", "keys", keys, "roles", roles ? roles : json_array());
}

static int
begin(struct fixture *f, json_t *file, struct err *err)
{
	int r = catalog_begin(f->catalog, file, 1000, &f->give, err);

	json_decref(file);
	return r;
}

static int
add(struct fixture *f, const char *name, json_t *file, struct err *err)
{
	int r = catalog_add(f->catalog, name, file, 1000, err);

	json_decref(file);
	return r;
}

static void
end(struct fixture *f)
{
	struct err err = { 0 };

	assert_int_equal(catalog_end(f->catalog, &err), 0);
}

/* Asks for one target for an ECU of hardware @hardware. */
static int
ask(struct fixture *f, const char *file, const char *sha256, int length, const char *hardware, struct err *err)
{
	const struct form form = {
		.device = "car7", .targets = { { file, sha256, "BINARY", length, &hardware, 1 } }, .count = 1
	};

	return catalog_check(f->catalog, &form, NOW, err);
}

static int
read_root(void *context, int version, json_t **out, struct err *err)
{
	struct fixture *f = context;

	(void)err;
	*out = json_incref(f->roots[version]);
	return 0;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	*state = f;
	assert_int_equal(key_start(&err), 0);
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(key_pair_new(&f->keys[i], &err), 0);
	f->catalog = catalog_new();
	f->roots[1] = root_with(f, 1, TOP);
	f->roots[2] = root_with(f, 2, OTHER);
	f->give = (struct catalog_roots){ 1, 1, read_root, f };
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < KEYS; i++)
		key_pair_free(f->keys[i]);
	json_decref(f->roots[1]);
	json_decref(f->roots[2]);
	catalog_free(f->catalog);
	free(f);
	return 0;
}

/* app-1 at the top; acme/... by ACME, which delegates acme/sub/... to SUB. */
static void
show(struct fixture *f, int64_t acme_expires, bool is_terminating)
{
	struct err err = { 0 };

	assert_int_equal(begin(f,
			     sign(f, TOP,
				 targets(f, 3, NOW + 100, json_pack("{s:o}", "app-1", entry(A1, 10, "hw")),
				     json_pack("[o]", role(f, "acme", ACME, "acme/*", is_terminating)))),
			     &err),
	    0);
	assert_int_equal(
	    add(f, "acme",
		sign(f, ACME,
		    targets(f, 1, acme_expires,
			json_pack("{s:o,s:o}", "acme/x", entry(B1, 20, "hw"), "app-2", entry(A1, 10, "hw")),
			json_pack("[o]", role(f, "sub", SUB, "acme/sub/*", false)))),
		&err),
	    0);
	assert_int_equal(
	    add(f, "sub",
		sign(f, SUB,
		    targets(f, 1, NOW + 100,
			json_pack("{s:o,s:o}", "acme/sub/y", entry(B1, 20, "hw"), "acme/z", entry(A1, 1, "hw")),
			NULL)),
		&err),
	    0);
	end(f);
}

/* -- tests -- */

static void
lets_name_what_is_there_and_says_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	show(f, NOW + 100, false);
	assert_int_equal(catalog_version(f->catalog), 3);
	assert_int_equal(ask(f, "app-1", A1, 10, "hw", &err), 0);
	assert_int_equal(ask(f, "app-1", B1, 10, "hw", &err), -EPERM);
	assert_reason(err, "car7: app-1: the image repository has other content");
	assert_int_equal(ask(f, "app-1", A1, 11, "hw", &err), -EPERM);
	assert_reason(err, "car7: app-1: the image repository has another length");
	assert_int_equal(ask(f, "app-1", A1, 10, "hw-2", &err), -EPERM);
	assert_reason(err, "car7: app-1: is not for hardware id \"hw-2\" in the image repository");
	assert_int_equal(ask(f, "app-3", A1, 10, "hw", &err), -EPERM);
	assert_reason(err, "car7: app-3: is not in the image repository");
}

static void
goes_down_delegations_as_far_as_their_paths(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	show(f, NOW + 100, false);
	assert_int_equal(ask(f, "acme/x", B1, 20, "hw", &err), 0);
	assert_int_equal(ask(f, "acme/sub/y", B1, 20, "hw", &err), 0);
	assert_int_equal(ask(f, "app-2", A1, 10, "hw", &err), -EPERM);
	assert_int_equal(ask(f, "acme/z", A1, 1, "hw", &err), -EPERM);
	show(f, NOW + 100, true);
	assert_int_equal(ask(f, "acme/x", B1, 20, "hw", &err), 0);
	assert_int_equal(ask(f, "acme/sub/y", B1, 20, "hw", &err), -EPERM);
}

static void
passes_over_what_has_expired(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	show(f, NOW, false);
	assert_int_equal(ask(f, "acme/x", B1, 20, "hw", &err), -EPERM);
	assert_reason(err, "car7: acme/x: the delegation acme, which has it, has expired");
	assert_int_equal(ask(f, "acme/sub/y", B1, 20, "hw", &err), -EPERM);
	assert_int_equal(ask(f, "app-1", A1, 10, "hw", &err), 0);
}

static void
goes_five_deep_and_no_deeper(void **state)
{
	static const char *const names[] = { "targets", "d1", "d2", "d3", "d4", "d5", "d6" };
	struct fixture *f = *state;
	struct err err = { 0 };

	for (int i = 0; i <= 6; i++) {
		json_t *roles = i < 6 ? json_pack("[o]", role(f, names[i + 1], TOP, "*", false)) : NULL;
		json_t *list = json_object();

		json_object_set_new(list, names[i], entry(A1, 1, "hw"));
		list = sign(f, TOP, targets(f, 1, NOW + 100, list, roles));
		assert_int_equal(i ? add(f, names[i], list, &err) : begin(f, list, &err), 0);
	}
	end(f);
	assert_int_equal(ask(f, "d5", A1, 1, "hw", &err), 0);
	assert_int_equal(ask(f, "d6", A1, 1, "hw", &err), -EPERM);
}

static void
believes_no_document_of_another_key(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	json_t *list = json_pack("{s:o}", "acme/x", entry(B1, 20, "hw"));

	assert_int_equal(
	    begin(f, sign(f, ACME, targets(f, 3, NOW + 100, json_object(), NULL)), &err), -EBADMSG);
	assert_reason(err, "targets of the image repository: ");
	assert_int_equal(begin(f,
			     sign(f, TOP,
				 targets(f, 3, NOW + 100, json_object(),
				     json_pack("[o]", role(f, "acme", ACME, "*", false)))),
			     &err),
	    0);
	assert_int_equal(
	    add(f, "acme", sign(f, SUB, targets(f, 1, NOW + 100, json_incref(list), NULL)), &err), -EBADMSG);
	assert_reason(err, "by targets: ");
	assert_reason(err, "acme: ");
	assert_int_equal(
	    add(f, "other", sign(f, SUB, targets(f, 1, NOW + 100, json_incref(list), NULL)), &err), -EBADMSG);
	assert_reason(err, "other: nobody delegates it");
	end(f);
	assert_int_equal(ask(f, "acme/x", B1, 20, "hw", &err), -EPERM);
	json_decref(list);
}

/* The watcher takes such a name. */
static void
takes_a_delegation_whose_name_starts_with_an_underscore(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	json_t *roles = json_pack("[o]", role(f, "_acme", ACME, "acme/*", false));

	assert_int_equal(begin(f, sign(f, TOP, targets(f, 3, NOW + 100, json_object(), roles)), &err), 0);
	assert_int_equal(
	    add(f, "_acme", sign(f, ACME, targets(f, 1, NOW + 100, json_object(), NULL)), &err), 0);
	assert_int_equal(add(f, "targets", json_object(), &err), -EINVAL);
	assert_int_equal(add(f, ".acme", json_object(), &err), -EINVAL);
}

static void
never_goes_back_and_keeps_the_set_until_the_next_is_whole(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	show(f, NOW + 100, false);
	assert_int_equal(begin(f, sign(f, TOP, targets(f, 2, NOW + 100, json_object(), NULL)), &err), -ESTALE);
	assert_reason(err, "version 2 is below 3, which was shown before");
	assert_int_equal(catalog_end(f->catalog, &err), -EINVAL);
	assert_int_equal(begin(f, sign(f, TOP, targets(f, 4, NOW + 100, json_object(), NULL)), &err), 0);
	assert_int_equal(ask(f, "app-1", A1, 10, "hw", &err), 0);
	end(f);
	assert_int_equal(ask(f, "app-1", A1, 10, "hw", &err), -EPERM);
}

static void
takes_targets_under_a_root_that_is_not_the_newest_but_no_older_one_than_told(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	f->give.newest = 2;
	show(f, NOW + 100, false);
	assert_int_equal(catalog_root(f->catalog), 1);
	f->give.oldest = 2;
	assert_int_equal(begin(f, sign(f, TOP, targets(f, 4, NOW + 100, json_object(), NULL)), &err), -EBADMSG);
	assert_int_equal(begin(f, sign(f, OTHER, targets(f, 4, NOW + 100, json_object(), NULL)), &err), 0);
	end(f);
	assert_int_equal(catalog_root(f->catalog), 2);
}

static void
links_a_document_again_for_who_delegates_it_later(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	json_t *x =
	    sign(f, SUB, targets(f, 1, NOW + 100, json_pack("{s:o}", "b/x", entry(B1, 20, "hw")), NULL));

	/* "x" is delegated by the top for a/ only, and by "acme" for b/, which comes later. */
	assert_int_equal(begin(f,
			     sign(f, TOP,
				 targets(f, 3, NOW + 100, json_object(),
				     json_pack("[o,o]", role(f, "x", SUB, "a/*", false),
					 role(f, "acme", ACME, "*", false)))),
			     &err),
	    0);
	assert_int_equal(add(f, "x", json_incref(x), &err), 0);
	assert_int_equal(
	    add(f, "acme",
		sign(f, ACME,
		    targets(f, 1, NOW + 100, json_object(), json_pack("[o]", role(f, "x", SUB, "b/*", false)))),
		&err),
	    0);
	assert_int_equal(add(f, "x", json_incref(x), &err), 0);
	end(f);
	assert_int_equal(ask(f, "b/x", B1, 20, "hw", &err), 0);
	json_decref(x);
}

static void
bounds_what_is_shown(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	json_t *file = sign(f, TOP,
	    targets(f, 3, NOW + 100, json_object(), json_pack("[o]", role(f, "acme", ACME, "*", false))));
	json_t *acme = sign(f, ACME, targets(f, 1, NOW + 100, json_object(), NULL));

	assert_int_equal(catalog_begin(f->catalog, file, CATALOG_BYTES_MAX, &f->give, &err), 0);
	assert_int_equal(catalog_add(f->catalog, "acme", acme, 1, &err), -E2BIG);
	assert_reason(err, "acme: more than 67108864 bytes were shown");
	json_decref(file);
	json_decref(acme);
}

static void
holds_formats_and_every_ecu_against_it(void **state)
{
	struct fixture *f = *state;
	static const char *const both[] = { "hw", "other" };
	struct form form = {
		.device = "car7", .targets = { { "app-1", A1, "BINARY", 10, both, 1 } }, .count = 1
	};
	struct err err = { 0 };

	show(f, NOW + 100, false);
	assert_int_equal(catalog_check(f->catalog, &form, NOW, &err), 0);
	form.targets[0].ecus = 2;
	assert_int_equal(catalog_check(f->catalog, &form, NOW, &err), -EPERM);
	assert_reason(err, "car7: app-1: is not for hardware id \"other\"");
	form.targets[0] = (struct form_target){ "app-1", A1, "OSTREE", 10, both, 1 };
	assert_int_equal(catalog_check(f->catalog, &form, NOW, &err), -EPERM);
	assert_reason(err, "car7: app-1: the image repository has another targetFormat");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lets_name_what_is_there_and_says_what_does_not_fit),
		TEST(goes_down_delegations_as_far_as_their_paths),
		TEST(passes_over_what_has_expired),
		TEST(goes_five_deep_and_no_deeper),
		TEST(believes_no_document_of_another_key),
		TEST(takes_a_delegation_whose_name_starts_with_an_underscore),
		TEST(never_goes_back_and_keeps_the_set_until_the_next_is_whole),
		TEST(takes_targets_under_a_root_that_is_not_the_newest_but_no_older_one_than_told),
		TEST(links_a_document_again_for_who_delegates_it_later),
		TEST(bounds_what_is_shown),
		TEST(holds_formats_and_every_ecu_against_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
