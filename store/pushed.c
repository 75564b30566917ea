/* What builders and suppliers sign themselves: targets, roots, delegations. It is published byte for byte. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/envelope.h"
#include "sign/root.h"
#include "store/offer.h"
#include "store/publish.h"
#include "store/state.h"

int
image_read(struct image *image, const char *name, char **text, size_t *bytes,
    char checksum[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	char file[PUBLISH_NAME_SIZE] = "targets.json";
	int r;

	if (name && !json_object_get(locked->delegations, name)) {
		err_set(err, ENOENT, "nothing was pushed for delegation %.50s", name);
		return IMAGE_NO_DELEGATION;
	}
	if (name)
		snprintf(file, sizeof(file), "delegations/%s.json", name);
	r = publish_read(locked->dir, file, IMAGE_TARGETS_MAX, text, bytes, err);
	if (r == 0)
		digest_sha256_hex(*text, *bytes, checksum);
	return r;
}

/* -- the form of a document of type Targets -- */

static bool
is_text(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] > 0x7e ||
		    ((unsigned char)text[i] < 0x20 && !strchr("\t\r\n", text[i])))
			return false;
	return true;
}

/* Trouble of our own stays so; all else is the document's fault. */
static int
or_bad(int r)
{
	return r < 0 && r != -ENOMEM ? DROP_BAD : r;
}

static int
check_head(const json_t *signed_part, const char *what, int *version, struct err *err)
{
	const char *type = json_text(signed_part, "_type");
	int64_t expires;
	int r;

	if (!type || strcmp(type, role_type(ROLE_TARGETS)))
		return drop_bad(err, "%s: _type is \"%.32s\", not Targets", what, type ? type : "");
	if ((r = envelope_version(signed_part, what, version, err)) < 0 ||
	    (r = envelope_expires(signed_part, what, &expires, err)) < 0)
		return or_bad(r);
	return expires > utc_now() ? 0 : drop_bad(err, "%s: has expired", what);
}

static int
read_document(
    const char *text, size_t bytes, size_t max, const char *what, json_t **out, int *version, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	const json_t *signed_part, *delegations;
	int r;

	if (bytes > max)
		return drop_bad(err, "%s: has %zu bytes, at most %zu are taken: clients read %d", what, bytes,
		    max, IMAGE_TARGETS_MAX);
	if (!is_text(text, bytes))
		return drop_bad(
		    err, "%s: is not all ASCII; signers and clients hash other characters in other ways", what);
	if ((r = json_read(text, bytes, what, &json, err)) < 0 || (r = envelope_check(json, what, err)) < 0)
		return or_bad(r);
	signed_part = json_object_get(json, "signed");
	if (!offer_is_ascii(json_object_get(signed_part, "targets")))
		return drop_bad(err,
		    "%s: has text that is not printable ASCII; clients would hash it in another way", what);
	if ((r = check_head(signed_part, what, version, err)))
		return r;
	delegations = json_object_get(signed_part, "delegations");
	if (delegations && !json_is_null(delegations) && (r = trust_check(delegations, what, err)))
		return r;
	*out = MOVE(json);
	return 0;
}

/* -- targets -- */

static int
check_checksum(struct image *image, const char *checksum, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char present[DIGEST_HEX_SIZE];
	size_t bytes;
	int r = publish_read(image->dir, "targets.json", IMAGE_TARGETS_MAX, &text, &bytes, err);

	if (r)
		return r == PUBLISH_NONE ? 0 : r;
	digest_sha256_hex(text, bytes, present);
	if (!checksum || !*checksum) {
		err_set(err, EINVAL,
		    "it is not said which targets.json was edited (header x-ats-role-checksum of the last "
		    "pull)");
		return IMAGE_NO_CHECKSUM;
	}
	if (strcasecmp(checksum, present)) {
		err_set(
		    err, EINVAL, "targets.json has changed since it was pulled: its checksum is %s", present);
		return IMAGE_OTHER_CHECKSUM;
	}
	return 0;
}

/* A file name that a delegation offers must not get other content at the top, which would win. */
static int
check_delegated(struct image *image, const json_t *signed_part, struct err *err)
{
	AUTO(free_p) struct trust *trust = malloc(sizeof(*trust));
	int r = 0;

	if (!trust)
		return err_set(err, ENOMEM, "no memory");
	trust_walk(signed_part, image->delegations, trust);
	for (size_t i = 0; r == 0 && i < trust->count; i++)
		if (trust->nodes[i].document)
			r = offer_check_list(signed_part, json_object_get(trust->nodes[i].document, "targets"),
			    true, "targets.json", err);
	return r;
}

