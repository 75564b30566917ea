#include "otafs/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "sign/delegation.h"

/* A role on the way from targets.json down. */
struct role_above {
	const struct role_above *above; /* NULL: targets.json is next */
	const char *name;
	const json_t *entry; /* of the delegations that name it */
	int depth;
};

/* ---- one target */

static int
read_target(const char *file, const json_t *json, struct target *out, struct err *err)
{
	const json_t *custom = json_object_get(json, "custom");
	const char *created = json_text(custom, "createdAt"), *uri = json_text(custom, "uri");
	int r;

	out->file = file;
	out->custom = custom;
	/* garage-sign writes this address where there is none, and aktualizr takes it for none. */
	out->uri = uri && *uri && strcmp(uri, "https://example.com/") ? uri : NULL;
	out->comment = json_text(custom, "comment");
	out->hardware = json_object_get(custom, "hardwareIds");
	if (created && utc_parse(created, &out->created_at) < 0)
		out->created_at = 0;
	if ((r = json_need_text(custom, "name", file, &out->package, err)) < 0 ||
	    (r = json_need_text(custom, "version", file, &out->version, err)) < 0 ||
	    (r = json_need_text(custom, "targetFormat", file, &out->format, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "hashes"), "sha256", file, &out->sha256, err)) < 0 ||
	    (r = json_need_integer(json, "length", file, INT64_MAX, &out->length, err)) < 0 ||
	    (r = name_check_package(out->package, err)) < 0 || (r = name_check_version(out->version, err)) < 0)
		return r;
	if (!json_array_size(out->hardware))
		return err_set(err, EBADMSG, "%s: has no hardwareIds", file);
	return 0;
}

bool
target_is_shown(const struct target *target)
{
	return !target->is_hidden && !target->is_double;
}

int
target_fits(const struct target *target, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(
	    target->hardware, i, one) if (json_is_string(one) && !strcmp(json_string_value(one), id)) return 1;
	return 0;
}

/* ---- one document */

/* A device comes to a role only by roles that match the name it looks for. */
static bool
is_reached(const struct role_above *role, const char *file)
{
	for (; role; role = role->above)
		if (!delegation_allows(role->entry, file))
			return false;
	return true;
}

static int
add_room(struct targets *targets, size_t more, struct err *err)
{
	size_t room = targets->count + more + 1;
	struct target *list = realloc(targets->list, room * sizeof(*list));

	if (!list)
		return err_set(err, ENOMEM, "no memory for targets");
	targets->list = list;
	targets->room = room;
	return 0;
}

static int
add_targets(struct targets *targets, const json_t *body, const struct role_above *role, struct err *err)
{
	json_t *all = json_object_get(body, "targets"), *one;
	const char *file, *expires = json_text(body, "expires");
	struct err why = { 0 };
	size_t left_out = 0;
	int64_t expires_at = 0;
	int r;

	if (role && expires && utc_parse(expires, &expires_at) < 0)
		expires_at = 0;
	if ((r = add_room(targets, json_object_size(all), err)) < 0)
		return r;
	json_object_foreach(all, file, one)
	{
		struct target target = { .delegation = role ? role->name : NULL,
			.expires_at = expires_at,
			.order = targets->count };

		if (!is_reached(role, file))
			continue;
		if (read_target(file, one, &target, &why) < 0)
			left_out++;
		else
			targets->list[targets->count++] = target;
	}
	if (left_out)
		log_line(LOG_WARNING, "targets left out role=%s count=%zu last=\"%s\"",
		    role ? role->name : "targets", left_out, why.text);
	return 0;
}

static int
read_document(int dir, const char *name, struct targets *targets, const json_t **body, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	json_t *json = NULL;
	size_t bytes;
	int r;

	if ((r = file_read(dir, name, IMAGE_FILE_MAX, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, name, &json, err)) < 0)
		return r;
	if (json_array_append_new(targets->documents, json) < 0)
		return err_set(err, ENOMEM, "no memory for %s", name);
	*body = json_object_get(json, "signed");
	return 0;
}

static int
note_role(struct targets *targets, const char *name, const json_t *body, const json_t *entry, struct err *err)
{
	struct target_role *more = realloc(targets->roles, (targets->role_count + 1) * sizeof(*more));

	if (!more)
		return err_set(err, ENOMEM, "no memory for %s", name);
	targets->roles = more;
	more[targets->role_count++] = (struct target_role){ name, body, entry };
	return 0;
}

/* ---- delegations */

static int read_roles(
    int dir, const json_t *body, const struct role_above *above, struct targets *targets, struct err *err);

