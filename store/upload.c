#include "store/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/repository.h"

struct upload {
	struct ingest *ingest;
	struct check *check;
	struct space_claim claim;
	char object[REPOSITORY_NAME_SIZE]; /* its name in the repository */
	char file[32];                     /* the temporary file's; empty: there is none */
	int fd;
};

/* The refusals of a check do not say which object they are about. */
static int
told(const struct upload *upload, int r, struct err *err)
{
	return r == DROP_BAD ? err_context(err, r, "object %.2s%s", upload->object, upload->object + 3) : r;
}

static int
make_temporary(struct upload *upload, struct err *err)
{
	char file[sizeof(upload->file)];

	snprintf(file, sizeof(file), "object-%lu", atomic_fetch_add(&upload->ingest->uploads, 1));
	upload->fd = openat(upload->ingest->upload, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (upload->fd < 0)
		return err_sys(err, "upload/%s", file);
	memcpy(upload->file, file, sizeof(file));
	return 0;
}

static int
start(struct upload *upload, const char *checksum, const char *kind, uint64_t bytes, struct err *err)
{
	int r = check_new(checksum, kind, &upload->check, err);

	if (r)
		return told(upload, r, err);
	r = repository_touch(upload->ingest, upload->object, err);
	if (r != SOURCE_MISSING)
		return r == 0 ? UPLOAD_EXISTS : r;
	if (bytes > check_max(kind))
		return told(upload,
		    drop_bad(err, "has %llu bytes, a %s has at most %llu", (unsigned long long)bytes, kind,
			(unsigned long long)check_max(kind)),
		    err);
	r = space_claim(&upload->claim, bytes, err);
	return r < 0 ? r : make_temporary(upload, err);
}

int
upload_new(struct ingest *ingest, const char *checksum, const char *kind, uint64_t bytes, struct upload **out,
    struct err *err)
{
	AUTO(upload_freep) struct upload *upload = calloc(1, sizeof(*upload));
	int r;

	if (!upload)
		return err_set(err, ENOMEM, "no memory");
	upload->fd = -1;
	if (!digest_is_sha256_hex(checksum) || !check_max(kind))
		return drop_bad(err, "no object has such a name");
	upload->ingest = ingest;
	upload->claim.space = ingest->space;
	source_object_name(checksum, kind, upload->object, sizeof(upload->object));
	r = start(upload, checksum, kind, bytes, err);
	if (r == 0)
		*out = MOVE(upload);
	return r;
}

void
upload_free(struct upload *upload)
{
	if (!upload)
		return;
	close_p(&upload->fd);
	if (*upload->file)
		unlinkat(upload->ingest->upload, upload->file, 0); /* gone already if it became the object */
	space_release(&upload->claim);
	check_free(upload->check);
	free(upload);
}

void
upload_freep(struct upload **upload)
{
	upload_free(*upload);
}

int
upload_write(struct upload *upload, const void *data, size_t bytes, struct err *err)
{
	int r = check_feed(upload->check, data, bytes, err);

	if (r)
		return told(upload, r, err);
	r = space_spend(&upload->claim, bytes, err);
	if (r < 0)
		return r;
	r = file_write_all(upload->fd, data, bytes);
	return r < 0 ? err_set(err, -r, "upload: %s", strerror(-r)) : 0;
}

int
upload_commit(struct upload *upload, struct err *err)
{
	int r = check_end(upload->check, err);

	if (r)
		return told(upload, r, err);
	/* Served files are readable whatever the umask: the folders above decide who gets here. */
	if (fchmod(upload->fd, 0644) < 0 || fsync(upload->fd) < 0)
		return err_sys(err, "upload: fsync");
	r = repository_place(upload->ingest, upload->file, upload->object, err);
	if (r < 0)
		return r;
	space_keep(&upload->claim);
	return 0;
}

int
upload_room(struct ingest *ingest, uint64_t bytes, struct err *err)
{
	struct space_claim claim = { .space = ingest->space };
	int r = space_spend(&claim, bytes, err);

	if (r == 0)
		space_keep(&claim);
	return r;
}

int
upload_has(struct ingest *ingest, const char *checksum, const char *kind, struct err *err)
{
	char name[REPOSITORY_NAME_SIZE];

	if (!digest_is_sha256_hex(checksum) || !check_max(kind))
		return SOURCE_MISSING;
	source_object_name(checksum, kind, name, sizeof(name));
	return repository_touch(ingest, name, err);
}
