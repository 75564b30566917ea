#include "watcher/parcel.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "sign/draft.h"
#include "store/crew.h"
#include "store/image.h"
#include "store/offer.h"
#include "store/source.h"
#include "watcher/push.h"

/* What push.json says of one release; the text is borrowed from the JSON. */
struct item {
	const char *file;   /* NULL: the bytes are elsewhere */
	const char *sha256; /* as announced, or NULL */
	int64_t length;     /* as announced, or -1 */
};

/* Where the files are. */
struct place {
	int dir, folder; /* folder -1: the drop is one file */
	const char *name;
};

/* What one of the threads that take files in has to work with. */
struct taker {
	struct parcel *parcel;
	const struct place *place;
	const struct item *items;
	int repository;
	ingest_progress *progress; /* NULL: the other one tells */
	void *data;
};

static bool
is_in(int dir, const char *name, const char *file)
{
	char path[NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", name, file);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
parcel_is_one(int dir, const char *name)
{
	char beside[NAME_MAX + 16];
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return true;
	snprintf(beside, sizeof(beside), "%s.push.json", name);
	return S_ISDIR(st.st_mode) && !is_in(dir, name, "config") && !is_in(dir, name, "objects") &&
	       (is_in(dir, name, "push.json") || handed_is_draft(dir, name) ||
		   faccessat(dir, beside, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

void
parcel_done(struct parcel *parcel)
{
	for (size_t i = 0; parcel->binaries && i < parcel->releases->count; i++)
		binary_free(parcel->binaries[i]);
	free(parcel->binaries);
	handed_done(&parcel->handed);
	*parcel = (struct parcel){ 0 };
}

/* -- what push.json says -- */

static int
set_names(struct release *release, const json_t *json, struct err *err)
{
	const char *name = NULL, *version = NULL, *target = NULL;
	int r;

	if ((r = push_text(json, "name", &name, err)) || (r = push_text(json, "version", &version, err)) ||
	    (r = push_text(json, "target", &target, err)))
		return r;
	if (!name || !version)
		return drop_bad(err, "push.json: a binary needs members \"name\" and \"version\"");
	if (name_check_package(name, err) < 0 || name_check_version(version, err) < 0) {
		err_context(err, 0, "push.json");
		return DROP_BAD;
	}
	strcpy(release->name, name);
	strcpy(release->version, version);
	if (strlen(name) + 1 + strlen(version) > NAME_TARGET_MAX)
		return drop_bad(err, "name and version have %zu bytes together, at most %d are allowed",
		    strlen(name) + 1 + strlen(version), NAME_TARGET_MAX);
	if (target && (r = offer_check_name(target, err)))
		return r;
	snprintf(release->target, sizeof(release->target), "%s", target ? target : "");
	return 0;
}

static int
set_hardware(struct release *release, const json_t *json, struct err *err)
{
	const json_t *list = json_object_get(json, "hardwareIds");

	release->hardware = json_array();
	if (!release->hardware)
		return err_set(err, ENOMEM, "no memory");
	if (!json_is_array(list))
		return drop_bad(
		    err, "push.json: a binary needs \"hardwareIds\", a list of the hardware it is for");
	return push_hardware(list, "push.json", release->hardware, err);
}

static int
set_extras(struct release *release, const json_t *json, struct err *err)
{
	json_t *custom = json_object_get(json, "custom"), *comment = NULL;
	const char *uri = NULL;
	int r;

	if ((r = push_comment(json, &comment, err)) || (r = push_text(json, "uri", &uri, err)))
		return r;
	if (uri && (r = offer_check_uri(uri, err))) {
		err_context(err, 0, "push.json");
		return r;
	}
	if (custom && (r = offer_check_custom(custom, err))) {
		err_context(err, 0, "push.json");
		return r;
	}
	release->comment = json_incref(comment);
	release->custom = json_incref(custom);
	release->uri = json_incref(json_object_get(json, "uri"));
	return 0;
}

static int
read_item(const json_t *json, struct item *item, struct err *err)
{
	int r;

	item->length = -1;
	if ((r = push_text(json, "file", &item->file, err)) ||
	    (r = push_text(json, "sha256", &item->sha256, err)))
		return r;
	if (item->file && (strchr(item->file, '/') || *item->file == '.' || !*item->file))
		return drop_bad(err, "push.json: file \"%.64s\" is no name of a file in the drop", item->file);
	if (item->sha256 && !digest_is_sha256_hex(item->sha256))
		return drop_bad(err, "push.json: member \"sha256\" is not 64 lower-case hex digits");
	if (json_object_get(json, "length") &&
	    json_need_integer(json, "length", "push.json", INT64_MAX, &item->length, err) < 0)
		return DROP_BAD;
	return 0;
}

static int
plan_one(json_t *json, struct releases *out, struct item *item, struct err *err)
{
	struct release *release = releases_add(out);
	int r;

	if (!release)
		return err_set(err, ENOMEM, "no memory");
	release->is_binary = true;
	if (!json_is_object(json))
		return drop_bad(err, "push.json: a release is no JSON object");
	if ((r = push_members(
		 json, " name version hardwareIds comment custom target uri sha256 length file ", err)) ||
	    (r = set_names(release, json, err)) || (r = set_hardware(release, json, err)) ||
	    (r = set_extras(release, json, err)))
		return r;
	return read_item(json, item, err);
}

/* -- the files -- */

static int
open_file(const struct place *place, const char *file, int *fd, struct err *err)
{
	const char *name = place->folder < 0 ? place->name : file;
	struct stat st;

	*fd = openat(place->folder < 0 ? place->dir : place->folder, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT)
		return drop_bad(err, "file \"%.100s\", which push.json names, is not in the drop", name);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return source_failed(err, "%.100s", name);
	if (!S_ISREG(st.st_mode))
		return drop_bad(err, "\"%.100s\" is no regular file", name);
	if (st.st_size > PARCEL_FILE_MAX)
		return drop_bad(err, "file \"%.100s\" has %lld bytes, at most %lld are taken", name,
		    (long long)st.st_size, PARCEL_FILE_MAX);
	return st.st_size ? 0 : drop_bad(err, "file \"%.100s\" is empty", name);
}

static int
check_announced(const struct item *item, const struct binary *binary, struct err *err)
{
	if (item->length >= 0 && (uint64_t)item->length != binary_length(binary))
		return drop_bad(err, "%.100s: has %llu bytes, push.json says %lld", item->file,
		    (unsigned long long)binary_length(binary), (long long)item->length);
	if (item->sha256 && strcmp(item->sha256, binary_sha256(binary)))
		return drop_bad(err, "%.100s: its sha256 is %s, push.json says %s", item->file,
		    binary_sha256(binary), item->sha256);
	return 0;
}

static int
take_file(
    const struct place *place, int repository, const struct item *item, struct binary **out, struct err *err)
{
	AUTO(close_p) int fd = -1;
	struct stat st;
	int r;

	if ((r = open_file(place, item->file, &fd, err)))
		return r;
	if (fstat(fd, &st) < 0)
		return source_failed(err, "%.100s", item->file);
	if ((r = binary_new(repository, (uint64_t)st.st_blocks * 512, out, err)) ||
	    (r = binary_copy(*out, fd, err)) || (r = binary_end(*out, err)))
		return r;
	return check_announced(item, *out, err);
}

static int
take_elsewhere(struct release *release, const struct item *item, struct err *err)
{
	if (!release->uri)
		return drop_bad(err, "push.json: %s %s has neither a \"file\" nor a \"uri\"", release->name,
		    release->version);
	if (!item->sha256 || item->length <= 0)
		return drop_bad(err,
		    "push.json: %s %s is elsewhere (\"uri\"), so \"sha256\" and \"length\" are needed",
		    release->name, release->version);
	strcpy(release->commit, item->sha256);
	release->length = (uint64_t)item->length;
	return 0;
}

static int
take_one(void *worker, size_t at, struct err *err)
{
	const struct taker *taker = worker;
	struct parcel *parcel = taker->parcel;
	struct release *release = &parcel->releases->list[at];
	const struct item *item = &taker->items[at];
	int r;

	if (taker->progress)
		taker->progress(taker->data, at, parcel->releases->count);
	if (!item->file)
		return take_elsewhere(release, item, err);
	r = take_file(taker->place, taker->repository, item, &parcel->binaries[at], err);
	if (r)
		return r;
	strcpy(release->commit, binary_sha256(parcel->binaries[at]));
	release->length = binary_length(parcel->binaries[at]);
	return 0;
}

static bool
is_named(const struct item *items, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].file && !strcmp(items[i].file, file))
			return true;
	return false;
}

/* The files of a folder but push.json: their number, and the last one's name. */
static int
list_files(int folder, char sole[static NAME_MAX + 1], size_t *count, struct err *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*count = 0;
	if (!dir)
		return source_failed(err, "the drop");
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    strcmp(entry->d_name, "push.json")) {
			snprintf(sole, NAME_MAX + 1, "%s", entry->d_name);
			++*count;
		}
	return 0;
}

/* A file that nothing is said of is a mistake, or push.json is not the last edition. */
static int
check_all_named(int folder, const struct item *items, size_t count, struct err *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closedir_p) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char shown[128];

	if (!dir)
		return source_failed(err, "the drop");
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    !strcmp(entry->d_name, "push.json") || is_named(items, count, entry->d_name))
			continue;
		name_printable(entry->d_name, shown, sizeof(shown));
		return drop_bad(
		    err, "\"%s\" is in the drop, but push.json does not name it as a \"file\"", shown);
	}
	return 0;
}

