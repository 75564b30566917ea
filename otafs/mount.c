#include "otafs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"

/** A predecessor that was killed a moment ago may still be ending: it is looked for again so often, so far
 * apart.
 */
#define DYING_LOOKS 5
#define DYING_US 100000

/** What may be there already. */
enum { MOUNTED_DEAD = 1, MOUNTED_LIVE };

/* What a call comes to at a mount whose process has ended, or ends while it is asked. */
static bool
is_dead(int code)
{
	return code == ENOTCONN || code == ECONNABORTED;
}

/* 0: nothing is mounted there. */
static int
look(const char *path, struct err *err)
{
	struct stat st, above;
	struct statfs fs;
	char parent[CONFIG_VALUE_MAX + 8];

	snprintf(parent, sizeof(parent), "%s/..", path);
	/* The kernel answers stat() of a dead mount from its cache for ever; statfs() always asks. */
	if (statfs(path, &fs) < 0 && is_dead(errno))
		return MOUNTED_DEAD;
	if (stat(path, &st) < 0 || stat(parent, &above) < 0)
		return is_dead(errno) ? MOUNTED_DEAD : err_sys(err, "%s", path);
	return st.st_dev == above.st_dev ? 0 : MOUNTED_LIVE;
}

static int
take_away(const char *path, struct err *err)
{
	log_line(LOG_NOTICE, "dead mount removed path=%s", path);
	return umount2(path, MNT_DETACH) < 0 ? err_sys(err, "%s: unmount", path) : 0;
}

int
mount_point_prepare(const char *path, struct err *err)
{
	int lives = 0, r;

	while ((r = look(path, err)) > 0) {
		if (r == MOUNTED_DEAD && (r = take_away(path, err)) < 0)
			return r;
		if (r == MOUNTED_LIVE && ++lives > DYING_LOOKS)
			return err_set(
			    err, EBUSY, "%s: something is mounted there: is otafs running already?", path);
		if (r == MOUNTED_LIVE)
			usleep(DYING_US);
	}
	if (r < 0)
		return r;
	/* Without the mount nobody but root gets in, so a web server answers 403 and not 404. */
	return chmod(path, 0700) < 0 ? err_sys(err, "%s", path) : 0;
}

void
mount_point_release(const char *path)
{
	umount2(path, MNT_DETACH);
}

void
mount_shelf_name(const struct config *config, char path[static MOUNT_SHELF_SIZE])
{
	snprintf(path, MOUNT_SHELF_SIZE, "%s%s", config->www, MOUNT_SHELF_SUFFIX);
}

int
mount_shelf(const struct config *config, struct err *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						     MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW };
	char path[MOUNT_SHELF_SIZE];
	AUTO(close_p) int tree = -1;

	mount_shelf_release(config);
	mount_shelf_name(config, path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	/* With all that is mounted in it; it is seen nowhere before it has the attributes. */
	tree = open_tree(AT_FDCWD, config->repository, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0 ||
	    move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "%s: to be shown at %s", config->repository, path);
	return 0;
}

void
mount_shelf_release(const struct config *config)
{
	char path[MOUNT_SHELF_SIZE];

	mount_shelf_name(config, path);
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}
