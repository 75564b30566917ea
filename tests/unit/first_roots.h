/** The first roots of both repositories, all keys here, made in a key ring as "ota-sign init --online" has it.
 */
#ifndef TESTS_UNIT_FIRST_ROOTS_H
#define TESTS_UNIT_FIRST_ROOTS_H

#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/keyring.h"
#include "tests/unit/unit.h"

/** Has the key ring prepare the next root of @repository, and sign it with its own keys alone. */
static inline int
next_root_by_ours(
    struct keyring *keyring, enum repository repository, const json_t *roles, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(json_decref_p) json_t *file = NULL;
	AUTO(free_p) char *envelope = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = keyring_begin(keyring, repository, roles, NULL, false, now, &root, err);

	if (r < 0)
		return r;
	file = json_pack("{s:[],s:O}", "signatures", "signed", root);
	text = json_write(file);
	if (!text)
		return -ENOMEM;
	return keyring_finish(keyring, repository, text, strlen(text), now, &envelope, &bytes, err);
}

static inline void
make_first_roots(struct keyring *keyring, int64_t now)
{
	AUTO(json_decref_p) json_t *nothing = json_object();
	struct err err = { 0 };

	for (int i = 0; i < REPOSITORY_COUNT; i++)
		assert_int_equal(next_root_by_ours(keyring, (enum repository)i, nothing, now, &err), 0);
}

#endif
