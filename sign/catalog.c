#include "sign/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/name.h"
#include "sign/canonical.h"
#include "sign/delegation.h"
#include "sign/envelope.h"

/* One target. Texts lie in the sheet's. */
struct item {
	const char *file;
	const char *hardware; /* the ids, each with its 0, and an empty one */
	const char *format;   /* empty: not told */
	int64_t length;
	unsigned char sha256[DIGEST_SHA256_BYTES];
};

/* One document. */
struct sheet {
	char name[NAME_DELEGATION_MAX + 1];
	char digest[DIGEST_HEX_SIZE]; /* of the whole, canonical */
	int version;
	int64_t expires;
	char *texts;
	struct item *items; /* by file */
	size_t count;
	json_t *delegations; /* as in the document; NULL: none */
	int *below;          /* for each of its roles the number of its document; -1: none that was verified */
};

struct set {
	struct sheet *sheets; /* the first is targets.json */
	size_t count, bytes;
	int root;
};

struct catalog {
	struct set shown;  /* what counts */
	struct set coming; /* what is being shown */
};

/* -- one document -- */

static void
sheet_done(struct sheet *sheet)
{
	free(sheet->texts);
	free(sheet->items);
	free(sheet->below);
	json_decref(sheet->delegations);
}

static int
by_file(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return strcmp(x->file, y->file);
}

static size_t
room_of(const char *file, const json_t *custom)
{
	const json_t *ids = json_object_get(custom, "hardwareIds");
	const char *format = json_text(custom, "targetFormat");
	size_t room = strlen(file) + 1 + (format ? strlen(format) : 0) + 1 + 1;

	for (size_t i = 0; i < json_array_size(ids); i++)
		room += json_string_length(json_array_get(ids, i)) + 1;
	return room;
}

static const char *
keep(char **at, const char *text)
{
	char *kept = *at;

	*at = stpcpy(kept, text) + 1;
	return kept;
}

/* False for an entry that nothing can fit. */
static bool
read_item(const char *file, const json_t *json, char **at, struct item *out)
{
	const json_t *custom = json_object_get(json, "custom"), *ids = json_object_get(custom, "hardwareIds");
	const char *sha256 = json_text(json_object_get(json, "hashes"), "sha256");
	const char *format = json_text(custom, "targetFormat");
	struct err ignored;

	if (!sha256 || digest_unhex(sha256, out->sha256, sizeof(out->sha256)) < 0 ||
	    json_need_integer(json, "length", file, INT64_MAX, &out->length, &ignored) < 0)
		return false;
	out->file = keep(at, file);
	out->format = keep(at, format ? format : "");
	out->hardware = *at;
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (id && *id)
			keep(at, id);
	}
	keep(at, "");
	return true;
}

static int
read_items(const json_t *targets, struct sheet *sheet, struct err *err)
{
	json_t *all = (json_t *)(uintptr_t)targets, *one;
	size_t room = 1;
	const char *file;
	char *at;

	json_object_foreach(all, file, one) room += room_of(file, json_object_get(one, "custom"));
	sheet->texts = malloc(room);
	sheet->items = calloc(json_object_size(all) + 1, sizeof(*sheet->items));
	if (!sheet->texts || !sheet->items)
		return err_set(err, ENOMEM, "no memory for what was shown");
	at = sheet->texts;
	json_object_foreach(all, file, one) if (read_item(file, one, &at, &sheet->items[sheet->count]))
	    sheet->count++;
	qsort(sheet->items, sheet->count, sizeof(*sheet->items), by_file);
	return 0;
}

static const json_t *
roles_of(const struct sheet *sheet)
{
	return json_object_get(sheet->delegations, "roles");
}

static int
read_delegations(const json_t *signed_part, struct sheet *sheet, struct err *err)
{
	size_t count;

	sheet->delegations = json_incref(json_object_get(signed_part, "delegations"));
	count = json_array_size(roles_of(sheet));
	sheet->below = calloc(count + 1, sizeof(*sheet->below));
	if (!sheet->below)
		return err_set(err, ENOMEM, "no memory for what was shown");
	for (size_t i = 0; i < count; i++)
		sheet->below[i] = -1;
	return 0;
}

