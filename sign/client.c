#include "sign/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/gather.h"
#include "sign/line.h"
#include "sign/request.h"
#include "sign/root.h"

struct client {
	struct line_end end;
	pthread_mutex_t lock; /* of the line: one request at a time */
	struct line line;
	struct gather *gather; /* and what is signed for the director */
	pthread_mutex_t trouble_lock;
	struct err trouble; /* of the last that was to be signed, code 0: none */
	atomic_bool is_troubled;
};

struct client *
client_new(const char *path)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || !(client->gather = gather_new(&client->end))) {
		free(client);
		return NULL;
	}
	pthread_mutex_init(&client->lock, NULL);
	pthread_mutex_init(&client->trouble_lock, NULL);
	line_end_init(&client->end, path);
	line_init(&client->line, &client->end);
	return client;
}

void
client_free(struct client *client)
{
	if (!client)
		return;
	gather_free(client->gather);
	line_done(&client->line);
	pthread_mutex_destroy(&client->trouble_lock);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

void
client_freep(struct client **client)
{
	client_free(*client);
}

/* Returns the reply's code; @payload is its text, to be freed, when the code is 0 or positive. */
static int
call(struct client *client, json_t *request, char **payload, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *text = request ? json_write(request) : NULL;
	AUTO(free_p) char *reply = NULL;
	size_t n = 0;
	int r;

	json_decref(request);
	if (!text)
		return err_set(err, ENOMEM, "no memory for a request to the signer");
	pthread_mutex_lock(&client->lock);
	r = line_call(&client->line, text, strlen(text), &reply, &n, err);
	pthread_mutex_unlock(&client->lock);
	if (r < 0)
		return r;
	r = request_get_code(reply);
	memmove(reply, reply + 4, n - 3); /* with the 0 */
	if (r < 0)
		return err_set(err, -r, "ota-signd: %s", reply);
	if (bytes)
		*bytes = n - 4;
	*payload = MOVE(reply);
	return r;
}

/* Not the document's fault. */
static bool
is_of_signer(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EIO || r == -EMFILE || r == -ENFILE;
}

/* @r and @err are of something that was to be signed. */
static int
remember(struct client *client, int r, const struct err *err)
{
	bool is_trouble = is_of_signer(r);

	if (!is_trouble && (r < 0 || !atomic_load(&client->is_troubled)))
		return r;
	pthread_mutex_lock(&client->trouble_lock);
	atomic_store(&client->is_troubled, is_trouble);
	if (is_trouble)
		client->trouble = *err;
	pthread_mutex_unlock(&client->trouble_lock);
	return r;
}

bool
client_trouble(struct client *client, struct err *why)
{
	bool is_troubled;

	pthread_mutex_lock(&client->trouble_lock);
	is_troubled = atomic_load(&client->is_troubled);
	if (is_troubled)
		*why = client->trouble;
	pthread_mutex_unlock(&client->trouble_lock);
	return is_troubled;
}

int
client_sign(struct client *client, enum repository repository, enum role role, const json_t *signed_part,
    char **envelope, size_t *bytes, struct err *err)
{
	return remember(client,
	    call(client,
		json_pack("{s:s,s:s,s:s,s:O}", "operation", "sign", "repository", repository_name(repository),
		    "role", role_name(role), "signed", signed_part),
		envelope, bytes, err),
	    err);
}

int
client_sign_text(struct client *client, enum role role, const struct client_basis *basis, const char *text,
    size_t bytes, char **envelope, size_t *envelope_bytes, struct err *err)
{
	int r = gather_sign(client->gather, role, basis, text, bytes, envelope, envelope_bytes, err);

	return remember(client, r, err);
}

int
client_show(struct client *client, const char *name, const json_t *file, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call(client,
	    json_pack("{s:s,s:s,s:s,s:O*}", "operation", "show", "repository",
		repository_name(REPOSITORY_IMAGE), "name", file ? name : "", "file", file),
	    &payload, NULL, err);
}

static int
call_for_nothing(struct client *client, const char *operation, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call(client, json_pack("{s:s}", "operation", operation), &payload, NULL, err);
}

int
client_set_clock(struct client *client, struct err *err)
{
	return call_for_nothing(client, "clock", err);
}

int
client_check_clock(struct client *client, struct err *err)
{
	return call_for_nothing(client, "check_clock", err);
}

int
client_restored(struct client *client, struct err *err)
{
	return call_for_nothing(client, "restored", err);
}

int
client_root(struct client *client, enum repository repository, int version, char **envelope, size_t *bytes,
    struct err *err)
{
	AUTO(free_p) char *payload = NULL;
	int r;

	r = call(client,
	    json_pack("{s:s,s:s,s:i}", "operation", "root", "repository", repository_name(repository),
		"version", version),
	    &payload, bytes, err);
	if (r == 0)
		*envelope = MOVE(payload);
	return r;
}

int
client_last(struct client *client, enum repository repository, enum role role, int *version, struct err *err)
{
	AUTO(free_p) char *payload = NULL;
	int r;

	r = call(client,
	    json_pack("{s:s,s:s,s:s}", "operation", "last", "repository", repository_name(repository), "role",
		role_name(role)),
	    &payload, NULL, err);
	if (r == 0)
		*version = atoi(payload);
	return r;
}

int
client_can_sign(struct client *client, enum repository repository, enum role role, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call(client,
	    json_pack("{s:s,s:s,s:s}", "operation", "can_sign", "repository", repository_name(repository),
		"role", role_name(role)),
	    &payload, NULL, err);
}

/* What the signer refuses in any case, and what does not fit a request's text. */
static int
check_text(const char *text, size_t bytes, struct err *err)
{
	if (bytes > ROOT_BYTES_MAX)
		return err_set(err, EBADMSG, "root: has %zu bytes, devices read %d", bytes, ROOT_BYTES_MAX);
	for (size_t i = 0; i < bytes; i++)
		if (!text[i] || (unsigned char)text[i] > 0x7e)
			return err_set(err, EBADMSG, "root: has characters outside printable ASCII");
	return 0;
}

static int
call_with_root(struct client *client, const char *operation, enum repository repository, const char *text,
    size_t bytes, char **payload, size_t *payload_bytes, struct err *err)
{
	int r = check_text(text, bytes, err);

	if (r < 0)
		return r;
	return call(client,
	    json_pack("{s:s,s:s,s:s#}", "operation", operation, "repository", repository_name(repository),
		"root", text, (int)bytes),
	    payload, payload_bytes, err);
}

int
client_put_root(
    struct client *client, enum repository repository, const char *text, size_t bytes, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call_with_root(client, "put_root", repository, text, bytes, &payload, NULL, err);
}

int
client_finish(struct client *client, enum repository repository, const char *text, size_t bytes,
    char **envelope, size_t *envelope_bytes, struct err *err)
{
	return call_with_root(client, "finish", repository, text, bytes, envelope, envelope_bytes, err);
}

/* Payload of a text for everybody; that there is no issuing CA has its reason there. */
static int
call_for_chain(struct client *client, json_t *request, char **chain, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *payload = NULL;
	int r = call(client, request, &payload, bytes, err);

	if (r == CLIENT_NO_ISSUER)
		err_set(err, ENOKEY, "%s", payload);
	if (r == 0)
		*chain = MOVE(payload);
	return r;
}

int
client_issue(struct client *client, const char *name, const char *public_pem, int64_t days, char **chain,
    size_t *bytes, struct err *err)
{
	int r = call_for_chain(client,
	    json_pack("{s:s,s:s,s:s,s:I}", "operation", "issue", "name", name, "public", public_pem, "days",
		(json_int_t)days),
	    chain, bytes, err);

	return remember(client, r, err);
}

int
client_issuer(struct client *client, char **chain, size_t *bytes, struct err *err)
{
	return call_for_chain(client, json_pack("{s:s}", "operation", "issuer"), chain, bytes, err);
}

int
client_issuer_request(
    struct client *client, const char *name, bool is_new_key, char **pem, size_t *bytes, struct err *err)
{
	return call_for_chain(client,
	    json_pack("{s:s,s:s*,s:b}", "operation", "issuer_request", "name", name, "new_key", is_new_key),
	    pem, bytes, err);
}

int
client_issuer_revoke(
    struct client *client, const json_t *serials, int64_t days, char **pem, size_t *bytes, struct err *err)
{
	return call_for_chain(client,
	    json_pack("{s:s,s:O,s:I}", "operation", "issuer_crl", "serials", serials, "days", (json_int_t)days),
	    pem, bytes, err);
}

int
client_issuer_install(struct client *client, const char *chain, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call(
	    client, json_pack("{s:s,s:s}", "operation", "issuer_install", "chain", chain), &payload, NULL, err);
}

static int
call_for_json(struct client *client, json_t *request, json_t **out, struct err *err)
{
	AUTO(free_p) char *payload = NULL;
	size_t bytes;
	int r = call(client, request, &payload, &bytes, err);

	return r ? r : json_read(payload, bytes, "answer of ota-signd", out, err);
}

int
client_keys(struct client *client, enum repository repository, json_t **out, struct err *err)
{
	return call_for_json(client,
	    json_pack("{s:s,s:s}", "operation", "keys", "repository", repository_name(repository)), out, err);
}

int
client_begin(struct client *client, enum repository repository, const json_t *roles, const char *expires,
    bool is_preview, json_t **signed_part, struct err *err)
{
	json_t *request = json_pack("{s:s,s:s,s:O,s:b,s:s*}", "operation", "begin", "repository",
	    repository_name(repository), "roles", roles, "preview", is_preview, "expires", expires);

	return call_for_json(client, request, signed_part, err);
}

/* The payload of a refusal becomes the reason. */
static int
call_about_key(struct client *client, const char *operation, const char *keyid, char **payload, size_t *bytes,
    struct err *err)
{
	int r;

	r = call(client,
	    json_pack("{s:s,s:s,s:s}", "operation", operation, "repository", repository_name(REPOSITORY_IMAGE),
		"keyid", keyid),
	    payload, bytes, err);
	if (r == CLIENT_NO_KEY)
		err_set(err, EPERM, "%s", *payload);
	return r;
}

int
client_take_key(struct client *client, const char *keyid, char **text, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *payload = NULL;
	int r = call_about_key(client, "take_key", keyid, &payload, bytes, err);

	if (r == 0)
		*text = MOVE(payload);
	return r;
}

int
client_delete_key(struct client *client, const char *keyid, struct err *err)
{
	AUTO(free_p) char *payload = NULL;

	return call_about_key(client, "delete_key", keyid, &payload, NULL, err);
}
