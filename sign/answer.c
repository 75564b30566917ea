#include "sign/answer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/certify.h"
#include "sign/client.h"
#include "sign/document.h"

/* One operation. Everything is checked in it, who may ask as well. */
typedef int give(struct book *book, uid_t uid, enum repository repository, const json_t *request,
    char **payload, size_t *bytes, struct err *err);

/* A short text as the payload of @code. */
static int
say(int code, const char *text, char **payload, size_t *bytes, struct err *err)
{
	*payload = strdup(text);
	*bytes = strlen(text);
	return *payload ? code : err_set(err, ENOMEM, "no memory for an answer");
}

/* JSON as the payload of an answer. */
static int
tell(const json_t *json, char **payload, size_t *bytes, struct err *err)
{
	return canonical_write(json, payload, bytes, err);
}

static int
give_signature(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	return document_sign(book, uid, repository, request, payload, bytes, err);
}

static int
take_shown(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int r;

	if (repository != REPOSITORY_IMAGE)
		return err_set(err, EINVAL, "request: only the image repository is shown");
	if ((r = policy_check_peer(book->policy, uid, REPOSITORY_DIRECTOR, ROLE_TARGETS, err)) < 0 ||
	    (r = document_show(book, request, book->request_bytes, err)) < 0)
		return r;
	return say(0, "", payload, bytes, err);
}

/* After a clock that was ahead. */
static int
set_clock(struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	int r;

	(void)request;
	if ((r = policy_check_administrator(uid, err)) < 0 ||
	    (r = journal_set_clock(book->journal, uid, utc_now(), err)) < 0)
		return r;
	return say(0, "", payload, bytes, err);
}

/* Those who would change versions first ask whether anything is signed now. */
static int
check_clock(struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	int r = journal_check_clock(book->journal, utc_now(), err);

	(void)uid;
	(void)request;
	return r < 0 ? r : say(0, "", payload, bytes, err);
}

/* After a backup was restored. */
static int
jump_ahead(struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err)
{
	int r;

	(void)request;
	/* Without roots there was nothing to restore. */
	if ((r = policy_check_administrator(uid, err)) < 0 ||
	    (r = document_check_begun(book, REPOSITORY_IMAGE, err)) < 0 ||
	    (r = ledger_restored(book->ledger, err)) < 0)
		return r;
	return say(0, "", payload, bytes, err);
}

static int
give_root(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int newest = keyring_root_version(book->keyring, repository), r;
	int64_t version;

	(void)uid;
	if ((r = json_need_integer(request, "version", "request", INT32_MAX, &version, err)) < 0)
		return r;
	if (version > newest || newest == 0)
		return say(CLIENT_NO_ROOT, "no such root", payload, bytes, err);
	return keyring_root(book->keyring, repository, version ? (int)version : newest, payload, bytes, err);
}

static int
give_last(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int role = role_of(json_text(request, "role"));
	char version[16];

	(void)uid;
	if (role < 0 || repository != REPOSITORY_IMAGE)
		return err_set(
		    err, EINVAL, "request: the ledger is kept for the roles of the image repository");
	snprintf(version, sizeof(version), "%d", ledger_last(book->ledger, (enum role)role));
	return say(0, version, payload, bytes, err);
}

static int
give_can_sign(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int role = role_of(json_text(request, "role")), r;

	(void)uid;
	if (role < 0)
		return err_set(err, EINVAL, "request: no such role");
	if ((r = document_check_begun(book, repository, err)) < 0)
		return r;
	return keyring_can_sign(book->keyring, repository, (enum role)role) == KEYRING_OFFLINE
		   ? say(CLIENT_OFFLINE, "its keys are elsewhere", payload, bytes, err)
		   : say(0, "", payload, bytes, err);
}

static int
take_root(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const char *text;
	int r;

	if ((r = policy_check_bringer(book->policy, uid, repository,
		 keyring_root_version(book->keyring, repository) == 0, err)) < 0 ||
	    (r = json_need_text(request, "root", "request", &text, err)) < 0 ||
	    (r = keyring_put_root(book->keyring, repository, text, strlen(text), utc_now(), err)) < 0)
		return r;
	return say(0, "", payload, bytes, err);
}