/* The whole document has been verified. */
static int
read_sheet(const char *name, const json_t *file, struct sheet *out, struct err *err)
{
	const json_t *signed_part = json_object_get(file, "signed");
	const char *type;
	int r;

	snprintf(out->name, sizeof(out->name), "%s", name);
	if ((r = json_need_text(signed_part, "_type", name, &type, err)) < 0 ||
	    (r = envelope_version(signed_part, name, &out->version, err)) < 0 ||
	    (r = envelope_expires(signed_part, name, &out->expires, err)) < 0)
		return r;
	if (strcmp(type, "Targets"))
		return err_set(err, EBADMSG, "%s: _type is \"%.32s\", not Targets", name, type);
	if ((r = read_items(json_object_get(signed_part, "targets"), out, err)) < 0)
		return r;
	return read_delegations(signed_part, out, err);
}

static int
digest_of(const json_t *file, char digest[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	size_t bytes;
	int r = canonical_write(file, &canonical, &bytes, err);

	if (r == 0)
		digest_sha256_hex(canonical, bytes, digest);
	return r;
}

/* -- a set -- */

static void
set_done(struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		sheet_done(&set->sheets[i]);
	free(set->sheets);
	*set = (struct set){ 0 };
}

static int
add_sheet(struct set *set, const char *name, const json_t *file, size_t bytes, struct err *err)
{
	struct sheet *sheets, *sheet;
	int r;

	if (set->count >= CATALOG_ROLES_MAX)
		return err_set(err, E2BIG, "%s: more than %d documents were shown", name, CATALOG_ROLES_MAX);
	if (bytes > CATALOG_BYTES_MAX - set->bytes)
		return err_set(err, E2BIG, "%s: more than %d bytes were shown", name, CATALOG_BYTES_MAX);
	sheets = realloc(set->sheets, (set->count + 1) * sizeof(*sheets));
	if (!sheets)
		return err_set(err, ENOMEM, "no memory for what was shown");
	set->sheets = sheets;
	sheet = &sheets[set->count];
	*sheet = (struct sheet){ 0 };
	if ((r = read_sheet(name, file, sheet, err)) < 0 || (r = digest_of(file, sheet->digest, err)) < 0) {
		sheet_done(sheet);
		return r;
	}
	set->count++;
	set->bytes += bytes;
	return 0;
}

static int
find_sheet(const struct set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->sheets[i].name, name))
			return (int)i;
	return -1;
}

static int
verify(const struct sheet *above, const json_t *role, const json_t *file, const char *name, struct err *err)
{
	int r = envelope_verify_keys(file, json_object_get(above->delegations, "keys"),
	    json_object_get(role, "keyids"), (int)json_integer_value(json_object_get(role, "threshold")), name,
	    err);

	return r < 0 ? err_context(err, r, "by %s", above->name) : r;
}

/*
 * Verifies @file for each role of that name in the set, and where @number is given says there that this is its
 * document. How many it was verified for; none: -EBADMSG.
 */
static int
link_roles(struct set *set, const char *name, const json_t *file, int number, struct err *err)
{
	int found = 0, r = err_set(err, EBADMSG, "%s: nobody delegates it", name);

	for (size_t i = 0; i < set->count; i++) {
		const json_t *roles = roles_of(&set->sheets[i]);

		for (size_t k = 0; k < json_array_size(roles); k++) {
			const json_t *role = json_array_get(roles, k);
			const char *other = json_text(role, "name");

			if (!other || strcmp(other, name))
				continue;
			r = verify(&set->sheets[i], role, file, name, err);
			if (r == -ENOMEM)
				return r;
			if (r < 0)
				continue;
			found++;
			if (number >= 0)
				set->sheets[i].below[k] = number;
		}
	}
	return found ? found : r;
}

