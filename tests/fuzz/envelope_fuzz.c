/* Envelopes of strangers: their form, their roles, and no signature that was not made. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct public_key *key;
	AUTO(json_decref_p) json_t *json = NULL;
	const json_t *body;
	struct err err = { 0 };
	int64_t expires;
	int version;

	if (!key) {
		/* Of nobody: whoever has a signature by it has broken Ed25519. */
		AUTO(json_decref_p)
		json_t *public = json_pack("{s:s,s:{s:s}}", "keytype", "ED25519", "keyval", "public",
		    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

		assert(key_start(&err) == 0 && public_key_read(public, "key", &key, &err) == 0);
	}
	if (json_read((const char *)data, bytes, "input", &json, &err) < 0)
		return 0;
	body = json_object_get(json, "signed");
	assert(envelope_verify_key(json, key, "input", &err) < 0 && *err.text);
	for (enum role role = 0; role < ROLE_COUNT; role++)
		envelope_verify_role(json, body, role, "input", &err);
	if (envelope_version(body, "input", &version, &err) == 0)
		assert(version >= 1);
	envelope_expires(body, "input", &expires, &err);
	return 0;
}