/* With one file in the drop it need not be named. */
static int
find_sole(const struct place *place, char sole[static NAME_MAX + 1], size_t *count, struct err *err)
{
	snprintf(sole, NAME_MAX + 1, "%s", place->name);
	*count = 1;
	return place->folder < 0 ? 0 : list_files(place->folder, sole, count, err);
}

/* -- the whole -- */

static int
take_releases(struct parcel *parcel, const struct place *place, int repository, json_t *list, const char *sole,
    ingest_progress *progress, void *data, struct err *err)
{
	size_t count = json_array_size(list);
	AUTO(free_p) struct item *items = calloc(count + 1, sizeof(*items));
	struct taker first = { parcel, place, items, repository, progress, data }, second = first;
	int r = 0;

	if (count == 0 || count > PARCEL_RELEASES_MAX)
		return drop_bad(
		    err, "push.json: has %zu releases; 1 to %d are taken at once", count, PARCEL_RELEASES_MAX);
	parcel->binaries = calloc(count, sizeof(struct binary *));
	if (!items || !parcel->binaries)
		return err_set(err, ENOMEM, "no memory");
	for (size_t i = 0; r == 0 && i < count; i++)
		r = plan_one(json_array_get(list, i), parcel->releases, &items[i], err);
	if (r == 0 && sole && !items[0].file)
		items[0].file = sole;
	if (r == 0 && place->folder >= 0)
		r = check_all_named(place->folder, items, count, err);
	second.progress = NULL;
	return r ? r : crew_run(take_one, &first, &second, count, err);
}

