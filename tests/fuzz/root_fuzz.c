/* Roots from outside. One that is taken is one that aktualizr, garage-sign and ota-tuf read too. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/envelope.h"
#include "sign/root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Some day in 2026. */
#define NOW 1790000000

/* What the form promises about a role. */
static void
check_role(const json_t *root, enum role role)
{
	const json_t *entry = json_object_get(json_object_get(root, "roles"), role_name(role));
	const json_t *ids = json_object_get(entry, "keyids");
	int threshold = root_threshold(root, role);

	assert(threshold >= 1 && (size_t)threshold <= json_array_size(ids));
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		char public_id[DIGEST_HEX_SIZE];

		assert(id && strspn(id, "0123456789abcdef") == 64 && id[64] == '\0');
		assert(root_resolve(root, id, public_id) && root_id_of(root, role, public_id));
	}
}

static void
check_root(const json_t *file)
{
	const json_t *root = json_object_get(file, "signed");
	int64_t expires = 0;
	int version = 0;
	struct err err;

	assert(envelope_check(file, "root", &err) == 0);
	assert(envelope_version(root, "root", &version, &err) == 0 && version >= 1);
	assert(envelope_expires(root, "root", &expires, &err) == 0 && expires > NOW);
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		int r = envelope_verify_role(file, root, role, "root", &err);

		check_role(root, role);
		assert(r == 0 || (r == -EBADMSG && *err.text));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(json_decref_p) json_t *loose = NULL;
	static bool is_started;
	struct err err = { 0 };
	int r;

	assert(is_started || key_start(&err) == 0);
	is_started = true;
	r = root_read((const char *)data, bytes, NOW, &file, &err);
	assert(r == 0 ? file != NULL : r == -EBADMSG && *err.text && !file);
	if (r == 0)
		check_root(file);
	/* The other functions are given roots of any form by nobody, and get over them. */
	if (json_read((const char *)data, bytes, "input", &loose, &err) < 0)
		return 0;
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		char public_id[DIGEST_HEX_SIZE] = "";

		root_threshold(loose, role);
		root_id_of(loose, role, "id");
		root_resolve(loose, "id", public_id);
	}
	return 0;
}