static int
check_targets(struct image *image, const json_t *json, int version, struct err *err)
{
	const json_t *signed_part = json_object_get(json, "signed");
	AUTO(json_decref_p) json_t *root = NULL;
	int newest, r;

	if ((r = state_newest_root(image, &newest, &root, err)) < 0 ||
	    (r = or_bad(envelope_verify_role(
		 json, json_object_get(root, "signed"), ROLE_TARGETS, "targets.json", err))))
		return r;
	if (version != image->version[ROLE_TARGETS] + 1) {
		err_set(err, EINVAL, "targets.json: has version %d, the next one is %d", version,
		    image->version[ROLE_TARGETS] + 1);
		return IMAGE_OTHER_VERSION;
	}
	r = offer_check_list(
	    signed_part, json_object_get(image->targets, "targets"), true, "targets.json", err);
	return r ? r : check_delegated(image, signed_part, err);
}

int
state_judge(const struct image_judge *judge, json_t *before, json_t *after, struct err *err)
{
	const char *file;
	json_t *target;
	int r = 0;

	json_object_foreach(after, file, target)
	{
		const json_t *old = json_object_get(before, file);

		if (r == 0 && !json_equal(old, target))
			r = judge->judge(file, old, target, judge->data, err);
	}
	json_object_foreach(before, file, target)
	{
		if (r == 0 && !json_object_get(after, file))
			r = judge->judge(file, target, NULL, judge->data, err);
	}
	return r;
}

/* Whether both trust the same; none and an empty one are alike. */
static bool
is_same_trust(const json_t *before, const json_t *after)
{
	if (json_array_size(json_object_get(before, "roles")) +
		json_array_size(json_object_get(after, "roles")) ==
	    0)
		return true;
	return json_equal(before, after);
}

/* The same of two documents, and of whom they trust. */
static int
judge_document(const struct image_judge *judge, const json_t *before, const json_t *after, struct err *err)
{
	const json_t *trusted = json_object_get(before, "delegations"),
		     *trust = json_object_get(after, "delegations");
	int r = 0;

	if (!judge)
		return 0;
	if (!is_same_trust(trusted, trust))
		r = judge->judge(NULL, trusted, trust, judge->data, err);
	return r ? r
		 : state_judge(
		       judge, json_object_get(before, "targets"), json_object_get(after, "targets"), err);
}

int
image_put_targets(struct image *image, const char *text, size_t bytes, const char *checksum,
    const struct image_judge *judge, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	struct change change = { .text = text, .bytes = bytes };
	int version, r;

	r = read_document(text, bytes, IMAGE_PUSHED_MAX, "targets.json", &json, &version, err);
	if (r)
		return r;

	AUTO(state_unlock) struct image *locked = state_lock(image);
	if ((r = check_checksum(locked, checksum, err)) || (r = check_targets(locked, json, version, err)) ||
	    (r = judge_document(judge, locked->targets, json_object_get(json, "signed"), err)))
		return r;
	change.json = json;
	return state_publish(locked, &change, err);
}

/* Whether @file is published as it is: a repeated push is no mistake. */
static bool
is_published(struct image *image, const char *file, const char *text, size_t bytes)
{
	AUTO(free_p) char *present = NULL;
	struct err ignored;
	size_t n;

	return publish_read(image->dir, file, IMAGE_TARGETS_MAX, &present, &n, &ignored) == 0 && n == bytes &&
	       !memcmp(present, text, n);
}

int
image_put_next_targets(struct image *image, const char *text, size_t bytes, int *version, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	struct change change = { .text = text, .bytes = bytes };
	int r = read_document(text, bytes, IMAGE_PUSHED_MAX, "targets.json", &json, version, err);

	if (r)
		return r;

	AUTO(state_unlock) struct image *locked = state_lock(image);
	if (is_published(locked, "targets.json", text, bytes))
		return IMAGE_SAME;
	if ((r = check_targets(locked, json, *version, err)))
		return r;
	change.json = json;
	return state_publish(locked, &change, err);
}

/* -- roots -- */

/* The words of IMAGE_HELD_BACK. */
static int
tell_held_back(struct image *image, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *keys = NULL;
	int newest, r;

	if ((r = state_newest_root(image, &newest, &root, err)) < 0)
		return r;
	keys = json_write_as(root_keyids(json_object_get(root, "signed"), ROLE_TARGETS), JSON_COMPACT);
	err_set(err, EAGAIN,
	    "root %d is held back until targets.json of version %d arrives, signed by %d of the keys %.300s; "
	    "devices have root %d till then",
	    newest, image->version[ROLE_TARGETS] + 1,
	    root_threshold(json_object_get(root, "signed"), ROLE_TARGETS), keys ? keys : "",
	    image->version[ROLE_ROOT]);
	log_line(LOG_NOTICE, "%s", err->text);
	return IMAGE_HELD_BACK;
}

