#include "store/walk.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

struct walk {
	struct source *source;
	const struct releases *releases;
	GPtrArray *objects; /* owns them; in the order in which they were found */
	GHashTable *seen;
};

/* How libostree writes them; ostree-core.h, OSTREE_*_GVARIANT_FORMAT. */
static const struct {
	const char *name, *type;
} metadata_kinds[] = {
	[OBJECT_COMMIT] = { "commit", "(a{sv}aya(say)sstayay)" },
	[OBJECT_DIRTREE] = { "dirtree", "(a(say)a(sayay))" },
	[OBJECT_DIRMETA] = { "dirmeta", "(uuua(ayay))" },
};
enum { COMMIT_METADATA = 0, COMMIT_PARENT = 1, COMMIT_TREE = 6, COMMIT_META = 7 };

const char *
walk_kind(const struct walk *walk, const struct object *object)
{
	return object->kind == OBJECT_FILE ? source_file_kind(walk->source) : metadata_kinds[object->kind].name;
}

int
walk_bad(const struct walk *walk, const struct object *object, struct err *err, const char *format, ...)
{
	const struct release *release = &walk->releases->list[object->release];
	char what[ERR_TEXT_MAX], ref[120] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (*release->ref)
		snprintf(ref, sizeof(ref), " (ref %.100s)", release->ref);
	return drop_bad(err, "commit %.64s%s needs object %s.%s, which %.200s", release->commit, ref,
	    object->checksum, walk_kind(walk, object), what);
}

/* Reads an object, verifies its checksum and reads its form. SOURCE_MISSING, DROP_BAD, -errno. */
static int
load(struct source *source, const char *checksum, enum object_kind kind, GBytes **bytes, GVariant **out,
    struct err *err)
{
	const char *kind_name = metadata_kinds[kind].name;
	char name[80], found[DIGEST_HEX_SIZE];
	char *data = NULL;
	size_t size;
	int r;

	r = source_has(source, checksum, kind_name, err);
	source_object_name(checksum, kind_name, name, sizeof(name));
	if (r == 0)
		r = source_read(source->objects, name, SOURCE_METADATA_MAX, &data, &size, err);
	if (r)
		return r;
	*bytes = g_bytes_new_with_free_func(data, size, free, data);
	digest_sha256_hex(data, size, found);
	if (strcmp(found, checksum))
		return drop_bad(err, "is damaged: its bytes have checksum %s", found);
	*out = g_variant_ref_sink(
	    g_variant_new_from_bytes(G_VARIANT_TYPE(metadata_kinds[kind].type), *bytes, FALSE));
	if (!g_variant_is_normal_form(*out))
		return drop_bad(err, "has not the form of a %s", kind_name);
	return 0;
}

int
walk_read(struct walk *walk, const struct object *object, char **data, size_t *bytes, struct err *err)
{
	g_autoptr(GVariant) value = NULL;
	g_autoptr(GBytes) loaded = NULL;
	int r;

	r = load(walk->source, object->checksum, object->kind, &loaded, &value, err);
	if (r == SOURCE_MISSING)
		return walk_bad(walk, object, err, "is missing");
	if (r == DROP_BAD) {
		struct err why = *err;

		return walk_bad(walk, object, err, "%s", why.text);
	}
	if (r == 0) {
		*bytes = g_bytes_get_size(loaded);
		*data = malloc(*bytes + 1);
		if (!*data)
			return err_set(err, ENOMEM, "no memory");
		memcpy(*data, g_bytes_get_data(loaded, NULL), *bytes);
	}
	return r;
}

/* -- what a commit says -- */

/* "ota.hardware-ids" is one text or a list. */
static json_t *
hardware_of(GVariant *metadata)
{
	g_autoptr(GVariant) value = g_variant_lookup_value(metadata, "ota.hardware-ids", NULL);
	json_t *list;

	if (!value)
		return NULL;
	list = json_array();
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
		json_array_append_new(list, json_string(g_variant_get_string(value, NULL)));
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY)) {
		g_autofree const char **names = g_variant_get_strv(value, NULL);

		for (size_t i = 0; i <= RELEASE_HARDWARE_MAX && names[i]; i++)
			json_array_append_new(list, json_string(names[i]));
	}
	return list;
}

static void
parent_of(GVariant *commit, char parent[static DIGEST_HEX_SIZE])
{
	g_autoptr(GVariant) bytes = g_variant_get_child_value(commit, COMMIT_PARENT);

	*parent = '\0';
	if (g_variant_get_size(bytes) == DIGEST_SHA256_BYTES)
		digest_hex(g_variant_get_data(bytes), DIGEST_SHA256_BYTES, parent);
}

int
walk_read_commit(struct source *source, const char *checksum, struct commit_info *info, struct err *err)
{
	g_autoptr(GVariant) commit = NULL;
	g_autoptr(GVariant) metadata = NULL;
	g_autoptr(GBytes) bytes = NULL;
	const char *version;
	int r;

	*info = (struct commit_info){ 0 };
	r = load(source, checksum, OBJECT_COMMIT, &bytes, &commit, err);
	if (r == SOURCE_MISSING)
		return drop_bad(err, "object %s.commit: is missing", checksum);
	if (r)
		return r == DROP_BAD ? err_context(err, r, "object %s.commit", checksum) : r;
	metadata = g_variant_get_child_value(commit, COMMIT_METADATA);
	if (g_variant_lookup(metadata, "version", "&s", &version))
		info->version = json_string(version);
	info->hardware = hardware_of(metadata);
	parent_of(commit, info->parent);
	return 0;
}

