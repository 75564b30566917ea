#include "store/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/check.h"

#define COPY_BYTES (128 * 1024)

/* What a copy has to turn out to be. */
struct wanted {
	const char *checksum, *kind; /* kind NULL: a binary */
	uint64_t length;
};

static int
open_temporary(struct mend *mend, char name[static 48], struct err *err)
{
	int fd;

	if (mkdirat(mend->repository, "upload", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "upload");
	snprintf(name, 48, "upload/fsck-%d", (int)getpid());
	fd = openat(mend->repository, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(err, "%s", name) : fd;
}

/* Copies @from to @to and checks it on the way. 0, DROP_BAD, -errno. */
static int
copy_object(const struct wanted *wanted, int from, int to, char *buffer, struct err *err)
{
	AUTO(check_freep) struct check *check = NULL;
	int r = check_new(wanted->checksum, wanted->kind, &check, err);
	ssize_t n;

	while (r == 0 && (n = read(from, buffer, COPY_BYTES)) != 0) {
		if (n < 0)
			return drop_bad(err, "cannot be read");
		r = check_feed(check, buffer, (size_t)n, err);
		if (r == 0 && (r = file_write_all(to, buffer, (size_t)n)) < 0)
			return err_set(err, -r, "upload: %s", strerror(-r));
	}
	return r ? r : check_end(check, err);
}

static int
copy_binary(const struct wanted *wanted, int from, int to, char *buffer, struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[DIGEST_HEX_SIZE];
	ssize_t n;
	int r = 0;

	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	while (r == 0 && (n = read(from, buffer, COPY_BYTES)) > 0) {
		EVP_DigestUpdate(md, buffer, (size_t)n);
		r = file_write_all(to, buffer, (size_t)n);
	}
	EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	digest_hex(digest, DIGEST_SHA256_BYTES, hex);
	if (r < 0)
		return err_set(err, -r, "upload: %s", strerror(-r));
	return strcmp(hex, wanted->checksum) ? drop_bad(err, "has another checksum") : 0;
}

static int
make_folders(struct mend *mend, const char *path, struct err *err)
{
	char part[128];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(mend->repository, part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "%s", part);
		*slash = '/';
	}
	return 0;
}

static int
put_in_place(struct mend *mend, int fd, const char *temporary, const char *path, struct err *err)
{
	char folder[128];
	int r = make_folders(mend, path, err);

	if (r < 0)
		return r;
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
	    renameat(mend->repository, temporary, mend->repository, path) < 0)
		return err_sys(err, "%s", path);
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	return file_sync_folder(mend->repository, folder, err);
}

/* Copies the open file @from to @path if it is what is wanted. 0, DROP_BAD, -errno. */
static int
take(struct mend *mend, const struct wanted *wanted, int from, const char *path, struct err *err)
{
	AUTO(free_p) char *buffer = malloc(COPY_BYTES);
	AUTO(close_p) int to = -1;
	char temporary[48];
	int r;

	if (!buffer)
		return err_set(err, ENOMEM, "no memory");
	to = open_temporary(mend, temporary, err);
	if (to < 0)
		return to;
	r = wanted->kind ? copy_object(wanted, from, to, buffer, err)
			 : copy_binary(wanted, from, to, buffer, err);
	if (r == 0)
		r = put_in_place(mend, to, temporary, path, err);
	if (r)
		unlinkat(mend->repository, temporary, 0);
	return r;
}

/* -- objects -- */

static int
open_regular(int dir, const char *path)
{
	AUTO(close_p) int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? MOVE_FD(fd) : -1;
}

/* A folder listing of its own: @dir is listed several times. */
static DIR *
list(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing && fd >= 0)
		close(fd);
	return listing;
}

int
mend_object(struct mend *mend, const char *checksum, const char *kind, struct err *err)
{
	struct wanted wanted = { checksum, kind, 0 };
	AUTO(closedir_p) DIR *drops = mend->done < 0 ? NULL : list(mend->done, ".");
	char path[128], name[512];
	struct dirent *drop;
	int r = DROP_BAD;

	snprintf(path, sizeof(path), "ostree/objects/%.2s/%s.%s", checksum, checksum + 2, kind);
	while (r == DROP_BAD && drops && (drop = readdir(drops))) {
		AUTO(close_p) int from = -1;

		snprintf(name, sizeof(name), "%s/%s", drop->d_name, path + sizeof("ostree/") - 1);
		from = *drop->d_name == '.' ? -1 : open_regular(mend->done, name);
		if (from >= 0)
			r = take(mend, &wanted, from, path, err);
		if (r == 0)
			snprintf(mend->from, sizeof(mend->from), "%s", drop->d_name);
	}
	return r == DROP_BAD ? MEND_NONE : r;
}

/* -- binaries: a file of the right size, the drop itself or in its folder -- */

static int
try_binary(struct mend *mend, const struct wanted *wanted, int dir, const char *name, struct err *err)
{
	AUTO(close_p) int from = open_regular(dir, name);
	char path[128];
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0 || (uint64_t)st.st_size != wanted->length)
		return DROP_BAD;
	snprintf(path, sizeof(path), "binaries/%.2s/%s", wanted->checksum, wanted->checksum + 2);
	return take(mend, wanted, from, path, err);
}

static int
try_folder(struct mend *mend, const struct wanted *wanted, const char *drop, struct err *err)
{
	AUTO(closedir_p) DIR *dir = list(mend->done, drop);
	struct dirent *entry;
	int r = DROP_BAD;

	while (r == DROP_BAD && dir && (entry = readdir(dir)))
		r = try_binary(mend, wanted, dirfd(dir), entry->d_name, err);
	return r;
}

int
mend_binary(struct mend *mend, const char *sha256, uint64_t length, struct err *err)
{
	struct wanted wanted = { sha256, NULL, length };
	AUTO(closedir_p) DIR *drops = mend->done < 0 ? NULL : list(mend->done, ".");
	struct dirent *drop;
	int r = DROP_BAD;

	while (r == DROP_BAD && drops && (drop = readdir(drops))) {
		if (*drop->d_name == '.')
			continue;
		r = try_binary(mend, &wanted, mend->done, drop->d_name, err);
		if (r == DROP_BAD)
			r = try_folder(mend, &wanted, drop->d_name, err);
		if (r == 0)
			snprintf(mend->from, sizeof(mend->from), "%s", drop->d_name);
	}
	return r == DROP_BAD ? MEND_NONE : r;
}

int
mend_put_away(struct mend *mend, const char *path, struct err *err)
{
	char to[256], *name;

	if (mkdirat(mend->repository, "damaged", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "damaged");
	snprintf(to, sizeof(to), "damaged/%s", path);
	for (name = to + sizeof("damaged/") - 1; *name; name++)
		if (*name == '/')
			*name = '_';
	return renameat(mend->repository, path, mend->repository, to) < 0 && errno != ENOENT
		   ? err_sys(err, "%s", to)
		   : 0;
}
