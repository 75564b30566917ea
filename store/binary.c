#include "store/binary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/crew.h"
#include "store/lock.h"

/** One read, one write, one hash. */
#define PIECE (1024 * 1024)
/** "binaries/ab/", 62 digits and its 0. */
#define PATH_SIZE 96

/* One process has one disk. */
static struct space *bounds;

struct binary {
	int repository; /* borrowed */
	struct space_claim claim;
	int fd;        /* -1 once it has ended */
	char name[64]; /* below upload/; empty once it has its own name */
	EVP_MD_CTX *sha256;
	uint64_t length;
	char hex[DIGEST_HEX_SIZE]; /* empty until it has ended */
};

/* -- begin and end -- */

static int
make_folder(int repository, const char *name, mode_t mode, struct err *err)
{
	return mkdirat(repository, name, mode) < 0 && errno != EEXIST ? err_sys(err, "%s", name) : 0;
}

int
binary_start(int repository, struct space *space, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int r, fd;

	bounds = space;
	if ((r = make_folder(repository, "upload", 0700, err)) < 0 ||
	    (r = make_folder(repository, "binaries", 0755, err)) < 0)
		return r;
	fd = openat(repository, "upload", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "upload");
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "binary.", 7))
			unlinkat(fd, entry->d_name, 0);
	return 0;
}

static int
start_hash(struct binary *binary)
{
	binary->sha256 = EVP_MD_CTX_new();
	return binary->sha256 && EVP_DigestInit_ex(binary->sha256, EVP_sha256(), NULL) == 1;
}

int
binary_new(int repository, uint64_t bytes, struct binary **out, struct err *err)
{
	static atomic_ullong number;
	AUTO(binary_freep) struct binary *binary = calloc(1, sizeof(*binary));
	char path[64];
	int r;

	if (!binary)
		return err_set(err, ENOMEM, "no memory");
	binary->repository = repository;
	binary->fd = -1;
	if (!start_hash(binary))
		return err_set(err, ENOMEM, "no memory for a hash");
	binary->claim.space = bounds;
	if ((r = space_claim(&binary->claim, bytes, err)) < 0)
		return r;
	snprintf(path, sizeof(path), "upload/binary.%d.%llu", (int)getpid(), atomic_fetch_add(&number, 1));
	binary->fd = openat(repository, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (binary->fd < 0)
		return err_sys(err, "%s", path);
	snprintf(binary->name, sizeof(binary->name), "%s", path);
	*out = MOVE(binary);
	return 0;
}

static void
remove_upload(struct binary *binary)
{
	if (*binary->name)
		unlinkat(binary->repository, binary->name, 0);
	*binary->name = '\0';
}

void
binary_free(struct binary *binary)
{
	if (!binary)
		return;
	close_p(&binary->fd);
	remove_upload(binary);
	space_release(&binary->claim);
	EVP_MD_CTX_free(binary->sha256);
	free(binary);
}

void
binary_freep(struct binary **binary)
{
	binary_free(*binary);
}

/* -- bytes -- */

static int
hash(struct binary *binary, const void *data, size_t bytes, struct err *err)
{
	if (EVP_DigestUpdate(binary->sha256, data, bytes) != 1)
		return err_set(err, EIO, "libcrypto cannot hash");
	binary->length += bytes;
	return 0;
}

int
binary_write(struct binary *binary, const void *data, size_t bytes, struct err *err)
{
	int r = space_spend(&binary->claim, bytes, err);

	if (r < 0)
		return r;
	r = file_write_all(binary->fd, data, bytes);
	if (r < 0)
		return err_set(err, -r, "binary: %s", strerror(-r));
	return hash(binary, data, bytes, err);
}

/* Reads, hashes and (unless @is_shared) writes @bytes bytes at @at. */
static int
take_data(struct binary *binary, int fd, off_t at, off_t bytes, char *piece, int is_shared, struct err *err)
{
	while (bytes > 0) {
		ssize_t n = pread(fd, piece, bytes < PIECE ? (size_t)bytes : PIECE, at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "binary");
		if (n == 0)
			return drop_bad(err, "the file got shorter while it was read");
		if (!is_shared && lseek(binary->fd, at, SEEK_SET) < 0)
			return err_sys(err, "binary");
		r = is_shared ? hash(binary, piece, (size_t)n, err)
			      : binary_write(binary, piece, (size_t)n, err);
		if (r < 0)
			return r;
		at += n;
		bytes -= n;
	}
	return 0;
}

static int
take_hole(struct binary *binary, off_t bytes, char *piece, struct err *err)
{
	int r = 0;

	if (bytes > 0)
		memset(piece, 0, bytes < PIECE ? (size_t)bytes : PIECE);
	for (; r == 0 && bytes > 0; bytes -= PIECE)
		r = hash(binary, piece, bytes < PIECE ? (size_t)bytes : PIECE, err);
	return r;
}

static int
take_all(struct binary *binary, int fd, off_t size, char *piece, int is_shared, struct err *err)
{
	off_t at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		/* ENXIO: from here on there is a hole only. Elsewhere holes are not known: all is data. */
		if (data < 0)
			data = errno == ENXIO ? size : at;
		if (data > size)
			data = size;
		r = take_hole(binary, data - at, piece, err);
		hole = data < size ? lseek(fd, data, SEEK_HOLE) : size;
		if (hole < 0 || hole > size)
			hole = size;
		if (r == 0)
			r = take_data(binary, fd, data, hole - data, piece, is_shared, err);
		at = hole;
	}
	return r;
}

