#include "ceremony/signer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/keys.h"
#include "ceremony/prompt.h"
#include "ceremony/token.h"
#include "lib/cleanup.h"
#include "lib/json.h"

struct signer {
	struct private_key *key; /* of the key folder, or */
	struct token *token;     /* of a token */
	char id[DIGEST_HEX_SIZE];
	char name[KEYS_NAME_MAX + 1]; /* for reasons */
};

void
signer_free(struct signer *signer)
{
	if (!signer)
		return;
	private_free(signer->key);
	token_free(signer->token);
	free(signer);
}

void
signer_freep(struct signer **signer)
{
	signer_free(*signer);
}

const struct public_key *
signer_public(const struct signer *signer)
{
	return signer->token ? token_public(signer->token) : private_public(signer->key);
}

const char *
signer_id(const struct signer *signer)
{
	return signer->id;
}

static int
open_key(const struct signer_options *options, const char *name, struct signer *signer, struct err *err)
{
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL, *container = NULL;
	char what[KEYS_NAME_MAX + 32];
	int r;

	snprintf(what, sizeof(what), "passphrase of key %.*s", KEYS_NAME_MAX, name);
	/* A key that is not there is told before anything is asked. */
	if ((r = keys_open(options->folder, false, &keys, err)) < 0 ||
	    (r = keys_container(keys, name, &container, err)) < 0 ||
	    (r = vault_check((const char *)container->data, container->bytes, "key", name, err)) < 0 ||
	    (r = prompt_secret(options->passphrase_file, what, &passphrase, err)) < 0)
		return r;
	snprintf(signer->name, sizeof(signer->name), "%s", name);
	return keys_load(keys, name, passphrase, &signer->key, signer->id, err);
}

static int
open_token(const struct signer_options *options, const char *uri, struct signer *signer, struct err *err)
{
	int r = token_open(uri, options->passphrase_file, &signer->token, err);

	if (r < 0)
		return r;
	snprintf(signer->name, sizeof(signer->name), "in a token");
	snprintf(signer->id, sizeof(signer->id), "%s", public_key_id(signer_public(signer)));
	return 0;
}

int
signer_open(const struct signer_options *options, const char *name, struct signer **out, struct err *err)
{
	AUTO(signer_freep) struct signer *signer = calloc(1, sizeof(*signer));
	int r;

	if (!signer)
		return err_set(err, ENOMEM, "no memory");
	r = token_is_uri(name) ? open_token(options, name, signer, err) : open_key(options, name, signer, err);
	if (r == 0)
		*out = MOVE(signer);
	return r;
}

/* A signature that does not verify must not leave: a fault while signing tells the private key. */
static int
check_signature(
    const struct signer *signer, const json_t *json, const void *data, size_t bytes, struct err *err)
{
	return public_key_verify(
	    signer_public(signer), json_text(json, "method"), json_text(json, "sig"), data, bytes, err);
}

int
signer_sign_as(
    struct signer *signer, const char *keyid, const void *data, size_t bytes, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	int r = signer->token ? token_sign(signer->token, keyid, data, bytes, &json, err)
			      : private_sign(signer->key, keyid, data, bytes, &json, err);

	if (r == 0)
		r = check_signature(signer, json, data, bytes, err);
	if (r < 0)
		return err_context(err, r, "key %s", signer->name);
	*out = MOVE(json);
	return 0;
}

int
signer_sign(struct signer *signer, const void *data, size_t bytes, json_t **out, struct err *err)
{
	return signer_sign_as(signer, signer->id, data, bytes, out, err);
}

int
signer_new_of(const struct signer_options *options, const char *name, enum private_type type,
    struct signer **out, struct err *err)
{
	AUTO(signer_freep) struct signer *signer = calloc(1, sizeof(*signer));
	AUTO(keys_freep) struct keys *keys = NULL;
	AUTO(secret_freep) struct secret *passphrase = NULL;
	char what[KEYS_NAME_MAX + 32];
	int r;

	if (!signer)
		return err_set(err, ENOMEM, "no memory");
	if ((r = keys_check_name(name, err)) < 0 || (r = keys_open(options->folder, true, &keys, err)) < 0 ||
	    (r = keys_check_free(keys, name, err)) < 0)
		return r;
	snprintf(what, sizeof(what), "passphrase of key %s", name);
	if ((r = prompt_new_secret(options->passphrase_file, what, &passphrase, err)) < 0 ||
	    (r = private_new(type, &signer->key, err)) < 0 ||
	    (r = keys_add(keys, name, signer->key, NULL, passphrase, err)) < 0)
		return r;
	snprintf(signer->id, sizeof(signer->id), "%s", public_key_id(signer_public(signer)));
	snprintf(signer->name, sizeof(signer->name), "%s", name);
	*out = MOVE(signer);
	return 0;
}

int
signer_new(const struct signer_options *options, const char *name, struct signer **out, struct err *err)
{
	return signer_new_of(options, name, PRIVATE_ED25519, out, err);
}
