#include "store/source.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

/** A repository's config has a dozen lines, remotes included. */
#define CONFIG_MAX (64 * 1024)
/** Refs are a few folders deep. */
#define REF_DEPTH_MAX 16

static const char *const modes[] = {
	[SOURCE_ARCHIVE] = "archive",
	[SOURCE_BARE] = "bare",
	[SOURCE_BARE_USER] = "bare-user",
	[SOURCE_BARE_USER_ONLY] = "bare-user-only",
};

int
source_failed(struct err *err, const char *format, ...)
{
	int code = errno;
	char words[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	switch (code) {
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ESTALE:
		return err_set(err, code, "%s: %s", words, strerror(code));
	case ELOOP:
		return drop_bad(err, "%s: is a symlink; a drop must hold everything itself", words);
	case EACCES:
		return drop_bad(err, "%s: the watcher may not read it; chmod -R a+rX makes it readable", words);
	default:
		return drop_bad(err, "%s: %s", words, strerror(code));
	}
}

const char *
source_mode_name(enum source_mode mode)
{
	return modes[mode];
}

const char *
source_file_kind(const struct source *source)
{
	return source->mode == SOURCE_ARCHIVE ? "filez" : "file";
}

/* Reads until the end or @max + 1 bytes, so that a file that grows meanwhile is noticed. */
static ssize_t
read_bounded(int fd, char *data, size_t max)
{
	size_t have = 0;

	while (have <= max) {
		ssize_t n = read(fd, data + have, max + 1 - have);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			have += (size_t)n;
	}
	return (ssize_t)have;
}

int
source_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err)
{
	AUTO(close_p) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO(free_p) char *data = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return SOURCE_MISSING;
	if (fd < 0 || fstat(fd, &st) < 0)
		return source_failed(err, "%s", name);
	if (!S_ISREG(st.st_mode))
		return drop_bad(err, "%s: not a regular file", name);
	if ((size_t)st.st_size > max)
		return drop_bad(
		    err, "%s: has %lld bytes, at most %zu are allowed", name, (long long)st.st_size, max);
	data = malloc((size_t)st.st_size + 2);
	if (!data)
		return err_set(err, ENOMEM, "%s: no memory", name);
	n = read_bounded(fd, data, (size_t)st.st_size);
	if (n < 0)
		return source_failed(err, "%s", name);
	if (n > st.st_size)
		return drop_bad(err, "%s: grows while it is read", name);
	data[n] = '\0';
	*bytes = (size_t)n;
	*out = MOVE(data);
	return 0;
}

static int
open_folder(int parent, const char *name, int *out)
{
	*out = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* What O_DIRECTORY says of a symlink differs from what O_NOFOLLOW says; ours is one word for it. */
	if (*out < 0 && errno == ENOTDIR) {
		struct stat st;

		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
			errno = ELOOP;
		else
			errno = ENOTDIR;
	}
	return *out < 0 ? -1 : 0;
}

/* The value of "mode" in section [core], or NULL; @text is cut into pieces. */
static char *
find_mode(char *text)
{
	char *line;
	int in_core = 0;

	while ((line = strsep(&text, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		line += strspn(line, " \t");
		if (*line == '[')
			in_core = !strncmp(line, "[core]", 6);
		else if (in_core && !strncmp(line, "mode", 4) && strchr(" \t=", line[4])) {
			line += 4;
			line += strspn(line, " \t=");
			line[strcspn(line, " \t")] = '\0';
			return line;
		}
	}
	return NULL;
}

static int
read_mode(struct source *source, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	char shown[64], *mode;
	size_t bytes;
	int r;

	r = source_read(source->dir, "config", CONFIG_MAX, &text, &bytes, err);
	if (r == SOURCE_MISSING)
		return drop_bad(err, "no OSTree repository: there is no file \"config\" in it");
	if (r)
		return r;
	mode = find_mode(text);
	if (!mode)
		return drop_bad(err, "config: names no mode in [core]");
	if (!strcmp(mode, "archive-z2")) {
		source->mode = SOURCE_ARCHIVE; /* its name until 2017 */
		return 0;
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(mode, modes[i])) {
			source->mode = (enum source_mode)i;
			return 0;
		}
	name_printable(mode, shown, sizeof(shown));
	return drop_bad(
	    err, "config: mode \"%s\" is not known; archive, bare, bare-user, bare-user-only are", shown);
}

static int
add_ref(struct source *source, const char *name, const char *commit, struct err *err)
{
	struct source_ref *refs;

	if (source->ref_count == SOURCE_REFS_MAX)
		return drop_bad(err, "more than %d refs in one drop", SOURCE_REFS_MAX);
	refs = realloc(source->refs, (source->ref_count + 1) * sizeof(*refs));
	if (!refs)
		return err_set(err, ENOMEM, "refs: no memory");
	source->refs = refs;
	refs += source->ref_count++;
	memcpy(refs->name, name, strlen(name) + 1); /* read_ref_entry() has seen to it that it fits */
	memcpy(refs->commit, commit, DIGEST_HEX_SIZE);
	return 0;
}

static int
read_ref(struct source *source, int dir, const char *file, const char *name, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	r = source_read(dir, file, DIGEST_HEX_SIZE, &text, &bytes, err);
	if (r == SOURCE_MISSING)
		return drop_bad(err, "ref %s: vanished", name);
	if (r)
		return r == DROP_BAD ? err_context(err, r, "ref %s", name) : r;
	if (bytes == DIGEST_HEX_SIZE && text[bytes - 1] == '\n')
		text[bytes - 1] = '\0';
	if (!digest_is_sha256_hex(text))
		return drop_bad(err, "ref %s: does not hold a commit id (64 hex digits)", name);
	return add_ref(source, name, text, err);
}

static int read_refs(
    struct source *source, int parent, const char *folder, const char *prefix, int depth, struct err *err);

static int
read_ref_entry(struct source *source, int dir, const char *file, const char *prefix, int depth, struct err *err)
{
	char name[2 * RELEASE_REF_SIZE], shown[RELEASE_REF_SIZE];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", file);
	name_printable(name, shown, sizeof(shown));
	if (strlen(name) >= RELEASE_REF_SIZE || strcmp(name, shown) || strspn(name, " "))
		return drop_bad(err, "ref \"%.200s\": too long, or not printable ASCII", shown);
	/* rsync writes .NAME.XXXXXX first: a ref is about to be there. */
	if (*file == '.')
		return drop_bad(err, "ref \"%.200s\" is still being copied, or no name for a ref", shown);
	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return source_failed(err, "ref %s", shown);
	if (S_ISDIR(st.st_mode))
		return read_refs(source, dir, file, name, depth + 1, err);
	if (S_ISLNK(st.st_mode))
		return 0; /* an alias of another ref, which is listed by itself */
	return read_ref(source, dir, file, name, err);
}

static int
read_refs(struct source *source, int parent, const char *folder, const char *prefix, int depth, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd, r;

	if (depth > REF_DEPTH_MAX)
		return drop_bad(err, "refs: more than %d folders deep", REF_DEPTH_MAX);
	if (open_folder(parent, folder, &fd) < 0)
		return source_failed(err, "%s", *prefix ? prefix : folder);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, "%s", folder);
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = read_ref_entry(source, dirfd(dir), entry->d_name, prefix, depth, err);
		if (r)
			return r;
	}
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct source_ref *)a)->name, ((const struct source_ref *)b)->name);
}