int
binary_copy(struct binary *binary, int fd, struct err *err)
{
	AUTO(free_p) char *piece = NULL;
	struct stat st;
	int is_shared;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "binary");
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	/* A shared copy stays as it is when the original is written to, so it is what has to be hashed. */
	is_shared = ioctl(binary->fd, FICLONE, fd) == 0;
	if (is_shared && fstat(binary->fd, &st) < 0)
		return err_sys(err, "binary");
	if (!is_shared && ftruncate(binary->fd, st.st_size) < 0)
		return err_sys(err, "binary");
	/* A small file must not cost the pages of a large one. */
	piece = malloc(st.st_size < PIECE ? (size_t)st.st_size + 1 : PIECE);
	if (!piece)
		return err_set(err, ENOMEM, "no memory");
	return take_all(binary, is_shared ? binary->fd : fd, st.st_size, piece, is_shared, err);
}

static int
end_hash(struct binary *binary, struct err *err)
{
	unsigned char digest[DIGEST_SHA256_BYTES];

	if (!binary->sha256)
		return 0;
	if (EVP_DigestFinal_ex(binary->sha256, digest, NULL) != 1)
		return err_set(err, EIO, "libcrypto cannot hash");
	digest_hex(digest, sizeof(digest), binary->hex);
	EVP_MD_CTX_free(MOVE(binary->sha256));
	return 0;
}

int
binary_end(struct binary *binary, struct err *err)
{
	int r;

	if (binary->fd < 0)
		return 0;
	if ((r = end_hash(binary, err)) < 0)
		return r;
	if (fchmod(binary->fd, 0644) < 0)
		return err_sys(err, "%s", binary->name);
	close(MOVE_FD(binary->fd));
	return 0;
}

uint64_t
binary_length(const struct binary *binary)
{
	return binary->length;
}

const char *
binary_sha256(const struct binary *binary)
{
	return binary->hex;
}

/* -- names -- */

static void
path_of(const char *sha256, char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "binaries/%.2s/%.62s", sha256, sha256 + 2);
}

/* Renames, and makes the folder when it is not there. */
static int
rename_to(const struct binary *binary, const char *to, struct err *err)
{
	int r = renameat(binary->repository, binary->name, binary->repository, to);
	char folder[16];

	if (r < 0 && errno == ENOENT) {
		snprintf(folder, sizeof(folder), "binaries/%.2s", binary->hex);
		if ((r = make_folder(binary->repository, folder, 0755, err)) < 0)
			return r;
		r = renameat(binary->repository, binary->name, binary->repository, to);
	}
	return r < 0 ? err_sys(err, "%s", to) : 0;
}

/* Gives it its name; the data is on disk already. */
static int
place(struct binary *binary, struct err *err)
{
	char path[PATH_SIZE];
	int r;

	if (!*binary->name)
		return 0;
	r = binary_has(binary->repository, binary->hex, NULL, err);
	if (r < 0)
		return r;
	if (r == 0) {
		remove_upload(binary);
		space_release(&binary->claim);
		return 0;
	}
	path_of(binary->hex, path);
	if ((r = rename_to(binary, path, err)) < 0)
		return r;
	*binary->name = '\0';
	space_keep(&binary->claim);
	return 0;
}

static int
sync_disk(int repository, struct err *err)
{
	return syncfs(repository) < 0 ? err_sys(err, "repository: sync") : 0;
}

static int
sync_one(int repository, const char *path, struct err *err)
{
	AUTO(close_p) int fd = openat(repository, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_sys(err, "%s", path) : 0;
}

/* One file of many gigabytes beside a busy disk: only what is needed is waited for. */
int
binary_commit(struct binary *binary, struct err *err)
{
	char folder[16];
	int r;

	if (!*binary->name)
		return 0;
	if ((r = binary_end(binary, err)) < 0)
		return r;
	if ((r = sync_one(binary->repository, binary->name, err)) < 0 || (r = place(binary, err)) < 0)
		return r;
	snprintf(folder, sizeof(folder), "binaries/%.2s", binary->hex);
	if ((r = file_sync_folder(binary->repository, folder, err)) < 0)
		return r;
	return file_sync_folder(binary->repository, "binaries", err);
}

/* Of a list of binaries. */
static int
place_one(void *list, size_t index, struct err *err)
{
	struct binary *binary = ((struct binary *const *)list)[index];

	return binary ? place(binary, err) : 0;
}

int
binary_commit_all(int repository, struct binary *const *list, size_t count, struct err *err)
{
	void *all = (void *)(uintptr_t)list;
	size_t left = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (list[i] && *list[i]->name) {
			r = binary_end(list[i], err);
			left++;
		}
	if (r < 0 || left == 0)
		return r;
	/* Data before names, names before anybody is told. */
	r = sync_disk(repository, err);
	if (r == 0)
		r = crew_run(place_one, all, all, count, err);
	return r < 0 ? r : sync_disk(repository, err);
}

int
binary_open(int repository, const char *sha256, int *fd, struct err *err)
{
	char path[PATH_SIZE];

	path_of(sha256, path);
	*fd = openat(repository, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? BINARY_NONE : err_sys(err, "%s", path);
	return 0;
}

int
binary_has(int repository, const char *sha256, uint64_t *bytes, struct err *err)
{
	char path[PATH_SIZE];
	struct stat st;
	int r;

	path_of(sha256, path);
	r = store_touch(repository, repository, path, err);
	if (r < 0)
		return r == -ENOENT ? BINARY_NONE : r;
	if (fstatat(repository, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? BINARY_NONE : err_sys(err, "%s", path);
	if (bytes)
		*bytes = (uint64_t)st.st_size;
	return 0;
}