/* -- showing -- */

struct catalog *
catalog_new(void)
{
	return calloc(1, sizeof(struct catalog));
}

void
catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	set_done(&catalog->shown);
	set_done(&catalog->coming);
	free(catalog);
}

void
catalog_freep(struct catalog **catalog)
{
	catalog_free(*catalog);
}

/* The newest root that bears @file out. */
static int
find_root(const struct catalog_roots *roots, const json_t *file, int *version, struct err *err)
{
	struct err first = { 0 };

	for (int at = roots->newest; at >= 1 && at >= roots->oldest; at--) {
		AUTO(json_decref_p) json_t *root = NULL;
		int r = roots->read(roots->context, at, &root, err);

		if (r < 0)
			return r;
		r = envelope_verify_role(file, json_object_get(root, "signed"), ROLE_TARGETS,
		    "targets of the image repository", err);
		if (r == 0) {
			*version = at;
			return 0;
		}
		if (r == -ENOMEM)
			return r;
		if (at == roots->newest)
			first = *err;
	}
	if (!first.code)
		return err_set(err, EAGAIN, "there is no root of the image repository yet");
	*err = first;
	return -first.code;
}

int
catalog_begin(struct catalog *catalog, const json_t *file, size_t bytes, const struct catalog_roots *roots,
    struct err *err)
{
	struct set *set = &catalog->coming;
	int r, root;

	set_done(set);
	if ((r = envelope_check(file, "targets", err)) < 0 || (r = find_root(roots, file, &root, err)) < 0 ||
	    (r = add_sheet(set, "targets", file, bytes, err)) < 0)
		return r;
	set->root = root;
	if (set->sheets->version >= catalog_version(catalog))
		return 0;
	r = err_set(err, ESTALE,
	    "targets of the image repository: version %d is below %d, which was shown before",
	    set->sheets->version, catalog_version(catalog));
	set_done(set);
	return r;
}

int
catalog_add(struct catalog *catalog, const char *name, const json_t *file, size_t bytes, struct err *err)
{
	struct set *set = &catalog->coming;
	char digest[DIGEST_HEX_SIZE];
	int number, r;

	if (set->count == 0)
		return err_set(err, EINVAL, "%.64s: targets have to be shown first", name);
	if ((r = name_check_delegation(name, err)) < 0 || (r = envelope_check(file, name, err)) < 0)
		return r;
	number = find_sheet(set, name);
	if (number == 0)
		return err_set(err, EINVAL, "%s: is no delegation", name);
	if (number > 0) {
		if ((r = digest_of(file, digest, err)) < 0)
			return r;
		if (strcmp(digest, set->sheets[number].digest))
			return err_set(err, EBADMSG, "%s: was shown with other content", name);
		return (r = link_roles(set, name, file, number, err)) < 0 ? r : 0;
	}
	if ((r = link_roles(set, name, file, -1, err)) < 0 || (r = add_sheet(set, name, file, bytes, err)) < 0)
		return r;
	r = link_roles(set, name, file, (int)set->count - 1, err);
	return r < 0 ? r : 0;
}

int
catalog_end(struct catalog *catalog, struct err *err)
{
	if (catalog->coming.count == 0)
		return err_set(err, EINVAL, "targets have to be shown first");
	set_done(&catalog->shown);
	catalog->shown = catalog->coming;
	catalog->coming = (struct set){ 0 };
	return 0;
}

int
catalog_version(const struct catalog *catalog)
{
	return catalog->shown.count ? catalog->shown.sheets->version : 0;
}

int
catalog_root(const struct catalog *catalog)
{
	return catalog->shown.root;
}

/* -- looking for a target -- */

/* How near an entry of the image repository comes; the nearest is told. */
enum nearness { ABSENT, EXPIRED, OTHER_CONTENT, OTHER_LENGTH, OTHER_FORMAT, OTHER_HARDWARE, FITS };

