/* Refs: small files below ostree/refs/heads, each replaced as a whole and durably; and the summary of them. */
#include <errno.h>
#include <fcntl.h>
#include <ostree.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "store/repository.h"
#include "store/walk.h"

#define HEADS "ostree/refs/heads/"

int
ingest_check_ref(struct ingest *ingest, const char *ref, struct err *err)
{
	g_autofree char *path = g_strconcat(HEADS, ref, NULL);
	g_autoptr(GError) error = NULL;
	struct stat st;

	if (!ostree_validate_rev(ref, &error))
		return drop_bad(err, "ref \"%.200s\" is no name for a ref", ref);
	if (fstatat(ingest->dir, path, &st, 0) == 0)
		return S_ISDIR(st.st_mode)
			   ? drop_bad(err, "ref %s cannot be set: there are refs below %s/ already", ref, ref)
			   : 0;
	if (errno == ENOTDIR)
		return drop_bad(err, "ref %s cannot be set: a part of its path is a ref already", ref);
	return errno == ENOENT ? 0 : err_sys(err, "%s", path);
}

/* -- setting; under the lock -- */

/* Makes the folders above @path, which is below repository/, and sees to it that they last. */
static int
make_folders(struct ingest *ingest, const char *path, struct err *err)
{
	g_autofree char *folder = g_strdup(path);
	int r = 0;

	for (char *slash = strchr(folder + strlen(HEADS), '/'); r == 0 && slash;
	     slash = strchr(slash + 1, '/')) {
		g_autofree char *above = NULL;

		*slash = '\0';
		above = g_path_get_dirname(folder);
		if (mkdirat(ingest->dir, folder, 0775) < 0 && errno != EEXIST)
			r = err_sys(err, "%s", folder);
		else /* also one that is there: who made it may not have come so far */
			r = file_sync_folder(ingest->dir, above, err);
		*slash = '/';
	}
	return r;
}