/* A root is taken, whatever comes now: what fails here is done at the next renewal. */
static int
settle(struct image *image, struct err *err)
{
	struct err why;
	int r = state_renew(image, &why);

	if (r < 0)
		log_line(LOG_WARNING, "root taken, not published yet reason=\"%s\"", why.text);
	else if (image->version[ROLE_ROOT] < image->seen_root && tell_held_back(image, err) == IMAGE_HELD_BACK)
		return IMAGE_HELD_BACK;
	return 0;
}

int
image_settle_root(struct image *image, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);

	return settle(locked, err);
}

int
image_put_root(struct image *image, const char *text, size_t bytes, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	int r;

	if (bytes > STATE_SMALL_MAX)
		return drop_bad(
		    err, "root.json: has %zu bytes, clients read at most %d", bytes, STATE_SMALL_MAX);
	r = client_put_root(locked->client, REPOSITORY_IMAGE, text, bytes, err);
	if (r < 0)
		return r == -EBADMSG || r == -EINVAL ? DROP_BAD : r;
	return settle(locked, err);
}

/* -- delegations -- */

json_t *
image_trust(struct image *image)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	const json_t *delegations = json_object_get(locked->targets, "delegations");

	return json_is_object(delegations) ? json_deep_copy(delegations)
					   : json_pack("{s:{}, s:[]}", "keys", "roles");
}

/* Suppliers whose documents the new trust does not cover: devices cannot use them until they are pushed anew.
 */
static void
tell_uncovered(struct image *image)
{
	AUTO(free_p) struct trust *trust = malloc(sizeof(*trust));
	struct err err;

	if (!trust)
		return;
	trust_walk(image->targets, image->delegations, trust);
	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_node *node = &trust->nodes[i];
		AUTO(free_p) char *text = NULL;
		AUTO(json_decref_p) json_t *json = NULL;
		char file[PUBLISH_NAME_SIZE];
		size_t bytes;

		snprintf(file, sizeof(file), "delegations/%s.json", node->name);
		if (node->document && (publish_read(image->dir, file, IMAGE_TARGETS_MAX, &text, &bytes, &err) ||
					  json_read(text, bytes, file, &json, &err) < 0 ||
					  trust_verify(trust, (int)i, json, &err)))
			log_line(LOG_WARNING, "delegation name=%s has to be pushed anew reason=\"%s\"",
			    node->name, err.text);
	}
}

int
image_put_trust(struct image *image, const json_t *delegations, struct err *err)
{
	AUTO(json_decref_p) json_t *complete = NULL;
	AUTO(json_decref_p) json_t *targets = NULL;
	struct change change = { 0 };
	int r = trust_check(delegations, "trusted delegations", err);

	if (r)
		return r;

	AUTO(state_unlock) struct image *locked = state_lock(image);
	complete = trust_complete(delegations);
	targets = json_deep_copy(locked->targets);
	if (!complete || !targets || json_object_set(targets, "delegations", complete) < 0)
		return err_set(err, ENOMEM, "no memory");
	if (json_equal(json_object_get(locked->targets, "delegations"), complete))
		return 0;
	change.targets = targets;
	r = state_publish(locked, &change, err);
	if (r == 0)
		tell_uncovered(locked);
	return r;
}

static int
check_paths(const struct trust *trust, int number, const json_t *signed_part, struct err *err)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const char *file;

	json_object_foreach(targets, file, target)
	{
		if (!trust_allows(trust, number, file))
			return drop_bad(err,
			    "delegation %s: may not offer the file name \"%.100s\"; no path allows it",
			    trust->nodes[number].name, file);
	}
	return 0;
}

static bool
is_above(const struct trust *trust, int above, int number)
{
	while (number >= 0 && number != above)
		number = trust->nodes[number].parent;
	return number == above;
}

/* Notes in @owners whose the packages of @document are, but for files that @own has as well. */
static int
note_packages(json_t *owners, const json_t *document, const char *owner, const json_t *own)
{
	json_t *targets = json_object_get(document, "targets"), *target;
	const char *file;

	json_object_foreach(targets, file, target)
	{
		const char *package = json_text(json_object_get(target, "custom"), "name");

		if (package && !json_object_get(own, file) &&
		    json_object_set_new(owners, package, json_string(owner)) < 0)
			return -1;
	}
	return 0;
}