struct search {
	const struct set *set;
	int64_t now;
	size_t visits;
	/* what is looked for */
	const char *file, *format;
	int64_t length;
	unsigned char sha256[DIGEST_SHA256_BYTES];
	const char *const *hardware_ids;
	size_t ecus;
	/* what was found */
	enum nearness nearest;
	const char *expired;  /* the delegation */
	const char *hardware; /* the id that it is not for */
};

static bool
is_for(const struct item *item, const char *hardware)
{
	for (const char *id = item->hardware; *id; id += strlen(id) + 1)
		if (!strcmp(id, hardware))
			return true;
	return false;
}

static enum nearness
compare(struct search *search, const struct item *item)
{
	if (memcmp(item->sha256, search->sha256, sizeof(item->sha256)))
		return OTHER_CONTENT;
	if (item->length != search->length)
		return OTHER_LENGTH;
	if (*item->format && search->format && strcmp(item->format, search->format))
		return OTHER_FORMAT;
	for (size_t i = 0; i < search->ecus; i++) {
		if (is_for(item, search->hardware_ids[i]))
			continue;
		search->hardware = search->hardware_ids[i];
		return OTHER_HARDWARE;
	}
	return FITS;
}

static void
look_into(struct search *search, const struct sheet *sheet)
{
	struct item key = { .file = search->file };
	const struct item *item = bsearch(&key, sheet->items, sheet->count, sizeof(key), by_file);
	enum nearness nearness = item ? compare(search, item) : ABSENT;

	if (nearness > search->nearest)
		search->nearest = nearness;
}

static void
descend(struct search *search, const struct sheet *sheet, int depth)
{
	const json_t *roles = roles_of(sheet);

	look_into(search, sheet);
	for (size_t i = 0; depth < CATALOG_DEPTH_MAX && i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i);
		const struct sheet *below;

		if (search->nearest == FITS || search->visits >= CATALOG_ROLES_MAX)
			return;
		if (sheet->below[i] < 0 || !delegation_allows(role, search->file))
			continue;
		search->visits++;
		below = &search->set->sheets[sheet->below[i]];
		if (below->expires <= search->now) {
			search->expired = below->name;
			search->nearest = search->nearest == ABSENT ? EXPIRED : search->nearest;
		} else {
			descend(search, below,
			    json_is_true(json_object_get(role, "terminating")) ? CATALOG_DEPTH_MAX : depth + 1);
		}
	}
}

static int
refuse(const struct search *search, const char *device, struct err *err)
{
	switch (search->nearest) {
	case ABSENT:
		return err_set(err, EPERM, "%s: %s: is not in the image repository", device, search->file);
	case EXPIRED:
		return err_set(err, EPERM, "%s: %s: the delegation %s, which has it, has expired", device,
		    search->file, search->expired);
	case OTHER_CONTENT:
		return err_set(
		    err, EPERM, "%s: %s: the image repository has other content", device, search->file);
	case OTHER_LENGTH:
		return err_set(
		    err, EPERM, "%s: %s: the image repository has another length", device, search->file);
	case OTHER_FORMAT:
		return err_set(
		    err, EPERM, "%s: %s: the image repository has another targetFormat", device, search->file);
	default:
		return err_set(err, EPERM, "%s: %s: is not for hardware id \"%.64s\" in the image repository",
		    device, search->file, search->hardware);
	}
}

/* -- one director document -- */

int
catalog_check(const struct catalog *catalog, const struct form *form, int64_t now, struct err *err)
{
	for (size_t i = 0; i < form->count; i++) {
		const struct form_target *target = &form->targets[i];
		struct search search = { .set = &catalog->shown,
			.now = now,
			.file = target->file,
			.format = target->format,
			.length = target->length,
			.hardware_ids = target->hardware,
			.ecus = target->ecus };

		digest_unhex(target->sha256, search.sha256, sizeof(search.sha256));
		if (catalog->shown.count)
			descend(&search, catalog->shown.sheets, 0);
		if (search.nearest != FITS)
			return refuse(&search, form->device, err);
	}
	return 0;
}