static int
take_document(struct parcel *parcel, const struct place *place, const json_t *json, const char *sole,
    size_t count, struct err *err)
{
	if (count != 1)
		return drop_bad(err, "there are %zu files in the drop; a signed document is one", count);
	return handed_read(&parcel->handed, place->folder < 0 ? place->dir : place->folder, sole, json, err);
}

static int
take(struct parcel *parcel, const struct place *place, int repository, json_t *json, ingest_progress *progress,
    void *data, struct err *err)
{
	AUTO(json_decref_p) json_t *list = NULL;
	char sole[NAME_MAX + 1];
	size_t count;
	int r;

	if (!json_is_object(json))
		return drop_bad(err, "push.json: is no JSON object");
	if ((r = find_sole(place, sole, &count, err)))
		return r;
	if (handed_is_meant(json))
		return take_document(parcel, place, json, sole, count, err);
	if (!json_object_get(json, "releases"))
		list = json_pack("[O]", json);
	else if ((r = push_members(json, " releases ", err)))
		return r;
	else
		list = json_incref(json_object_get(json, "releases"));
	return take_releases(parcel, place, repository, list,
	    count == 1 && json_array_size(list) == 1 ? sole : NULL, progress, data, err);
}

int
parcel_open(struct parcel *parcel, int repository, int dir, const char *name, int folder, const char *text,
    size_t bytes, ingest_progress *progress, void *data, struct err *err)
{
	const struct place place = { dir, folder, name };
	AUTO(json_decref_p) json_t *json = NULL;

	if (folder >= 0 && handed_is_draft(dir, name))
		return text ? drop_bad(err,
				  "this is a draft (" DRAFT_FILE "), which needs no push.json: remove that")
			    : handed_read_draft(&parcel->handed, dir, name, err);
	if (!text)
		return drop_bad(err, "a file needs NAME.push.json beside it, which says what it is; else what "
				     "is taken is a folder that is "
				     "an OSTree repository (archive, bare, bare-user or bare-user-only)");
	if (json_read(text, bytes, "push.json", &json, err) < 0)
		return DROP_BAD;
	return take(parcel, &place, repository, json, progress, data, err);
}
