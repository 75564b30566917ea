#include "watcher/handed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "sign/draft.h"
#include "sign/envelope.h"
#include "sign/root.h"
#include "store/source.h"
#include "watcher/push.h"

/** Key ids that a refusal names; so many digits of each. */
#define MISSING_MAX 4
#define MISSING_DIGITS 12

void
handed_done(struct handed *handed)
{
	free(handed->text);
	*handed = (struct handed){ 0 };
}

void
handed_summary(const struct handed *handed, char *text, size_t room)
{
	if (handed->kind == HANDED_DELEGATION)
		snprintf(text, room, "delegation %s", handed->delegation);
	else if (handed->version)
		snprintf(text, room, "%s %d of the %s repository",
		    handed->kind == HANDED_ROOT ? "root" : "targets", handed->version,
		    repository_name(handed->repository));
	else
		snprintf(text, room, "%s of the %s repository",
		    handed->kind == HANDED_ROOT ? "root" : "targets", repository_name(handed->repository));
}

/* Names the document before the reason. */
static int
in_words(const struct handed *handed, int r, struct err *err)
{
	char what[128];

	handed_summary(handed, what, sizeof(what));
	return err_context(err, r, "%s", what);
}

/* What is wrong with a document is the drop's fault; trouble of our own stays so. */
static int
or_bad(int r)
{
	return r == -EBADMSG || r == -EINVAL || r == -EACCES || r == -ENOENT || r == -ELOOP || r == -ENOTDIR ||
		       r == -EFBIG
		   ? DROP_BAD
		   : r;
}

/* -- a draft -- */

