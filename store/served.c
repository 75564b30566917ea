#include "store/served.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

/* deltas/XX/REST/part */
#define DELTA_DEPTH 3
/* objects/XX/REST and binaries/XX/REST: what a backup of an earlier release brought back is 0640. */
#define SHELF_DEPTH 2

/* Lets others enter and list the folder, or read the file, that is open as @fd. */
static int
let_read(int fd, const char *name, struct err *err)
{
	struct stat st;
	mode_t mode;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s", name);
	mode = (st.st_mode & 07777) | (S_ISDIR(st.st_mode) ? 0755 : 0644);
	if (mode != (st.st_mode & 07777) && fchmod(fd, mode) < 0)
		return err_sys(err, "%s: to let web servers read it", name);
	return 0;
}

static int open_up(int parent, const char *name, int depth, struct err *err);

static int
open_up_all(DIR *dir, int depth, struct err *err)
{
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			r = open_up(dirfd(dir), entry->d_name, depth, err);
	return r;
}

/* The same with what is below @name, @depth deep; what is not there is fine. */
static int
open_up(int parent, const char *name, int depth, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : err_sys(err, "%s", name);
	r = let_read(fd, name, err);
	dir = r == 0 && depth > 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		close(fd);
		return r < 0 || depth == 0 || errno == ENOTDIR ? r : err_sys(err, "%s", name);
	}
	return open_up_all(dir, depth - 1, err);
}

int
served_start(int repository, struct err *err)
{
	struct stat st;
	int r;

	if (fstatat(repository, "ostree", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "ostree");
	if (st.st_mode & S_IXOTH)
		return 0;
	if ((r = open_up(repository, "binaries", SHELF_DEPTH, err)) < 0 ||
	    (r = open_up(repository, "ostree/deltas", DELTA_DEPTH, err)) < 0 ||
	    (r = open_up(repository, "ostree/objects", SHELF_DEPTH, err)) < 0)
		return r;
	return open_up(repository, "ostree", 0, err); /* the last: it says that all is done */
}
