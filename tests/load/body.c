#include "tests/load/body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/key.h"

#define NO_TIME "1970-01-01T00:00:00Z"

void
body_id(size_t number, char id[static BODY_ID_SIZE])
{
	snprintf(id, BODY_ID_SIZE, "load-%zu", number);
}

static void
ecu_of(size_t number, char ecu[static BODY_ID_SIZE + 4])
{
	body_id(number, ecu);
	strcat(ecu, "-ecu");
}

void
body_installed(size_t number, long round, char sha256[static DIGEST_HEX_SIZE])
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%zu in round %ld", number, round);

	digest_sha256_hex(text, (size_t)n, sha256);
}

static int
key_of(size_t number, struct key_pair **out, struct err *err)
{
	char hex[DIGEST_HEX_SIZE];
	unsigned char seed[KEY_SEED_BYTES];

	body_installed(number, -1, hex);
	digest_unhex(hex, seed, sizeof(seed));
	return key_pair_from_seed(seed, out, err);
}

int
body_ecus(size_t number, char **out, size_t *bytes, struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	char ecu[BODY_ID_SIZE + 4];
	int r = key_of(number, &key, err);

	if (r < 0)
		return r;
	ecu_of(number, ecu);
	json = json_pack("{s:[{s:o,s:s,s:s}],s:s}", "ecus", "clientKey", public_key_json(key_pair_public(key)),
	    "ecu_serial", ecu, "hardware_identifier", "load", "primary_ecu_serial", ecu);
	return json ? canonical_write(json, out, bytes, err) : err_set(err, ENOMEM, "no memory");
}

/* {"signatures":[...],"signed":@stolen}; @stolen belongs to us. */
static int
sign_part(const struct key_pair *key, json_t *stolen, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *part = stolen, *signature = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if (!part)
		return err_set(err, ENOMEM, "no memory");
	if ((r = canonical_write(part, &text, &bytes, err)) < 0 ||
	    (r = key_pair_sign(key, text, bytes, &signature, err)) < 0)
		return r;
	*out = json_pack("{s:[O],s:O}", "signatures", signature, "signed", part);
	return *out ? 0 : err_set(err, ENOMEM, "no memory");
}

static json_t *
ecu_part(size_t number, const struct image *image, long counter)
{
	char ecu[BODY_ID_SIZE + 4], count[24];

	ecu_of(number, ecu);
	snprintf(count, sizeof(count), "%ld", counter);
	return json_pack("{s:s,s:s,s:{s:s,s:{s:i,s:{s:s}}},s:s,s:s,s:s}", "attacks_detected", "", "ecu_serial",
	    ecu, "installed_image", "filepath", image->file, "fileinfo", "length", 0, "hashes", "sha256",
	    image->sha256, "previous_timeserver_time", NO_TIME, "report_counter", count, "timeserver_time",
	    NO_TIME);
}

static int
sign_all(const struct key_pair *key, size_t number, json_t *stolen, json_t **out, struct err *err)
{
	char ecu[BODY_ID_SIZE + 4];
	json_t *one;
	int r = sign_part(key, stolen, &one, err);

	ecu_of(number, ecu);
	if (r < 0)
		return r;
	return sign_part(key,
	    json_pack("{s:{s:o},s:s}", "ecu_version_manifests", ecu, one, "primary_ecu_serial", ecu), out, err);
}

int
body_manifest(size_t number, long round, long counter, const struct image *image, char **out, size_t *bytes,
    struct err *err)
{
	AUTO(key_pair_freep) struct key_pair *key = NULL;
	AUTO(json_decref_p) json_t *all = NULL;
	char sha256[DIGEST_HEX_SIZE], file[32];
	const struct image of_round = { file, sha256 };
	int r;

	body_installed(number, round, sha256);
	snprintf(file, sizeof(file), "load-%ld", round);
	if ((r = key_of(number, &key, err)) < 0 ||
	    (r = sign_all(key, number, ecu_part(number, image->file ? image : &of_round, counter), &all, err)) <
		0)
		return r;
	return canonical_write(all, out, bytes, err);
}