bool
handed_is_draft(int dir, const char *name)
{
	char path[NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/" DRAFT_FILE, name);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Appends the root keys of @root that have not signed. */
static void
list_missing(const struct draft *draft, const json_t *root, char *text, size_t room)
{
	const json_t *ids = root_keyids(root, ROLE_ROOT);
	size_t missing = 0, used = 0;

	*text = '\0';
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";

		if (draft_has_signed(draft, id) || ++missing > MISSING_MAX)
			continue;
		used += (size_t)snprintf(
		    text + used, room - used, "%s%.*s...", used ? ", " : "", MISSING_DIGITS, id);
	}
	if (missing > MISSING_MAX)
		snprintf(text + used, room - used, " and %zu more", missing - MISSING_MAX);
}

/* @whose: the root whose keys have to sign. */
static int
check_signatures(const struct draft *draft, const json_t *root, const char *whose, struct err *err)
{
	int count = draft_count(draft, root), threshold = root_threshold(root, ROLE_ROOT);
	char missing[MISSING_MAX * (MISSING_DIGITS + 8) + 32];

	if (count >= threshold)
		return 0;
	list_missing(draft, root, missing, sizeof(missing));
	return drop_bad(err,
	    "%d of %d needed signatures by root keys of %s are here; not signed have: %s. Have them sign and "
	    "hand the draft in again; signatures by keys that ota-signd has are added by ota-sign root finish",
	    count, threshold, whose, missing);
}

static int
check_draft(const struct draft *draft, struct err *err)
{
	const json_t *present = json_object_get(draft->current, "signed");
	char whose[64];
	int r;

	if (!draft->current)
		return drop_bad(err,
		    "the first root is not taken from the spool: nothing vouches for it but the "
		    "administrator, with ota-sign root finish");
	snprintf(whose, sizeof(whose), "root %d, the present one,", draft->version - 1);
	if ((r = check_signatures(draft, present, whose, err)))
		return r;
	return check_signatures(draft, draft->next, "the new root itself", err);
}

int
handed_read_draft(struct handed *handed, int dir, const char *name, struct err *err)
{
	AUTO(draft_done) struct draft draft = { 0 };
	int r = draft_read(dir, name, utc_now(), &draft, err);

	if (r < 0)
		return or_bad(r);
	handed->kind = HANDED_ROOT;
	handed->repository = draft.repository;
	handed->version = draft.version;
	if ((r = check_draft(&draft, err)))
		return in_words(handed, r, err);
	return draft_assemble(&draft, &handed->text, &handed->bytes, err);
}

/* -- a file -- */

static const struct {
	const char *member;
	enum handed_kind kind;
	size_t max;
} kinds[] = {
	{ "root", HANDED_ROOT, ROOT_BYTES_MAX },
	{ "targets", HANDED_TARGETS, IMAGE_PUSHED_MAX },
	{ "delegation", HANDED_DELEGATION, IMAGE_TARGETS_MAX },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool
handed_is_meant(const json_t *push)
{
	for (size_t i = 0; i < KINDS; i++)
		if (json_object_get(push, kinds[i].member))
			return true;
	return false;
}

/* Whose document it is. */
static int
read_owner(struct handed *handed, const char *member, const char *value, struct err *err)
{
	int repository = repository_of(value);
	struct err why;

	if (handed->kind == HANDED_DELEGATION) {
		if (name_check_delegation(value, &why) < 0)
			return drop_bad(err, "push.json: \"%.64s\" is no name of a delegation", value);
		snprintf(handed->delegation, sizeof(handed->delegation), "%s", value);
		return 0;
	}
	if (repository < 0)
		return drop_bad(err, "push.json: %s is \"%.32s\", neither image nor director", member, value);
	if (handed->kind == HANDED_TARGETS && repository != REPOSITORY_IMAGE)
		return drop_bad(err,
		    "push.json: targets of the director are made for each device by otafs, and not "
		    "handed in");
	handed->repository = (enum repository)repository;
	return 0;
}

static int
read_push(struct handed *handed, const json_t *push, size_t *max, struct err *err)
{
	const char *value = NULL;
	char known[32];
	size_t i = 0;
	int r;

	while (!json_object_get(push, kinds[i].member))
		i++;
	snprintf(known, sizeof(known), " %s ", kinds[i].member);
	if ((r = push_members((json_t *)(uintptr_t)push, known, err)) ||
	    (r = push_text(push, kinds[i].member, &value, err)))
		return r;
	handed->kind = kinds[i].kind;
	*max = kinds[i].max;
	return read_owner(handed, kinds[i].member, value, err);
}

/* What is half copied is no JSON. The rest of targets and delegations is checked when they are published. */
static int
check_form(struct handed *handed, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	int r;

	if (handed->kind == HANDED_ROOT)
		r = root_read(handed->text, handed->bytes, utc_now(), &json, err);
	else
		r = json_read(handed->text, handed->bytes, "the signed document", &json, err);
	if (r == 0 && handed->kind == HANDED_ROOT)
		r = envelope_version(json_object_get(json, "signed"), "root", &handed->version, err);
	if (r == 0 && handed->kind == HANDED_ROOT && handed->version == 1)
		return drop_bad(err, "the first root is not taken from the spool");
	return or_bad(r);
}

int
handed_read(struct handed *handed, int dir, const char *file, const json_t *push, struct err *err)
{
	size_t max;
	int r = read_push(handed, push, &max, err);

	if (r)
		return r;
	r = source_read(dir, file, max, &handed->text, &handed->bytes, err);
	if (r == SOURCE_MISSING)
		r = drop_bad(err, "the signed document is not in the drop");
	if (r == 0)
		r = check_form(handed, err);
	return r ? in_words(handed, r, err) : 0;
}

/* -- publishing -- */

static void
set_result(struct handed *handed, const char *result, const char *next)
{
	handed->result = result;
	snprintf(handed->next, sizeof(handed->next), "%s", next);
}

/* Whether ota-signd has that very root: 0, IMAGE_SAME, DROP_BAD when its number stands for another one. */
static int
look_for_same(struct handed *handed, struct client *signer, struct err *err)
{
	AUTO(json_decref_p) json_t *ours = NULL, *theirs = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = client_root(signer, handed->repository, handed->version, &text, &bytes, err);

	if (r)
		return r == CLIENT_NO_ROOT ? 0 : r;
	if ((r = json_read(text, bytes, "root", &theirs, err)) < 0 ||
	    (r = json_read(handed->text, handed->bytes, "root", &ours, err)) < 0)
		return r;
	/* With the same or other signatures: enough of them. */
	if (json_equal(json_object_get(ours, "signed"), json_object_get(theirs, "signed")))
		return IMAGE_SAME;
	return drop_bad(err, "there is a root of that version already, with other content");
}

static int
put_root(struct handed *handed, struct image *image, struct client *signer, struct err *err)
{
	int r = look_for_same(handed, signer, err);

	if (r == DROP_BAD || r < 0)
		return r;
	/* What was taken and not answered is taken once more, which tells whether it is held back. */
	if (handed->repository == REPOSITORY_DIRECTOR) {
		r = r == IMAGE_SAME
			? 0
			: client_put_root(signer, REPOSITORY_DIRECTOR, handed->text, handed->bytes, err);
		set_result(handed, "taken", "otafs gives it to devices within a second, at their next poll");
		return or_bad(r);
	}
	r = r == IMAGE_SAME ? image_settle_root(image, err)
			    : image_put_root(image, handed->text, handed->bytes, err);
	if (r != IMAGE_HELD_BACK) {
		set_result(handed, "published", "devices learn of it at their next update");
		return r;
	}
	set_result(handed, "held back", err->text);
	return 0;
}

static int
put_targets(struct handed *handed, struct image *image, struct err *err)
{
	int r = image_put_next_targets(image, handed->text, handed->bytes, &handed->version, err);

	set_result(handed, r == IMAGE_SAME ? "already published" : "published",
	    "devices learn of it at their next update");
	return r == IMAGE_SAME ? 0 : r == IMAGE_OTHER_VERSION ? DROP_BAD : r;
}

static int
put_delegation(struct handed *handed, struct image *image, struct err *err)
{
	int r = image_put_delegation(image, handed->delegation, handed->text, handed->bytes, NULL, err);

	set_result(handed, "published", "");
	return r == IMAGE_NO_DELEGATION ? DROP_BAD : r;
}

int
handed_publish(struct handed *handed, struct image *image, struct client *signer, struct err *err)
{
	int r;

	if (handed->kind == HANDED_DELEGATION)
		return put_delegation(handed, image, err);
	r = handed->kind == HANDED_ROOT ? put_root(handed, image, signer, err)
					: put_targets(handed, image, err);
	return r ? in_words(handed, r, err) : 0;
}

json_t *
handed_receipt(const struct handed *handed)
{
	json_t *json = json_pack("{s:s}", "result", handed->result);

	if (handed->kind == HANDED_DELEGATION)
		json_object_set_new(json, "delegation", json_string(handed->delegation));
	else
		json_object_update_new(json,
		    json_pack("{s:s, s:s, s:i}", "repository", repository_name(handed->repository), "role",
			handed->kind == HANDED_ROOT ? "root" : "targets", "version", handed->version));
	if (*handed->next)
		json_object_set_new(json, "next", json_string(handed->next));
	return json;
}
