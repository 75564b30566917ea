#include "sign/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"

/* What is asked for. */
struct wish {
	const struct book *book;
	uid_t uid;
	enum role role;
	const json_t *signed_part;
	int64_t now;
	struct ledger_entry entry;
	char digest[DIGEST_HEX_SIZE];
};

int
document_check_begun(const struct book *book, enum repository repository, struct err *err)
{
	if (keyring_root_version(book->keyring, repository))
		return 0;
	return err_set(err, EAGAIN, "the %s repository has no root yet: see init in ota-sign(1)",
	    repository_name(repository));
}

int
document_check_online(const struct book *book, enum repository repository, enum role role, struct err *err)
{
	int r = document_check_begun(book, repository, err);

	if (r < 0 || keyring_can_sign(book->keyring, repository, role) == 0)
		return r;
	return err_set(err, ENOKEY, "%s of the %s repository is signed with keys that are not here",
	    role_name(role), repository_name(repository));
}

/* Sets what a snapshot says of targets and root; false when it says nothing of them. */
static bool
read_offer(const struct wish *wish, struct ledger_offer *offer)
{
	const json_t *meta = json_object_get(wish->signed_part, "meta");
	json_int_t targets =
	    json_integer_value(json_object_get(json_object_get(meta, "targets.json"), "version"));
	json_int_t root = json_integer_value(json_object_get(json_object_get(meta, "root.json"), "version"));

	if (wish->role != ROLE_SNAPSHOT || targets < 1 || targets > INT32_MAX)
		return false;
	*offer =
	    (struct ledger_offer){ (int)targets, root > 0 && root <= INT32_MAX ? (int)root : 0, wish->now };
	return true;
}

/* -- signing -- */

static int
read_entry(struct wish *wish, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	size_t bytes;
	int r, version;

	if ((r = canonical_write(wish->signed_part, &canonical, &bytes, err)) < 0 ||
	    (r = envelope_version(wish->signed_part, role_name(wish->role), &version, err)) < 0)
		return r;
	digest_sha256_hex(canonical, bytes, wish->digest);
	wish->entry = (struct ledger_entry){ REPOSITORY_IMAGE, wish->role, NULL, version, wish->digest };
	return 0;
}

static int
check(struct wish *wish, struct err *err)
{
	const struct book *book = wish->book;
	int r;

	if ((r = policy_check_peer(book->policy, wish->uid, REPOSITORY_IMAGE, wish->role, err)) < 0 ||
	    (r = journal_check_clock(book->journal, wish->now, err)) < 0 ||
	    (r = policy_check_document(book->policy, wish->role, wish->signed_part, wish->now, err)) < 0 ||
	    (r = document_check_online(book, REPOSITORY_IMAGE, wish->role, err)) < 0)
		return r;
	return read_entry(wish, err);
}

/* The log first: what the ledger knows has been logged. */
static int
record(const struct wish *wish, struct err *err)
{
	const struct ledger_entry *entry = &wish->entry;
	struct journal_entry line = { .time = wish->now,
		.uid = wish->uid,
		.repository = entry->repository,
		.role = entry->role,
		.version = entry->version,
		.sha256 = entry->digest,
		.is_durable = true };
	struct ledger_offer offer;
	int r = journal_add(wish->book->journal, &line, err);

	if (r < 0)
		return r;
	return ledger_note(wish->book->ledger, entry, read_offer(wish, &offer) ? &offer : NULL, err);
}

static int
sign(struct wish *wish, char **payload, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *envelope = NULL;
	int known = ledger_check(wish->book->ledger, &wish->entry, err), r;

	if (known < 0)
		return known;
	r = keyring_sign(
	    wish->book->keyring, REPOSITORY_IMAGE, wish->role, wish->signed_part, &envelope, bytes, err);
	if (r < 0 || (known != LEDGER_SAME && (r = record(wish, err)) < 0))
		return r;
	*payload = MOVE(envelope);
	return 0;
}

int
document_sign(const struct book *book, uid_t uid, enum repository repository, const json_t *request,
    char **payload, size_t *bytes, struct err *err)
{
	int role = role_of(json_text(request, "role")), r;
	struct wish wish = { .book = book,
		.uid = uid,
		.role = (enum role)role,
		.signed_part = json_object_get(request, "signed"),
		.now = utc_now() };

	if (role < 0)
		return err_set(err, EINVAL, "request: no such role");
	if (repository != REPOSITORY_IMAGE)
		return err_set(err, EINVAL, "request: documents of the director are asked for as texts");
	r = check(&wish, err);
	return r ? r : sign(&wish, payload, bytes, err);
}

/* -- showing -- */

static int
read_root(void *context, int version, json_t **out, struct err *err)
{
	const struct book *book = context;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = keyring_root(book->keyring, REPOSITORY_IMAGE, version, &text, &bytes, err);

	return r < 0 ? r : json_read(text, bytes, "root of the image repository", out, err);
}

/* A root that is held back until targets arrive is not older than the newest snapshot says, nor than what was
 * shown before it. */
static int
oldest_root(const struct book *book)
{
	int told = ledger_offered(book->ledger)->root, shown = catalog_root(book->catalog);

	return shown && shown < told ? shown : told;
}

int
document_show(const struct book *book, const json_t *request, size_t bytes, struct err *err)
{
	const char *name = json_text(request, "name");
	const json_t *file = json_object_get(request, "file");
	struct catalog_roots roots = { keyring_root_version(book->keyring, REPOSITORY_IMAGE), oldest_root(book),
		read_root, (void *)(uintptr_t)book };

	if (!name)
		return err_set(err, EINVAL, "request: has no name");
	if (!*name)
		return catalog_end(book->catalog, err);
	if (!strcmp(name, "targets"))
		return catalog_begin(book->catalog, file, bytes, &roots, err);
	return catalog_add(book->catalog, name, file, bytes, err);
}
