#include "otafs/lifetime.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/image.h"
#include "otafs/lifetime_part.h"

#define DAY_SECONDS 86400
#define HOUR_SECONDS 3600

/* Appends to text in a buffer of @room bytes; what does not fit is cut. */
static void append(char *out, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
append(char *out, size_t room, const char *format, ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + used, room - used, format, args);
	va_end(args);
}

/* ---- devices */

static int
note_device(const char *device, const char *serial, int64_t expires_at, void *context)
{
	struct lifetime_devices *devices = context;
	size_t i = devices->count++;

	snprintf(devices->first[i].device, sizeof(devices->first[i].device), "%s", device);
	snprintf(devices->first[i].serial, sizeof(devices->first[i].serial), "%s", serial);
	devices->first[i].expires_at = expires_at;
	return 0;
}

int
lifetimes_count_devices(struct state *state, int64_t now, struct lifetime_devices *out, struct err *err)
{
	int r;

	*out = (struct lifetime_devices){ .at = now };
	r = state_expiry_count(state, now, now + LIFETIME_DEVICE_DAYS * DAY_SECONDS, &out->counts, err);
	return r < 0 ? r : state_expiry_first(state, now, LIFETIME_DEVICES_NAMED, note_device, out, err);
}

int
lifetimes_count_apart(struct reader *reader, int64_t now, struct lifetime_devices *out, struct err *err)
{
	int r;

	*out = (struct lifetime_devices){ .at = now };
	if ((r = reader_begin(reader, err)) < 0)
		return r;
	r = reader_expiry_count(reader, now, now + LIFETIME_DEVICE_DAYS * DAY_SECONDS, &out->counts, err);
	if (r == 0)
		r = reader_expiry_first(reader, now, LIFETIME_DEVICES_NAMED, note_device, out, err);
	reader_end(reader);
	return r;
}

/* ---- the list */

int
lifetime_add(struct lifetimes *list, struct lifetime **out, struct err *err, const char *format, ...)
{
	struct lifetime *more = realloc(list->list, (list->count + 1) * sizeof(*more));
	char what[sizeof(more->what)];
	va_list args;

	if (!more)
		return err_set(err, ENOMEM, "no memory for what expires");
	list->list = more;
	more += list->count++;
	memset(more, 0, sizeof(*more));
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	name_printable(what, more->what, sizeof(more->what));
	*out = more;
	return 0;
}

void
lifetimes_free(struct lifetimes *lifetimes)
{
	for (size_t i = 0; i < lifetimes->count; i++)
		json_decref(lifetimes->list[i].keys);
	free(lifetimes->list);
	*lifetimes = (struct lifetimes){ 0 };
}

/* ---- documents */

/* Where the keys of a role are: "the key ID (here)", "2 of the keys ID (elsewhere), ID (here)". */
static void
print_keys(const json_t *role_keys, char *out, size_t room)
{
	const json_t *list = json_object_get(role_keys, "keys"), *key;
	size_t i;

	if (json_array_size(list) == 1)
		snprintf(out, room, "the key");
	else
		snprintf(out, room, "%lld of the keys",
		    (long long)json_integer_value(json_object_get(role_keys, "threshold")));
	json_array_foreach(list, i, key)
	{
		const char *where = json_text(key, "where"), *id = json_text(key, "keyid");

		append(out, room, "%s%s%s%s%s", i ? ", " : " ", id ? id : "?", where ? " (" : "",
		    where ? where : "", where ? ")" : "");
	}
}

static int64_t
count_keys(const json_t *role_keys, const char *where)
{
	const json_t *key;
	int64_t n = 0;
	size_t i;

	json_array_foreach(json_object_get(role_keys, "keys"), i, key) n +=
	    !strcmp(json_text(key, "where") ?: "", where);
	return n;
}

static enum lifetime_care
care_of(const json_t *role_keys)
{
	int64_t threshold = json_integer_value(json_object_get(role_keys, "threshold")),
		here = count_keys(role_keys, "here");

	if (here >= threshold)
		return LIFETIME_ITSELF;
	return here + count_keys(role_keys, "elsewhere") >= threshold ? LIFETIME_PERSON : LIFETIME_LOST;
}