/* A temporary file of our own folder: beside the ref it would be a ref itself. */
static int
write_temporary(struct ingest *ingest, const char *commit, struct err *err)
{
	AUTO(close_p)
	int fd = openat(ingest->upload, "ref", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	char line[DIGEST_HEX_SIZE + 1];
	int r;

	snprintf(line, sizeof(line), "%s\n", commit);
	if (fd < 0)
		return err_sys(err, "upload/ref");
	r = file_write_all(fd, line, DIGEST_HEX_SIZE);
	if (r < 0)
		return err_set(err, -r, "upload/ref: %s", strerror(-r));
	/* Served files are readable whatever the umask: the folders above decide who gets here. */
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? err_sys(err, "upload/ref") : 0;
}

static int
write_ref(struct ingest *ingest, const char *ref, const char *commit, struct err *err)
{
	g_autofree char *path = g_strconcat(HEADS, ref, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	int r;

	if ((r = make_folders(ingest, path, err)) < 0 || (r = write_temporary(ingest, commit, err)) < 0)
		return r;
	if (renameat(ingest->upload, "ref", ingest->dir, path) < 0)
		return err_sys(err, "ref %s", ref);
	return file_sync_folder(ingest->dir, folder, err);
}

/* The summary says what the refs say; clients that find none, or an old one, read the refs. */
static void
summarize(struct ingest *ingest)
{
	g_autoptr(GError) error = NULL;

	if (!ostree_repo_regenerate_summary(ingest->repo, NULL, NULL, &error))
		log_line(LOG_WARNING, "summary is out of date reason=\"%s\"", error->message);
}

void
refs_start(struct ingest *ingest)
{
	g_autoptr(GHashTable) refs = NULL;
	g_autoptr(GError) error = NULL;

	if (ostree_repo_list_refs(ingest->repo, NULL, &refs, NULL, &error) && g_hash_table_size(refs))
		summarize(ingest);
}

int
refs_write(struct ingest *ingest, const struct releases *releases, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&ingest->refs_lock);
	for (size_t i = 0; r == 0 && i < releases->count; i++)
		if (*releases->list[i].ref)
			r = write_ref(ingest, releases->list[i].ref, releases->list[i].commit, err);
	summarize(ingest);
	pthread_mutex_unlock(&ingest->refs_lock);
	return r;
}

/* What @ref names now; empty: it is new. */
static int
read_ref(struct ingest *ingest, const char *ref, char commit[static DIGEST_HEX_SIZE], struct err *err)
{
	g_autofree char *path = g_strconcat(HEADS, ref, NULL);
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(ingest->dir, path, DIGEST_HEX_SIZE, &text, &bytes, err);

	*commit = '\0';
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	text[strcspn(text, "\n")] = '\0';
	if (!digest_is_sha256_hex(text))
		return err_set(err, EIO, "ref %s: holds no commit id", ref);
	memcpy(commit, text, DIGEST_HEX_SIZE);
	return 0;
}

static int
check_forward(struct ingest *ingest, const char *ref, const char *commit, struct err *err)
{
	char present[DIGEST_HEX_SIZE];
	struct commit_info info;
	int r = read_ref(ingest, ref, present, err);

	if (r < 0 || !*present || !strcmp(present, commit))
		return r;
	r = ingest_read_commit(ingest, commit, &info, err);
	if (r)
		return r;
	if (strcmp(info.parent, present)) {
		r = INGEST_NOT_FORWARD;
		err_set(err, EEXIST, "ref %s names %s, which is not the parent of %s", ref, present, commit);
	}
	commit_info_done(&info);
	return r;
}

int
ingest_set_ref(struct ingest *ingest, const char *ref, const char *commit, bool is_forced, struct err *err)
{
	char name[REPOSITORY_NAME_SIZE];
	int r;

	if (!digest_is_sha256_hex(commit))
		return drop_bad(err, "\"%.80s\" is no commit id (64 hex digits)", commit);
	r = ingest_check_ref(ingest, ref, err);
	if (r)
		return r;
	source_object_name(commit, "commit", name, sizeof(name));
	r = repository_touch(ingest, name, err);
	if (r == SOURCE_MISSING) {
		err_set(err, ENOENT, "commit %s is not in the repository", commit);
		return INGEST_NO_COMMIT;
	}
	/* No ref may outlive a power cut that an object it needs does not: another's upload may be under way.
	 */
	if (r == 0 && syncfs(ingest->objects) < 0)
		r = err_sys(err, "objects: sync");
	if (r < 0)
		return r;
	pthread_mutex_lock(&ingest->refs_lock);
	r = is_forced ? 0 : check_forward(ingest, ref, commit, err);
	if (r == 0)
		r = write_ref(ingest, ref, commit, err);
	if (r == 0)
		summarize(ingest);
	pthread_mutex_unlock(&ingest->refs_lock);
	return r;
}

/* -- removing -- */

static int
remove_ref(struct ingest *ingest, const char *ref, struct err *err)
{
	g_autofree char *path = g_strconcat(HEADS, ref, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	char *slash;
	int r;

	if (unlinkat(ingest->dir, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, "ref %s", ref);
	r = file_sync_folder(ingest->dir, folder, err);
	/* Folders that are empty now would stand in the way of a ref of that name. */
	while (r == 0 && (slash = strrchr(path, '/')) >= path + strlen(HEADS)) {
		*slash = '\0';
		if (unlinkat(ingest->dir, path, AT_REMOVEDIR) < 0)
			break;
	}
	return r;
}

static int
drop_refs(struct ingest *ingest, const char *commit, struct err *err)
{
	g_autoptr(GHashTable) refs = NULL;
	g_autoptr(GError) error = NULL;
	GHashTableIter at;
	gpointer ref, named;
	int r = 0;

	if (!ostree_repo_list_refs_ext(
		ingest->repo, NULL, &refs, OSTREE_REPO_LIST_REFS_EXT_EXCLUDE_REMOTES, NULL, &error))
		return repository_failed(err, error, "list refs");
	g_hash_table_iter_init(&at, refs);
	while (r == 0 && g_hash_table_iter_next(&at, &ref, &named))
		if (!strcmp(named, commit))
			r = remove_ref(ingest, ref, err);
	return r;
}

int
ingest_drop_refs(struct ingest *ingest, const char *commit, struct err *err)
{
	int r;

	pthread_mutex_lock(&ingest->refs_lock);
	r = drop_refs(ingest, commit, err);
	summarize(ingest);
	pthread_mutex_unlock(&ingest->refs_lock);
	return r;
}

/* -- what is stored, read as a drop would be -- */

static int
open_stored(struct ingest *ingest, const char *commit, struct source **out, struct err *err)
{
	AUTO(source_freep) struct source *source = NULL;
	int r;

	if (!digest_is_sha256_hex(commit))
		return drop_bad(err, "\"%.80s\" is no commit id (64 hex digits)", commit);
	r = source_of_objects(ingest->objects, &source, err);
	if (r == 0)
		r = source_has(source, commit, "commit", err);
	if (r == 0)
		*out = MOVE(source);
	return r;
}

int
ingest_read_commit(struct ingest *ingest, const char *commit, struct commit_info *info, struct err *err)
{
	AUTO(source_freep) struct source *source = NULL;
	int r = open_stored(ingest, commit, &source, err);

	*info = (struct commit_info){ 0 };
	if (r == SOURCE_MISSING) {
		err_set(err, ENOENT, "commit %s is not in the repository", commit);
		return INGEST_NO_COMMIT;
	}
	if (r == 0)
		r = walk_read_commit(source, commit, info, err);
	return r == DROP_BAD ? -EBADMSG : r;
}

int
ingest_check_complete(struct ingest *ingest, const char *commit, struct err *err)
{
	AUTO(source_freep) struct source *source = NULL;
	AUTO(walk_freep) struct walk *walk = NULL;
	struct release release = { 0 };
	struct releases releases = { .list = &release, .count = 1 };
	int r = open_stored(ingest, commit, &source, err);

	if (r == SOURCE_MISSING)
		return drop_bad(err, "commit %s is missing", commit);
	if (r)
		return r;
	memcpy(release.commit, commit, DIGEST_HEX_SIZE);
	return walk_new(source, &releases, &walk, err);
}