static int
begin_root(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const json_t *roles = json_object_get(request, "roles");
	AUTO(json_decref_p) json_t *root = NULL;
	int r;

	if ((r = policy_check_administrator(uid, err)) < 0)
		return r;
	if (!json_is_object(roles))
		return err_set(err, EINVAL, "request: has no roles");
	r = keyring_begin(book->keyring, repository, roles, json_text(request, "expires"),
	    json_is_true(json_object_get(request, "preview")), utc_now(), &root, err);
	return r < 0 ? r : tell(root, payload, bytes, err);
}

static int
finish_root(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const char *text;
	int r;

	if ((r = policy_check_administrator(uid, err)) < 0 ||
	    (r = json_need_text(request, "root", "request", &text, err)) < 0)
		return r;
	return keyring_finish(book->keyring, repository, text, strlen(text), utc_now(), payload, bytes, err);
}

static int
give_keys(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *keys = NULL;
	int r = keyring_keys(book->keyring, repository, &keys, err);

	(void)uid;
	(void)request;
	return r < 0 ? r : tell(keys, payload, bytes, err);
}

static int
give_key(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const char *keyid;
	int r;

	if ((r = policy_check_keeper(book->policy, uid, repository, err)) < 0 ||
	    (r = json_need_text(request, "keyid", "request", &keyid, err)) < 0)
		return r;
	r = keyring_take(book->keyring, keyid, payload, bytes, err);
	return r == KEYRING_NO_KEY ? say(CLIENT_NO_KEY, err->text, payload, bytes, err) : r;
}

static int
delete_key(struct book *book, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const char *keyid;
	int r;

	if ((r = policy_check_keeper(book->policy, uid, repository, err)) < 0 ||
	    (r = json_need_text(request, "keyid", "request", &keyid, err)) < 0 ||
	    (r = keyring_delete(book->keyring, keyid, err)) < 0)
		return r;
	return r == KEYRING_NO_KEY ? say(CLIENT_NO_KEY, err->text, payload, bytes, err)
				   : say(0, "", payload, bytes, err);
}

/* An operation that concerns no repository of the two alone. */
typedef int
give_any(struct book *book, uid_t uid, const json_t *request, char **payload, size_t *bytes, struct err *err);

int
answer(struct book *book, uid_t uid, const char *text, size_t bytes, char **payload, size_t *payload_bytes,
    struct err *err)
{
	static const struct {
		const char *name;
		give *give;         /* either */
		give_any *give_any; /* or */
	} operations[] = {
		{ "sign", give_signature, NULL },
		{ "show", take_shown, NULL },
		{ "root", give_root, NULL },
		{ "last", give_last, NULL },
		{ "can_sign", give_can_sign, NULL },
		{ "keys", give_keys, NULL },
		{ "begin", begin_root, NULL },
		{ "finish", finish_root, NULL },
		{ "put_root", take_root, NULL },
		{ "take_key", give_key, NULL },
		{ "delete_key", delete_key, NULL },
		{ "clock", NULL, set_clock },
		{ "check_clock", NULL, check_clock },
		{ "restored", NULL, jump_ahead },
		{ "issue", NULL, certify_issue },
		{ "issuer", NULL, certify_show },
		{ "issuer_request", NULL, certify_request },
		{ "issuer_install", NULL, certify_install },
		{ "issuer_crl", NULL, certify_revoke },
	};
	AUTO(json_decref_p) json_t *request = NULL;
	const char *operation;
	int repository, r;

	if ((r = json_read(text, bytes, "request", &request, err)) < 0 ||
	    (r = json_need_text(request, "operation", "request", &operation, err)) < 0)
		return r;
	repository = repository_of(json_text(request, "repository"));
	book->uid = uid;
	book->request_bytes = bytes;
	keyring_set_published(book->keyring, ledger_offered(book->ledger)->root);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operation, operations[i].name))
			continue;
		if (operations[i].give_any)
			return operations[i].give_any(book, uid, request, payload, payload_bytes, err);
		if (repository < 0)
			break;
		return operations[i].give(
		    book, uid, (enum repository)repository, request, payload, payload_bytes, err);
	}
	return err_set(err, EINVAL, "request: no such %s", repository < 0 ? "repository" : "operation");
}