static int
read_all_refs(struct source *source, struct err *err)
{
	AUTO(close_p) int refs = -1;
	int r;

	if (open_folder(source->dir, "refs", &refs) < 0)
		return source_failed(err, "refs");
	r = read_refs(source, refs, "heads", "", 0, err);
	if (r == 0 && source->ref_count)
		qsort(source->refs, source->ref_count, sizeof(*source->refs), by_name);
	return r;
}

static struct source *
make_source(void)
{
	struct source *source = calloc(1, sizeof(*source));

	if (source) {
		source->dir = source->objects = -1;
		memset(source->prefix, -1, sizeof(source->prefix));
	}
	return source;
}

int
source_of_objects(int objects, struct source **out, struct err *err)
{
	AUTO(source_freep) struct source *source = make_source();

	if (!source)
		return err_set(err, ENOMEM, "no memory");
	source->mode = SOURCE_ARCHIVE;
	source->objects = openat(objects, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source->objects < 0)
		return err_sys(err, "objects");
	*out = MOVE(source);
	return 0;
}

int
source_open(int parent, const char *name, struct source **out, struct err *err)
{
	AUTO(source_freep) struct source *source = make_source();
	int r;

	if (!source)
		return err_set(err, ENOMEM, "no memory");
	if (open_folder(parent, name, &source->dir) < 0)
		return source_failed(err, "the drop");
	r = read_mode(source, err);
	if (r)
		return r;
	if (open_folder(source->dir, "objects", &source->objects) < 0)
		return errno == ENOENT
			   ? drop_bad(err, "no OSTree repository: there is no folder \"objects\" in it")
			   : source_failed(err, "objects");
	r = read_all_refs(source, err);
	if (r)
		return r;
	*out = MOVE(source);
	return 0;
}

void
source_free(struct source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < 256; i++)
		if (source->prefix[i] >= 0)
			close(source->prefix[i]);
	if (source->objects >= 0)
		close(source->objects);
	if (source->dir >= 0)
		close(source->dir);
	free(source->refs);
	free(source);
}

void
source_freep(struct source **source)
{
	source_free(*source);
}

void
source_object_name(const char *checksum, const char *kind, char *name, size_t room)
{
	snprintf(name, room, "%.2s/%s.%s", checksum, checksum + 2, kind);
}

/* The folder objects/ab, opened once. */
static int
prefix_folder(struct source *source, const char *checksum)
{
	char name[3] = { checksum[0], checksum[1], '\0' };
	unsigned char index;

	if (digest_unhex(name, &index, 1) < 0) {
		errno = EINVAL;
		return -1;
	}
	if (source->prefix[index] < 0)
		open_folder(source->objects, name, &source->prefix[index]);
	return source->prefix[index];
}

static bool
keeps_symlinks(const struct source *source)
{
	return source->mode == SOURCE_BARE || source->mode == SOURCE_BARE_USER_ONLY;
}

int
source_has(struct source *source, const char *checksum, const char *kind, struct err *err)
{
	char name[DIGEST_HEX_SIZE + 8];
	int folder = prefix_folder(source, checksum);
	struct stat st;

	snprintf(name, sizeof(name), "%s.%s", checksum + 2, kind);
	if (folder < 0 || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? SOURCE_MISSING : source_failed(err, "objects/%.2s/%s", checksum, name);
	if (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && !strcmp(kind, "file") && keeps_symlinks(source)))
		return 0;
	return drop_bad(err, "objects/%.2s/%s: not a regular file", checksum, name);
}

int
source_object(struct source *source, const char *checksum, const char *kind, int *out, struct err *err)
{
	char name[DIGEST_HEX_SIZE + 8];
	int r = source_has(source, checksum, kind, err);

	if (r == SOURCE_MISSING)
		return drop_bad(err, "object %s.%s is missing", checksum, kind);
	if (r)
		return r;
	snprintf(name, sizeof(name), "%s.%s", checksum + 2, kind);
	*out = openat(prefix_folder(source, checksum), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return *out < 0 ? source_failed(err, "objects/%.2s/%s", checksum, name) : 0;
}
