#include "tests/device/install.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ostree.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "tests/device/hash.h"
#include "tests/device/target.h"

#define REMOTE "server"
/** aktualizr tries each image so often. */
#define ATTEMPTS 3
#define FIRST_PAUSE_MS 500

typedef int
get_fn(struct device *device, const char *name, const json_t *target, const char *uri, struct err *err);

/* Gives @code with the words of @error, which is freed. */
static int
fail(int code, const char *what, GError *error, struct err *err)
{
	err_set(err, code, "%s: %s", what, error ? error->message : "unknown failure");
	g_clear_error(&error);
	return -code;
}

static int
open_repo(const struct device *device, OstreeRepo **out, struct err *err)
{
	g_autofree char *path = g_build_filename(device->path, "ostree", NULL);
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(OstreeRepo) repo = ostree_repo_new(file);
	GError *error = NULL;

	if (mkdirat(store_folder(device->store), "ostree", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	if (!ostree_repo_create(repo, OSTREE_REPO_MODE_ARCHIVE, NULL, &error) ||
	    !ostree_repo_open(repo, NULL, &error))
		return fail(EIO, path, error, err);
	*out = g_steal_pointer(&repo);
	return 0;
}

static void
add_option(GVariantBuilder *builder, const char *name, GVariant *value)
{
	g_variant_builder_add(builder, "{sv}", name, value);
}

/* The URL or the files may be others than last time, so the remote is made anew. */
static int
set_remote(OstreeRepo *repo, const struct http *http, const char *url, struct err *err)
{
	GVariantBuilder builder;
	g_autoptr(GVariant) options = NULL;
	GError *error = NULL;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
	add_option(&builder, "gpg-verify", g_variant_new_boolean(FALSE));
	add_option(&builder, "tls-client-cert-path", g_variant_new_string(http->cert));
	add_option(&builder, "tls-client-key-path", g_variant_new_string(http->key));
	add_option(&builder, "tls-ca-path", g_variant_new_string(http->ca));
	options = g_variant_ref_sink(g_variant_builder_end(&builder));
	if (!ostree_repo_remote_change(
		repo, NULL, OSTREE_REPO_REMOTE_CHANGE_DELETE_IF_EXISTS, REMOTE, NULL, NULL, NULL, &error) ||
	    !ostree_repo_remote_change(
		repo, NULL, OSTREE_REPO_REMOTE_CHANGE_ADD, REMOTE, url, options, NULL, &error))
		return fail(EIO, "ostree remote", error, err);
	return 0;
}

/* libostree has no error code for bytes that are not what their name says, only these words. */
static int
code_of(const GError *error)
{
	static const char *const words[] = { "Corrupted ", "Parsing ", "Writing content object" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(error->message, words[i]))
			return EBADMSG;
	return ECOMM;
}

static int
pull(OstreeRepo *repo, const char *commit, struct err *err)
{
	const char *const refs[] = { commit, NULL };
	GVariantBuilder builder;
	g_autoptr(GVariant) options = NULL;
	GError *error = NULL;

	g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
	add_option(&builder, "flags", g_variant_new_int32(OSTREE_REPO_PULL_FLAGS_UNTRUSTED));
	add_option(&builder, "refs", g_variant_new_strv(refs, 1));
	options = g_variant_ref_sink(g_variant_builder_end(&builder));
	if (!ostree_repo_pull_with_options(repo, REMOTE, options, NULL, NULL, &error))
		return fail(code_of(error), "ostree pull", error, err);
	return 0;
}

static bool
is_complete(OstreeRepo *repo, const char *commit)
{
	g_autoptr(GVariant) variant = NULL;
	OstreeRepoCommitState state;

	return ostree_repo_load_commit(repo, commit, &variant, &state, NULL) &&
	       !(state & OSTREE_REPO_COMMIT_STATE_PARTIAL);
}

/* A bad object is removed and the commit marked, so that the next pull gets what is missing. */
static int
check_object(OstreeRepo *repo, const char *commit, GVariant *object, struct err *err)
{
	GError *error = NULL;
	OstreeObjectType type;
	const char *checksum;
	char what[128];

	ostree_object_name_deserialize(object, &checksum, &type);
	if (ostree_repo_fsck_object(repo, type, checksum, NULL, &error))
		return 0;
	ostree_repo_delete_object(repo, type, checksum, NULL, NULL);
	ostree_repo_mark_commit_partial(repo, commit, TRUE, NULL);
	snprintf(what, sizeof(what), "object %s.%s", checksum, ostree_object_type_to_string(type));
	return fail(EBADMSG, what, error, err);
}

/* Every object that the commit needs is there and has the content that its name says. */
static int
check_commit(OstreeRepo *repo, const char *commit, struct err *err)
{
	g_autoptr(GHashTable) objects = NULL;
	GHashTableIter at;
	gpointer object;
	GError *error = NULL;
	int r = 0;

	if (!is_complete(repo, commit))
		return err_set(err, EBADMSG, "commit %s: is not complete", commit);
	if (!ostree_repo_traverse_commit(repo, commit, 0, &objects, NULL, &error))
		return fail(EBADMSG, "commit", error, err);
	g_hash_table_iter_init(&at, objects);
	while (r == 0 && g_hash_table_iter_next(&at, &object, NULL))
		r = check_object(repo, commit, object, err);
	return r < 0 ? err_context(err, r, "commit %s", commit) : 0;
}

static int
get_commit(struct device *device, const char *name, const json_t *target, const char *uri, struct err *err)
{
	g_autoptr(OstreeRepo) repo = NULL;
	g_autofree char *treehub = g_strconcat(device->http.url, "/treehub", NULL);
	const char *sha256 = json_text(json_object_get(target, "hashes"), "sha256");
	g_autofree char *commit = sha256 ? g_ascii_strdown(sha256, -1) : NULL;
	int r;

	if (!commit || !digest_is_sha256_hex(commit))
		return err_set(err, EBADMSG, "\"%.128s\": has no sha256, so there is no commit id", name);
	if ((r = open_repo(device, &repo, err)) < 0)
		return r;
	if (!is_complete(repo, commit)) {
		if ((r = set_remote(repo, &device->http, *uri ? uri : treehub, err)) < 0)
			return r;
		r = pull(repo, commit, err);
		if (device->http.is_verbose)
			printf("PULL %s %s\n", commit, r < 0 ? "failed" : "done");
		if (r < 0)
			return r;
	}
	return check_commit(repo, commit, err);
}

/* As aktualizr's urlEncode: slashes stay, a plus does not. */
static char *
target_path(const char *name)
{
	g_autofree char *escaped = g_uri_escape_string(name, "/", FALSE);

	return g_strconcat("/repo/targets/", escaped, NULL);
}

static int
check_file(int fd, off_t bytes, const json_t *target, const char *name, struct err *err)
{
	void *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	int r;

	if (data == MAP_FAILED)
		return err_sys(err, "%s", name);
	r = hash_check(json_object_get(target, "hashes"), data, (size_t)bytes, name, err);
	munmap(data, (size_t)bytes);
	return r == HASH_NONE ? err_set(err, EBADMSG, "%s: has neither sha256 nor sha512", name) : r;
}

/* Fetches what @fd lacks. A server that does not know ranges makes us begin again. */
static int
complete_file(struct device *device, int fd, const char *url, off_t have, off_t length, struct err *err)
{
	int r = have < length ? http_download(&device->http, url, fd, have, length, err) : 0;

	if (r != HTTP_NO_RANGE)
		return r;
	if (ftruncate(fd, 0) < 0)
		return err_sys(err, "%s", url);
	r = http_download(&device->http, url, fd, 0, length, err);
	return r == HTTP_NO_RANGE ? err_set(err, ECOMM, "%s: the server answers no range", url) : r;
}

static int
get_file(struct device *device, const char *name, const json_t *target, const char *uri, struct err *err)
{
	const char *sha256 = json_text(json_object_get(target, "hashes"), "sha256");
	off_t length = (off_t)json_integer_value(json_object_get(target, "length"));
	g_autofree char *usual = target_path(name);
	g_autofree char *place = g_strconcat("images/", sha256 ? sha256 : "", NULL);
	AUTO(close_p) int fd = -1;
	struct stat st;
	int r;

	if (!sha256 || strlen(sha256) != DIGEST_HEX_SIZE - 1 || strchr(sha256, '/'))
		return err_set(err, EBADMSG, "\"%.128s\": has no sha256", name);
	if (length == 0)
		return 0; /* aktualizr asks for nothing then */
	fd = openat(store_folder(device->store), place, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_size > length && ftruncate(fd, 0) < 0))
		return err_sys(err, "%s", place);
	r = complete_file(device, fd, *uri ? uri : usual, st.st_size > length ? 0 : st.st_size, length, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || st.st_size != length)
		return err_set(err, ECOMM, "\"%.128s\": %lld of %lld bytes came", name, (long long)st.st_size,
		    (long long)length);
	r = check_file(fd, length, target, name, err);
	if (r < 0)
		unlinkat(store_folder(device->store), place, 0);
	return r;
}

int
install_fetch(struct device *device, const char *name, const json_t *target, const char *uri, struct err *err)
{
	get_fn *get = target_is_ostree(target) ? get_commit : get_file;
	int r = 0;

	for (int i = 0, pause_ms = FIRST_PAUSE_MS; i < ATTEMPTS; i++, pause_ms *= 2) {
		if (i)
			usleep((useconds_t)pause_ms * 1000);
		r = get(device, name, target, uri, err);
		if (r == 0)
			break;
	}
	return r;
}
