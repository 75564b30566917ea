#include "ceremony/document.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/signer.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"

/** NAME.pub of an RSA-4096 key has 950 bytes. */
#define KEY_FILE_MAX (16 * 1024)

int
document_read(const char *file, json_t **out, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	size_t length;
	int r = file_read(AT_FDCWD, file, DOCUMENT_BYTES_MAX, &text, &length, err);

	if (r == -EFBIG)
		return err_set(err, EBADMSG, "%.200s: is larger than the 8 MiB that devices read", file);
	if (r < 0)
		return r;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] > 0x7e ||
		    ((unsigned char)text[i] < 0x20 && !strchr("\t\r\n", text[i])))
			return err_set(err, EBADMSG,
			    "%.200s: byte %zu is 0x%02x; only printable ASCII is hashed alike by all programs",
			    file, i + 1, (unsigned char)text[i]);
	if ((r = json_read(text, length, file, &json, err)) < 0 || (r = envelope_check(json, file, err)) < 0)
		return r;
	if (bytes)
		*bytes = length;
	*out = MOVE(json);
	return 0;
}

int
document_write(const char *file, const json_t *envelope, bool is_new, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	struct stat st;
	size_t bytes;
	int r = canonical_write(envelope, &text, &bytes, err);

	if (r < 0)
		return err_context(err, r, "%.200s", file);
	if (is_new && lstat(file, &st) == 0)
		return err_set(err, EEXIST, "%.200s: exists already; it is not touched", file);
	return file_replace(AT_FDCWD, file, text, bytes, 0644, err);
}

/* In the place of an older one of the same key id. */
static int
put_signature(json_t *envelope, json_t *signature, struct err *err)
{
	json_t *signatures = json_object_get(envelope, "signatures");
	const char *id = json_text(signature, "keyid");

	for (size_t i = json_array_size(signatures); i-- > 0;)
		if (!strcmp(json_text(json_array_get(signatures, i), "keyid"), id))
			json_array_remove(signatures, i);
	if (json_array_size(signatures) >= ENVELOPE_SIGNATURES_MAX)
		return err_set(
		    err, EBADMSG, "has %d signatures already, no more are read", ENVELOPE_SIGNATURES_MAX);
	return json_array_append(signatures, signature) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

/* -- keys -- */

/* The key as documents have it: no id, and the type in capital letters, which ota-tuf demands. */
static json_t *
plain_key(const json_t *json)
{
	const char *type = json_text(json, "keytype");
	char upper[16];
	size_t i;

	for (i = 0; type[i] && i < sizeof(upper) - 1; i++)
		upper[i] = (char)toupper((unsigned char)type[i]);
	upper[i] = '\0';
	return json_pack("{s:s,s:{s:O}}", "keytype", upper, "keyval", "public",
	    json_object_get(json_object_get(json, "keyval"), "public"));
}

int
document_read_key(const char *file, json_t **json, char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *read = NULL;
	AUTO(free_p) char *text = NULL;
	const char *id;
	size_t bytes;
	int r;

	if ((r = file_read(AT_FDCWD, file, KEY_FILE_MAX, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, file, &read, err)) < 0 ||
	    (r = public_key_read(read, file, &key, err)) < 0)
		return r;
	if (json_object_get(json_object_get(read, "keyval"), "private"))
		return err_set(err, EBADMSG, "%.200s: is a private key; give its public half", file);
	id = json_object_get(read, "keyid") ? json_text(read, "keyid") : public_key_id(key);
	if (!id || !digest_is_sha256_hex(id))
		return err_set(err, EBADMSG, "%.200s: keyid is not 64 lower-case hex digits", file);
	snprintf(keyid, DIGEST_HEX_SIZE, "%s", id);
	*json = plain_key(read);
	return *json ? 0 : err_set(err, ENOMEM, "no memory");
}

bool
document_is_key(const json_t *keys, const char *keyid, const char *public_id)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	struct err ignored;

	return public_key_read(json_object_get(keys, keyid), "key", &key, &ignored) == 0 &&
	       !strcmp(public_key_id(key), public_id);
}

/* The id that a key has in @keys; NULL: it is not there. */
static const char *
id_in(json_t *keys, const char *public_id)
{
	const char *id;
	json_t *key;

	json_object_foreach(keys, id, key)
	{
		if (document_is_key(keys, id, public_id))
			return id;
	}
	return NULL;
}

int
document_add_key(json_t *keys, const char *file, char keyid[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	const char *present;
	int r;

	if ((r = document_read_key(file, &json, keyid, err)) < 0 ||
	    (r = public_key_read(json, file, &key, err)) < 0)
		return r;
	present = id_in(keys, public_key_id(key));
	if (present) {
		snprintf(keyid, DIGEST_HEX_SIZE, "%s", present);
		return 0;
	}
	if (json_object_get(keys, keyid))
		return err_set(err, EBADMSG, "%.200s: key id %s stands for another key already", file, keyid);
	return json_object_set(keys, keyid, json) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

/* -- signing -- */

static int
sign_as(json_t *envelope, struct signer *signer, const char *keyid, struct err *err)
{
	AUTO(json_decref_p) json_t *signature = NULL;
	AUTO(free_p) char *canonical = NULL;
	size_t bytes;
	int r;

	if ((r = canonical_write(json_object_get(envelope, "signed"), &canonical, &bytes, err)) < 0 ||
	    (r = signer_sign_as(signer, keyid, canonical, bytes, &signature, err)) < 0)
		return r;
	return put_signature(envelope, signature, err);
}

int
document_sign(json_t *envelope, const struct arguments *arguments, const char *name, const json_t *keys,
    const json_t *keyids, struct err *err)
{
	const struct signer_options options = arguments_signer(arguments);
	AUTO(signer_freep) struct signer *signer = NULL;
	const char *public_id;
	int r = signer_open(&options, name, &signer, err);

	if (r < 0)
		return r;
	if (!keys)
		return sign_as(envelope, signer, signer_id(signer), err);
	public_id = public_key_id(signer_public(signer));
	for (size_t i = 0; i < json_array_size(keyids); i++) {
		const char *id = json_string_value(json_array_get(keyids, i));

		if (id && document_is_key(keys, id, public_id))
			return sign_as(envelope, signer, id, err);
	}
	return err_set(
	    err, EACCES, "key %.64s (%.12s...) is none of those that may sign this", name, public_id);
}
