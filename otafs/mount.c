#include "otafs/mount.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <syslog.h>

#include "lib/config.h"
#include "lib/log.h"

int
mount_point_prepare(const char *path, struct err *err)
{
	struct stat st, above;
	struct statfs fs;
	char parent[CONFIG_VALUE_MAX + 8];

	snprintf(parent, sizeof(parent), "%s/..", path);
	/* The kernel answers stat() of a dead mount from its cache for ever; statfs() always asks. */
	if (statfs(path, &fs) < 0 && errno == ENOTCONN) {
		log_line(LOG_NOTICE, "dead mount removed path=%s", path);
		if (umount2(path, MNT_DETACH) < 0)
			return err_sys(err, "%s: unmount", path);
	}
	if (stat(path, &st) < 0 || stat(parent, &above) < 0)
		return err_sys(err, "%s", path);
	if (st.st_dev != above.st_dev)
		return err_set(err, EBUSY, "%s: something is mounted there: is otafs running already?", path);
	/* Without the mount nobody but root gets in, so a web server answers 403 and not 404. */
	return chmod(path, 0700) < 0 ? err_sys(err, "%s", path) : 0;
}

void
mount_point_release(const char *path)
{
	umount2(path, MNT_DETACH);
}