void
commit_info_done(struct commit_info *info)
{
	json_decref(info->version);
	json_decref(info->hardware);
	*info = (struct commit_info){ 0 };
}

/* -- the walk -- */

static guint
hash(gconstpointer p)
{
	const struct object *object = p;

	return g_str_hash(object->checksum) + object->kind;
}

static gboolean
equal(gconstpointer a, gconstpointer b)
{
	const struct object *x = a, *y = b;

	return x->kind == y->kind && !strcmp(x->checksum, y->checksum);
}

/* Tells @child the object whose checksum is the bytes of member @index of @parent. */
static int
tell_member(
    GVariant *parent, size_t index, enum object_kind kind, walk_child *child, void *data, struct err *err)
{
	g_autoptr(GVariant) bytes = g_variant_get_child_value(parent, index);
	char checksum[DIGEST_HEX_SIZE];

	if (g_variant_get_size(bytes) != DIGEST_SHA256_BYTES)
		return drop_bad(err, "holds a checksum of %zu bytes", g_variant_get_size(bytes));
	digest_hex(g_variant_get_data(bytes), DIGEST_SHA256_BYTES, checksum);
	return child(data, checksum, kind, err);
}

static int
check_file_name(GVariant *entry, struct err *err)
{
	const char *name;

	g_variant_get_child(entry, 0, "&s", &name);
	if (*name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/'))
		return 0;
	return drop_bad(err, "holds a file name that is a path");
}

static int
tell_entries(GVariant *dirtree, size_t list, walk_child *child, void *data, struct err *err)
{
	g_autoptr(GVariant) entries = g_variant_get_child_value(dirtree, list);
	size_t n = g_variant_n_children(entries);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(entries, i);

		r = check_file_name(entry, err);
		if (r == 0)
			r = tell_member(entry, 1, list ? OBJECT_DIRTREE : OBJECT_FILE, child, data, err);
		if (r == 0 && list)
			r = tell_member(entry, 2, OBJECT_DIRMETA, child, data, err);
	}
	return r;
}

int
walk_children(struct source *source, const char *checksum, enum object_kind kind, walk_child *child, void *data,
    struct err *err)
{
	g_autoptr(GVariant) value = NULL;
	g_autoptr(GBytes) bytes = NULL;
	int r = load(source, checksum, kind, &bytes, &value, err);

	if (r)
		return r;
	switch (kind) {
	case OBJECT_COMMIT:
		r = tell_member(value, COMMIT_TREE, OBJECT_DIRTREE, child, data, err);
		return r ? r : tell_member(value, COMMIT_META, OBJECT_DIRMETA, child, data, err);
	case OBJECT_DIRTREE:
		r = tell_entries(value, 1, child, data, err);
		return r ? r : tell_entries(value, 0, child, data, err);
	default:
		return 0;
	}
}

/* A step of the walk: whom the children are needed by. */
struct step {
	struct walk *walk;
	size_t release;
};

static int
need(void *data, const char *checksum, enum object_kind kind, struct err *err)
{
	struct step *step = data;
	struct walk *walk = step->walk;
	struct object key = { .kind = (unsigned char)kind, .release = (unsigned short)step->release };
	struct object *object;

	memcpy(key.checksum, checksum, DIGEST_HEX_SIZE);
	if (g_hash_table_contains(walk->seen, &key))
		return 0;
	if (walk->objects->len == WALK_OBJECTS_MAX)
		return drop_bad(err, "needs more than %d objects", WALK_OBJECTS_MAX);
	object = g_memdup2(&key, sizeof(key));
	g_hash_table_add(walk->seen, object);
	g_ptr_array_add(walk->objects, object);
	return 0;
}

static int
visit(struct walk *walk, const struct object *object, struct err *err)
{
	struct step step = { walk, object->release };
	int r;

	if (object->kind == OBJECT_FILE)
		r = source_has(walk->source, object->checksum, source_file_kind(walk->source), err);
	else
		r = walk_children(walk->source, object->checksum, object->kind, need, &step, err);
	return r == SOURCE_MISSING ? drop_bad(err, "is missing") : r;
}

/* The list grows while it is walked; it ends when everything was looked at. */
static int
visit_all(struct walk *walk, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < walk->releases->count; i++) {
		struct step step = { walk, i };

		r = need(&step, walk->releases->list[i].commit, OBJECT_COMMIT, err);
	}
	for (guint i = 0; r == 0 && i < walk->objects->len; i++) {
		const struct object *object = g_ptr_array_index(walk->objects, i);

		r = visit(walk, object, err);
		if (r == DROP_BAD) {
			struct err why = *err;

			walk_bad(walk, object, err, "%s", why.text);
		}
	}
	return r;
}

int
walk_new(struct source *source, const struct releases *releases, struct walk **out, struct err *err)
{
	AUTO(walk_freep) struct walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		return err_set(err, ENOMEM, "no memory");
	walk->source = source;
	walk->releases = releases;
	walk->objects = g_ptr_array_new_with_free_func(g_free);
	walk->seen = g_hash_table_new(hash, equal);
	r = visit_all(walk, err);
	if (r == 0)
		*out = MOVE(walk);
	return r;
}

void
walk_free(struct walk *walk)
{
	if (!walk)
		return;
	g_hash_table_unref(walk->seen);
	g_ptr_array_unref(walk->objects);
	free(walk);
}

void
walk_freep(struct walk **walk)
{
	walk_free(*walk);
}

size_t
walk_count(const struct walk *walk)
{
	return walk->objects->len;
}

const struct object *
walk_object(const struct walk *walk, size_t index)
{
	return g_ptr_array_index(walk->objects, index);
}