static json_t *
keys_of(const struct sources *sources, enum repository repository, enum role role)
{
	return json_object_get(json_object_get(sources->keys[repository], "roles"), role_name(role));
}

/* What somebody calls who has the keys, and what comes after it. */
static void
say_command(struct lifetime *out, const struct sources *sources, enum repository repository, enum role role)
{
	const char *name = repository_name(repository);
	bool is_root_here = care_of(keys_of(sources, repository, ROLE_ROOT)) == LIFETIME_ITSELF;

	if (out->care == LIFETIME_LOST && role == ROLE_ROOT)
		snprintf(out->command, sizeof(out->command), "# put the backup of the signer's keys back");
	else if (out->care == LIFETIME_LOST && is_root_here)
		snprintf(out->command, sizeof(out->command), "ota-sign rotate %s %s", name, role_name(role));
	else if (out->care == LIFETIME_LOST)
		snprintf(out->command, sizeof(out->command), "ota-sign root begin %s --rotate %s DRAFT", name,
		    role_name(role));
	else if (role == ROLE_ROOT)
		snprintf(out->command, sizeof(out->command), "ota-sign root begin %s DRAFT", name);
	else
		snprintf(out->command, sizeof(out->command),
		    "ota-sign targets renew targets.json && ota-sign targets sign targets.json --key KEY");
}

/* Roots and the image repository's targets may be somebody's whose keys are elsewhere. */
static bool
may_be_elsewhere(enum repository repository, enum role role)
{
	return role == ROLE_ROOT || (role == ROLE_TARGETS && repository == REPOSITORY_IMAGE);
}

static void
say_who(struct lifetime *out, enum role role)
{
	const char *then = role == ROLE_ROOT
			       ? "; the draft is signed where they are, and comes back through spool/incoming"
			       : "; of a copy of repo/targets.json, which comes back through spool/incoming";
	char keys[sizeof(out->who) - 128];

	if (out->care == LIFETIME_ITSELF) {
		strcpy(out->who, "itself");
		return;
	}
	if (!out->keys) {
		strcpy(out->who, "not known: ota-signd does not say where the keys are");
		return;
	}
	print_keys(out->keys, keys, sizeof(keys));
	if (out->care == LIFETIME_LOST)
		snprintf(out->who, sizeof(out->who), "nobody: it takes %s", keys);
	else
		snprintf(out->who, sizeof(out->who), "who has %s%s", keys, then);
}

/* What the signer does not tell of is taken to renew itself if it has to be able to. */
static void
say_care(struct lifetime *out, const struct sources *sources, enum repository repository, enum role role)
{
	json_t *keys = keys_of(sources, repository, role);

	if (keys)
		out->care = care_of(keys);
	else
		out->care = may_be_elsewhere(repository, role) ? LIFETIME_PERSON : LIFETIME_ITSELF;
	out->keys = json_incref(keys);
	say_who(out, role);
	if (out->care != LIFETIME_ITSELF)
		say_command(out, sources, repository, role);
}

/* @expires: of the document, may be missing; its renewal begins @before seconds earlier. */
static void
say_document(struct lifetime *out, const char *expires, int64_t before)
{
	out->is_needed = true;
	if (!expires || utc_parse(expires, &out->expires_at) < 0)
		snprintf(out->trouble, sizeof(out->trouble), "says no time at which it expires");
	else
		out->renew_at = out->expires_at - before;
}

/* A root is made when a quarter of its life is left; that and its publication are looked at now and then. */
static int64_t
root_before(const struct core *core)
{
	return core->config->root_days * DAY_SECONDS / 4 - HOUR_SECONDS;
}

static int
add_director_root(struct core *core, const struct sources *sources, struct lifetimes *out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	struct lifetime *entry;
	const char *text;
	int r;

	if ((r = lifetime_add(out, &entry, err, "director root")) < 0)
		return r;
	if (core->roots.count == 0) {
		entry->is_needed = true;
		entry->care = LIFETIME_PERSON;
		snprintf(entry->trouble, sizeof(entry->trouble), "ota-signd has none yet, or does not answer");
		strcpy(entry->who, "an administrator");
		strcpy(entry->command, "ota-sign init");
		return 0;
	}
	text = core->roots.texts[core->roots.count - 1];
	if ((r = json_read(text, strlen(text), "root", &root, err)) < 0)
		return r;
	say_care(entry, sources, REPOSITORY_DIRECTOR, ROLE_ROOT);
	say_document(entry, json_text(json_object_get(root, "signed"), "expires"), root_before(core));
	return 0;
}

