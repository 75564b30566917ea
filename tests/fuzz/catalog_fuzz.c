/*
 * What a captured otafs may show and ask for. Lines of the input: the "signed" part of targets.json; then for
 * each delegated document its name, a space and its "signed" part; the last line is that of a director's
 * targets. They are signed here, with a key for the top and one for all delegations. What is let through was
 * offered by one of them, to the byte.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/catalog.h"
#include "sign/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Some day in 2026. */
#define NOW 1790000000
#define LINES_MAX 8

enum { TOP, DELEGATED, KEYS };

static struct key_pair *keys[KEYS];
static json_t *root;

/* Seeds of one byte each, so that the corpus can name the keys. */
static void
start(void)
{
	struct err err;

	assert(key_start(&err) == 0);
	for (int i = 0; i < KEYS; i++) {
		unsigned char seed[KEY_SEED_BYTES];

		memset(seed, i + 1, sizeof(seed));
		assert(key_pair_from_seed(seed, &keys[i], &err) == 0);
	}
	root = json_pack("{s:[],s:{s:s,s:i,s:{s:o},s:{s:{s:[s],s:i}}}}", "signatures", "signed", "_type",
	    "Root", "version", 1, "keys", "top", public_key_json(key_pair_public(keys[TOP])), "roles",
	    "targets", "keyids", "top", "threshold", 1);
	assert(root);
}

static int
read_root(void *context, int version, json_t **envelope, struct err *err)
{
	(void)context;
	(void)err;
	assert(version == 1);
	*envelope = json_incref(root);
	return 0;
}

/* The envelope of @signed_part; NULL if it has no canonical form. */
static json_t *
sign(const json_t *signed_part, int key)
{
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	struct err err;
	size_t bytes;

	if (canonical_write(signed_part, &canonical, &bytes, &err) < 0)
		return NULL;
	assert(key_pair_sign(keys[key], canonical, bytes, &signature, &err) == 0);
	json_object_set_new(signature, "keyid", json_string(key == TOP ? "top" : "delegated"));
	return json_pack("{s:[o],s:O}", "signatures", signature, "signed", signed_part);
}

/* Whether a list holds all values of another. */
static bool
offers(const json_t *offered, const json_t *wanted)
{
	const json_t *ecus = json_object_get(json_object_get(wanted, "custom"), "ecuIdentifiers"), *ecu;
	const json_t *hardware = json_object_get(json_object_get(offered, "custom"), "hardwareIds");
	const char *serial;

	if (!json_equal(json_object_get(offered, "length"), json_object_get(wanted, "length")) ||
	    strcmp(json_text(json_object_get(offered, "hashes"), "sha256") ?: "",
		json_text(json_object_get(wanted, "hashes"), "sha256") ?: ""))
		return false;
	json_object_foreach((json_t *)(uintptr_t)ecus, serial, ecu)
	{
		bool is_there = false;

		for (size_t i = 0; i < json_array_size(hardware); i++)
			is_there |= json_equal(json_array_get(hardware, i), json_object_get(ecu, "hardwareId"));
		if (!is_there)
			return false;
	}
	return true;
}

/* Each target that the director may name is in one of the documents that were shown. */
static void
check_offered(json_t *const *shown, int count, const json_t *director)
{
	const char *name;
	json_t *wanted;

	json_object_foreach(json_object_get(director, "targets"), name, wanted)
	{
		bool is_offered = false;

		for (int i = 0; i < count; i++)
			is_offered |=
			    offers(json_object_get(json_object_get(shown[i], "targets"), name), wanted);
		assert(is_offered);
	}
	assert(json_object_size(json_object_get(json_object_get(director, "delegations"), "roles")) == 0);
}

/* Shows @line, the first or a later one; false when it was refused. */
static bool
show(struct catalog *catalog, bool is_first, char *line, json_t **signed_part)
{
	static const struct catalog_roots roots = { 1, 1, read_root, NULL };
	char *text = is_first ? line : strchr(line, ' ');
	AUTO(json_decref_p) json_t *file = NULL;
	struct err err = { 0 };
	size_t bytes;
	int r;

	if (!text || json_read(text, strlen(text), "line", signed_part, &err) < 0 ||
	    !(file = sign(*signed_part, is_first ? TOP : DELEGATED)))
		return false;
	bytes = strlen(text);
	if (!is_first)
		*text = '\0';
	r = is_first ? catalog_begin(catalog, file, bytes, &roots, &err)
		     : catalog_add(catalog, line, file, bytes, &err);
	assert(r == 0 || *err.text);
	return r == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(free_p) char *text = strndup((const char *)data, bytes);
	AUTO(catalog_freep) struct catalog *catalog = NULL;
	AUTO(json_decref_p) json_t *director = NULL;
	json_t *shown[LINES_MAX] = { NULL };
	char *lines[LINES_MAX + 1], *rest = text;
	static struct form form;
	struct err err = { 0 };
	int count = 0, good = 0;

	if (!root)
		start();
	catalog = catalog_new();
	while (count <= LINES_MAX && (lines[count] = strsep(&rest, "\n")))
		count++;
	for (int i = 0; i < count - 1; i++) {
		bool is_shown = show(catalog, i == 0, lines[i], &shown[good]);

		good += is_shown;
		if (!is_shown) {
			json_decref(shown[good]);
			shown[good] = NULL;
		}
		if (i == 0 && !is_shown)
			break;
	}
	if (good && catalog_end(catalog, &err) == 0 &&
	    json_read(lines[count - 1], strlen(lines[count - 1]), "director", &director, &err) == 0 &&
	    form_read(ROLE_TARGETS, lines[count - 1], &form, &err) == 0) {
		int r = catalog_check(catalog, &form, NOW, &err);

		assert(r == 0 || *err.text);
		if (r == 0)
			check_offered(shown, good, director);
	}
	for (int i = 0; i < good; i++)
		json_decref(shown[i]);
	return 0;
}
