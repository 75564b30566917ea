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
#include "sign/client.h"
#include "sign/envelope.h"

/* What is asked for. */
struct wish {
	const struct book *book;
	uid_t uid;
	enum repository repository;
	enum role role;
	const json_t *signed_part;
	const json_t *request;
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

/* The ledger counts no version that cannot be signed. */
static int
check_online(const struct wish *wish, struct err *err)
{
	int r = document_check_begun(wish->book, wish->repository, err);

	if (r < 0 || keyring_can_sign(wish->book->keyring, wish->repository, wish->role) == 0)
		return r;
	return err_set(err, ENOKEY, "%s of the %s repository is signed with keys that are not here",
	    role_name(wish->role), repository_name(wish->repository));
}

/* -- the image repository -- */

/* Sets what a snapshot says of targets and root; false when it says nothing of them. */
static bool
read_offer(const struct wish *wish, struct ledger_offer *offer)
{
	const json_t *meta = json_object_get(wish->signed_part, "meta");
	json_int_t targets =
	    json_integer_value(json_object_get(json_object_get(meta, "targets.json"), "version"));
	json_int_t root = json_integer_value(json_object_get(json_object_get(meta, "root.json"), "version"));

	if (wish->repository != REPOSITORY_IMAGE || wish->role != ROLE_SNAPSHOT || targets < 1 ||
	    targets > INT32_MAX)
		return false;
	*offer =
	    (struct ledger_offer){ (int)targets, root > 0 && root <= INT32_MAX ? (int)root : 0, wish->now };
	return true;
}

/* -- the director -- */

static const char *
device_of(const struct wish *wish)
{
	return json_text(json_object_get(wish->signed_part, "custom"), "deviceId");
}

/* Version = the device's counter, from 1 on, + the epoch. */
static int
check_epoch(const struct wish *wish, struct err *err)
{
	int64_t epoch;
	int r = json_need_integer(wish->request, "epoch", "request", INT32_MAX, &epoch, err);

	if (r < 0)
		return r;
	if (epoch >= wish->entry.version)
		return err_set(err, EINVAL, "%s: %s: version %d is not above the epoch %lld", device_of(wish),
		    role_name(wish->role), wish->entry.version, (long long)epoch);
	return ledger_epoch(wish->book->ledger, epoch, err);
}

/* A version of a director's document belongs to one root, so that it has one content for ever. */
static int
check_root(const struct wish *wish, struct err *err)
{
	int64_t root;
	int r = json_need_integer(wish->request, "root", "request", INT32_MAX, &root, err);

	if (r < 0)
		return r;
	return root == keyring_root_version(wish->book->keyring, wish->repository) ? 0 : CLIENT_NEW_ROOT;
}

/* Whoever shows an old set only cannot have more signed than the repository offers now. */
static int
check_not_behind(const struct wish *wish, struct err *err)
{
	const struct ledger_offer *offer = ledger_offered(wish->book->ledger);
	int shown = catalog_version(wish->book->catalog);
	char since[UTC_TEXT_SIZE];

	if (shown >= offer->targets || wish->now <= offer->since + CATALOG_BEHIND_SECONDS)
		return 0;
	utc_format(offer->since, since);
	return err_set(err, EAGAIN,
	    "%s: the image repository's targets were shown in version %d, and a snapshot of %s offers version "
	    "%d: "
	    "has it been published?",
	    device_of(wish), shown, since, offer->targets);
}

/* Empty targets say that there is nothing to do: they are right in any case. */
static int
check_offered(const struct wish *wish, struct err *err)
{
	const json_t *targets = json_object_get(wish->signed_part, "targets");
	int r;

	if (json_object_size(targets)) {
		if (catalog_version(wish->book->catalog) == 0)
			return CLIENT_NOT_SHOWN;
		if ((r = check_not_behind(wish, err)) < 0)
			return r;
	}
	return catalog_check(wish->book->catalog, device_of(wish), wish->signed_part, wish->now, err);
}

static int
check_director(const struct wish *wish, struct err *err)
{
	int r = check_root(wish, err);

	if (r == 0 && wish->role == ROLE_TARGETS)
		r = check_offered(wish, err);
	return r ? r : check_epoch(wish, err);
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
	wish->entry = (struct ledger_entry){ wish->repository, wish->role,
		wish->repository == REPOSITORY_DIRECTOR ? device_of(wish) : NULL, version, wish->digest };
	return 0;
}

static int
check(struct wish *wish, struct err *err)
{
	const struct book *book = wish->book;
	int r;

	if ((r = policy_check_peer(book->policy, wish->uid, wish->repository, wish->role, err)) < 0 ||
	    (r = journal_check_clock(book->journal, wish->now, err)) < 0 ||
	    (r = policy_check_document(
		 book->policy, wish->repository, wish->role, wish->signed_part, wish->now, err)) < 0 ||
	    (r = check_online(wish, err)) < 0 || (r = read_entry(wish, err)) < 0)
		return r;
	return wish->repository == REPOSITORY_DIRECTOR ? check_director(wish, err) : 0;
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
		.device = entry->device,
		.sha256 = entry->digest,
		.is_durable = entry->repository == REPOSITORY_IMAGE };
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
	    wish->book->keyring, wish->repository, wish->role, wish->signed_part, &envelope, bytes, err);
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
		.repository = repository,
		.role = (enum role)role,
		.signed_part = json_object_get(request, "signed"),
		.request = request,
		.now = utc_now() };

	if (role < 0)
		return err_set(err, EINVAL, "request: no such role");
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