/* The three documents of each device are made together; of roles without keys the first is told of, targets,
 * which devices cannot do without. */
static int
add_director_documents(struct core *core, const struct sources *sources, struct lifetimes *out, struct err *err)
{
	int64_t epoch, raised_at, life = core->config->director_targets_days * DAY_SECONDS;
	enum role worst = ROLE_COUNT;
	struct lifetime *entry;
	int r;

	if (core->roots.count == 0)
		return 0;
	if ((r = lifetime_add(out, &entry, err, "director documents")) < 0 ||
	    (r = state_epoch(core->state, &epoch, &raised_at, err)) < 0)
		return r;
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		const json_t *keys = keys_of(sources, REPOSITORY_DIRECTOR, role);

		if (keys && care_of(keys) != LIFETIME_ITSELF && worst == ROLE_COUNT)
			worst = role;
	}
	say_care(entry, sources, REPOSITORY_DIRECTOR, worst == ROLE_COUNT ? ROLE_TARGETS : worst);
	/* What is signed when it is read does not last until it expires. */
	if (entry->care == LIFETIME_LOST && worst == ROLE_TARGETS)
		append(entry->who, sizeof(entry->who), "; until then devices that ask get an error");
	entry->is_needed = true;
	entry->expires_at = raised_at + life;
	entry->renew_at = raised_at + life / 2;
	return 0;
}

static int
read_set_file(struct core *core, enum role role, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char name[32];
	size_t bytes;
	int r;

	snprintf(name, sizeof(name), "%s.json", role_name(role));
	if ((r = image_read_file(core->image, name, &text, &bytes, err)) < 0)
		return r;
	return json_read(text, bytes, name, out, err);
}

static int64_t
image_before(const struct core *core, enum role role)
{
	const struct config *config = core->config;

	if (role == ROLE_ROOT)
		return root_before(core);
	return (role == ROLE_TARGETS       ? config->image_targets_days
		   : role == ROLE_SNAPSHOT ? config->snapshot_days
					   : config->timestamp_days) *
	       DAY_SECONDS / 2;
}

static int
add_image_document(struct core *core, const struct sources *sources, enum role role, const char *expires,
    struct lifetimes *out, struct err *err)
{
	struct lifetime *entry;
	int r = lifetime_add(out, &entry, err, "image %s", role_name(role));

	if (r < 0)
		return r;
	say_care(entry, sources, REPOSITORY_IMAGE, role);
	say_document(entry, expires, image_before(core, role));
	return 0;
}

/* What a supplier signs. */
static int
add_delegation(const struct target_role *role, struct lifetimes *out, struct err *err)
{
	AUTO(json_decref_p) json_t *keys = json_array();
	struct lifetime *entry;
	char words[sizeof(entry->who) - 64];
	const json_t *id;
	size_t i;
	int r = lifetime_add(out, &entry, err, "delegation %s", role->name);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(role->entry, "keyids"), i, id)
	    json_array_append_new(keys, json_pack("{s:O,s:s}", "keyid", id, "where", "elsewhere"));
	entry->keys =
	    json_pack("{s:O?,s:O}", "threshold", json_object_get(role->entry, "threshold"), "keys", keys);
	say_document(entry, json_text(role->body, "expires"), 0);
	entry->care = LIFETIME_PERSON;
	print_keys(entry->keys, words, sizeof(words));
	snprintf(entry->who, sizeof(entry->who), "who has %s", words);
	snprintf(entry->command, sizeof(entry->command),
	    "ota-sign delegation renew %.200s.json && ota-sign delegation sign %.200s.json --key KEY",
	    role->name, role->name);
	return 0;
}

static bool
is_listed(const struct lifetimes *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strncmp(list->list[i].what, "delegation ", 11) && !strcmp(list->list[i].what + 11, name))
			return true;
	return false;
}