/* The packages that @number has nothing to do with, each with who offers it; NULL: no memory. */
static json_t *
packages_of_others(const struct image *image, const struct trust *trust, int number, const json_t *own)
{
	AUTO(json_decref_p) json_t *owners = json_object();
	int r = note_packages(owners, image->targets, "targets.json", own);

	for (size_t i = 0; r == 0 && i < trust->count; i++)
		if (!is_above(trust, (int)i, number) && !is_above(trust, number, (int)i))
			r = note_packages(owners, trust->nodes[i].document, trust->nodes[i].name, own);
	return r < 0 ? NULL : MOVE(owners);
}

/* Paths bind file names. What people assign are packages: nobody adds a version to one of somebody else. */
static int
check_packages(const struct image *image, const struct trust *trust, int number, const json_t *signed_part,
    struct err *err)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const json_t *present = json_object_get(trust->nodes[number].document, "targets");
	AUTO(json_decref_p) json_t *owners = packages_of_others(image, trust, number, targets);
	const char *file;

	if (!owners)
		return err_set(err, ENOMEM, "no memory");
	json_object_foreach(targets, file, target)
	{
		const char *package = json_text(json_object_get(target, "custom"), "name");
		const char *owner = package ? json_text(owners, package) : NULL;

		/* What it offers already stays. */
		if (owner && !json_object_get(present, file))
			return drop_bad(err, "delegation %s: %.100s: package %.64s is of %s",
			    trust->nodes[number].name, file, package, owner);
	}
	return 0;
}

static int
check_delegation(struct image *image, const struct trust *trust, int number, const json_t *json, int version,
    struct err *err)
{
	const struct trust_node *node = &trust->nodes[number];
	const json_t *signed_part = json_object_get(json, "signed");
	int64_t present = json_integer_value(json_object_get(node->document, "version"));
	char what[96];
	int r;

	snprintf(what, sizeof(what), "delegation %s", node->name);
	if ((r = trust_verify(trust, number, json, err)))
		return r;
	if (version <= present)
		return drop_bad(err, "%s: has version %d, it has to be above %lld, which is published", what,
		    version, (long long)present);
	if ((r = offer_check_list(signed_part, json_object_get(image->targets, "targets"), false, what, err)) ||
	    (r = check_paths(trust, number, signed_part, err)) ||
	    (r = trust_check_names(trust, number, signed_part, err)))
		return r;
	return check_packages(image, trust, number, signed_part, err);
}

/* 0 when it is to be published, IMAGE_SAME when it is. */
static int
admit(struct image *image, const struct change *change, int version, struct err *err)
{
	AUTO(free_p) struct trust *trust = malloc(sizeof(*trust));
	const char *name = change->delegation;
	char file[PUBLISH_NAME_SIZE];
	int number;

	if (!trust)
		return err_set(err, ENOMEM, "no memory");
	trust_walk(image->targets, image->delegations, trust);
	number = name_check_delegation(name, err) < 0 ? -1 : trust_find(trust, name);
	if (number < 0) {
		char shown[64];

		name_printable(name, shown, sizeof(shown));
		err_set(err, ENOENT, "there is no trusted delegation \"%s\"", shown);
		return IMAGE_NO_DELEGATION;
	}
	snprintf(file, sizeof(file), "delegations/%s.json", name);
	if (json_object_get(image->delegations, name) &&
	    is_published(image, file, change->delegation_text, change->delegation_bytes))
		return IMAGE_SAME;
	return check_delegation(image, trust, number, change->delegation_json, version, err);
}

int
image_put_delegation(struct image *image, const char *name, const char *text, size_t bytes,
    const struct image_judge *judge, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	struct change change = { .delegation = name, .delegation_text = text, .delegation_bytes = bytes };
	char what[96], shown[64];
	int version, r;

	name_printable(name, shown, sizeof(shown));
	snprintf(what, sizeof(what), "delegation %s", shown);
	r = read_document(text, bytes, IMAGE_TARGETS_MAX, what, &json, &version, err);
	if (r)
		return r;

	AUTO(state_unlock) struct image *locked = state_lock(image);
	change.delegation_json = json;
	r = admit(locked, &change, version, err);
	if (r)
		return r == IMAGE_SAME ? 0 : r;
	r = judge_document(
	    judge, json_object_get(locked->delegations, name), json_object_get(json, "signed"), err);
	if (r)
		return r;
	r = state_publish(locked, &change, err);
	if (r == 0)
		log_line(LOG_NOTICE, "delegation name=%s published version=%d", name, version);
	return r;
}