static int
read_role(
    int dir, const json_t *entry, const struct role_above *above, struct targets *targets, struct err *err)
{
	struct role_above role = { above, json_text(entry, "name"), entry, above ? above->depth + 1 : 1 };
	const json_t *body = NULL;
	char path[NAME_TARGET_MAX + 32];
	struct err why = { 0 };
	int r = name_check_delegation(role.name ? role.name : "", &why);

	if (r == 0) {
		snprintf(path, sizeof(path), "delegations/%s.json", role.name);
		r = read_document(dir, path, targets, &body, &why);
	}
	if (r == -ENOMEM)
		return err_set(err, ENOMEM, "%s", why.text);
	if (r < 0) {
		log_line(LOG_WARNING, "delegation left out name=%s reason=\"%s\"", role.name ? role.name : "",
		    why.text);
		return 0;
	}
	if ((r = note_role(targets, role.name, body, entry, err)) < 0 ||
	    (r = add_targets(targets, body, &role, err)) < 0)
		return r;
	if (json_is_true(json_object_get(entry, "terminating")) || role.depth >= TARGET_DEPTH_MAX)
		return 0;
	return read_roles(dir, body, &role, targets, err);
}

static int
read_roles(
    int dir, const json_t *body, const struct role_above *above, struct targets *targets, struct err *err)
{
	const json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(json_object_get(body, "delegations"), "roles"), i, entry)
	{
		if (r < 0 || targets->roles_seen >= TARGET_ROLES_MAX)
			break;
		targets->roles_seen++;
		r = read_role(dir, entry, above, targets, err);
	}
	return r;
}

/* ---- order */

static int
by_order(const struct target *x, const struct target *y)
{
	return (x->order > y->order) - (x->order < y->order);
}

static int
by_file(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int r = strcmp(x->file, y->file);

	return r ? r : by_order(x, y);
}

static int
by_version(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int r = strcmp(x->package, y->package);

	if (r == 0)
		r = strcmp(x->version, y->version);
	return r ? r : by_order(x, y);
}

static int
by_time(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int r = strcmp(x->package, y->package);

	if (r == 0 && x->created_at != y->created_at)
		r = x->created_at < y->created_at ? -1 : 1;
	return r ? r : strcmp(x->version, y->version);
}

static int
by_name(const void *a, const void *b)
{
	const struct target *const *x = a, *const *y = b;

	return strcmp((*x)->file, (*y)->file);
}

/* Of targets with one file name the first in the order of search stays. */
static void
drop_doubles(struct targets *targets)
{
	struct target *list = targets->list;
	size_t kept = 0;

	qsort(list, targets->count, sizeof(*list), by_file);
	for (size_t i = 0; i < targets->count; i++)
		if (kept == 0 || strcmp(list[kept - 1].file, list[i].file) != 0)
			list[kept++] = list[i];
	targets->count = kept;
}

/* A folder packages/NAME/VERSION stands for one of them. */
static void
mark_doubles(struct targets *targets)
{
	struct target *list = targets->list;

	qsort(list, targets->count, sizeof(*list), by_version);
	for (size_t i = 1; i < targets->count; i++)
		list[i].is_double = !strcmp(list[i - 1].package, list[i].package) &&
				    !strcmp(list[i - 1].version, list[i].version);
}

int
targets_read(int dir, struct targets *out, struct err *err)
{
	const json_t *body = NULL;
	int r;

	*out = (struct targets){ .documents = json_array() };
	if (!out->documents)
		return err_set(err, ENOMEM, "no memory for targets");
	if ((r = read_document(dir, "targets.json", out, &body, err)) < 0 ||
	    (r = note_role(out, "targets", body, NULL, err)) < 0 ||
	    (r = add_targets(out, body, NULL, err)) < 0 || (r = read_roles(dir, body, NULL, out, err)) < 0)
		return r;
	drop_doubles(out);
	mark_doubles(out);
	qsort(out->list, out->count, sizeof(*out->list), by_time);
	out->by_file = calloc(out->count + 1, sizeof(struct target *));
	if (!out->by_file)
		return err_set(err, ENOMEM, "no memory for targets");
	for (size_t i = 0; i < out->count; i++)
		out->by_file[i] = &out->list[i];
	qsort(out->by_file, out->count, sizeof(struct target *), by_name);
	return 0;
}

void
targets_free(struct targets *targets)
{
	free(targets->by_file);
	free(targets->list);
	free(targets->roles);
	json_decref(targets->documents);
	*targets = (struct targets){ 0 };
}

size_t
targets_from(const struct targets *targets, const char *file)
{
	size_t low = 0, high = targets->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(targets->by_file[middle]->file, file) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct target *
targets_file(const struct targets *targets, const char *file)
{
	size_t i = targets_from(targets, file);

	return i < targets->count && !strcmp(targets->by_file[i]->file, file) ? targets->by_file[i] : NULL;
}