static int
add_image_targets(struct core *core, const struct sources *sources, struct lifetimes *out, struct err *err)
{
	const struct target_role *roles;
	size_t count;
	int r = 0;

	roles = image_roles(core->image, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!roles[i].entry)
			r = add_image_document(
			    core, sources, ROLE_TARGETS, json_text(roles[i].body, "expires"), out, err);
		else if (!is_listed(out, roles[i].name))
			r = add_delegation(&roles[i], out, err);
	return r;
}

/* A root that the signer took and that is not published: targets.json has no signatures of its keys yet. */
static int
add_held_root(const struct sources *sources, int64_t published, struct lifetimes *out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	const json_t *keys = keys_of(sources, REPOSITORY_IMAGE, ROLE_TARGETS);
	struct lifetime *entry;
	const json_t *body;
	int64_t version;
	int r;

	if (!sources->image_root)
		return 0;
	if ((r = json_read(sources->image_root, strlen(sources->image_root), "root", &root, err)) < 0)
		return r;
	body = json_object_get(root, "signed");
	version = json_integer_value(json_object_get(body, "version"));
	if (version <= published || (keys && care_of(keys) == LIFETIME_ITSELF))
		return 0;
	if ((r = lifetime_add(out, &entry, err, "image root %lld, held back", (long long)version)) < 0)
		return r;
	say_care(entry, sources, REPOSITORY_IMAGE, ROLE_TARGETS);
	say_document(entry, json_text(body, "expires"), 0);
	entry->is_needed = false;
	return 0;
}

static int
add_image(struct core *core, const struct sources *sources, struct lifetimes *out, struct err *err)
{
	static const enum role roles[] = { ROLE_ROOT, ROLE_SNAPSHOT, ROLE_TIMESTAMP };
	int64_t version = 0;
	int r;

	if (!image_number(core->image))
		return 0;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		AUTO(json_decref_p) json_t *file = NULL;
		const json_t *body;
		struct err why;

		/* What is not there says so by having no time. */
		if ((r = read_set_file(core, roles[i], &file, &why)) == -ENOMEM)
			return err_set(err, ENOMEM, "%s", why.text);
		body = json_object_get(file, "signed");
		if (roles[i] == ROLE_ROOT)
			version = json_integer_value(json_object_get(body, "version"));
		if ((r = add_image_document(core, sources, roles[i], json_text(body, "expires"), out, err)) < 0)
			return r;
	}
	if ((r = add_image_targets(core, sources, out, err)) < 0)
		return r;
	return add_held_root(sources, version, out, err);
}

/* ---- order */

static int
by_name(const void *a, const void *b)
{
	const struct lifetime *x = a, *y = b;
	int r = strcmp(x->what, y->what);

	return r ? r : (x->expires_at > y->expires_at) - (x->expires_at < y->expires_at);
}

/* What is not known may be over already. */
static int
by_time(const void *a, const void *b)
{
	const struct lifetime *x = a, *y = b;
	int r = (x->expires_at > y->expires_at) - (x->expires_at < y->expires_at);

	return r ? r : strcmp(x->what, y->what);
}

/* Two CAs may have one name. */
static void
number_doubles(struct lifetimes *list)
{
	char last[sizeof(list->list->what)] = "";
	int n = 1;

	qsort(list->list, list->count, sizeof(*list->list), by_name);
	for (size_t i = 0; i < list->count; i++) {
		struct lifetime *entry = &list->list[i];

		n = strcmp(last, entry->what) ? 1 : n + 1;
		strcpy(last, entry->what);
		if (n > 1)
			append(entry->what, sizeof(entry->what), " #%d", n);
	}
}

int
lifetimes_list(struct core *core, const struct sources *sources, const struct lifetime_devices *devices,
    struct lifetimes *out, struct err *err)
{
	int r;

	*out = (struct lifetimes){ 0 };
	if ((r = add_director_root(core, sources, out, err)) < 0 ||
	    (r = add_director_documents(core, sources, out, err)) < 0 ||
	    (r = add_image(core, sources, out, err)) < 0 || (r = lifetime_add_devices(devices, out, err)) < 0 ||
	    (r = lifetime_add_tokens(core, devices->at, out, err)) < 0)
		return r;
	for (size_t i = 0; i < sources->count; i++)
		if ((r = lifetime_add_file(&sources->files[i], out, err)) < 0)
			return r;
	number_doubles(out);
	qsort(out->list, out->count, sizeof(*out->list), by_time);
	return 0;
}
