#include "otafs/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "state/history.h"

static int
jump(struct state *state, int64_t now, struct err *err)
{
	char basis[STATE_BASIS_SIZE];
	struct happening happening = { .device = "",
		.at = now,
		.who = STATE_WHO_OTAFS,
		.what = "restored",
		.text = "restored from a backup, versions jump ahead" };
	int64_t epoch, raised_at;
	int r;

	if ((r = state_begin(state, err)) < 0)
		return r;
	if ((r = state_basis(state, basis, err)) == 0 &&
	    (r = state_raise_epoch(state, RESTORE_JUMP, now, basis, err)) == 0)
		r = state_happened(state, &happening, err);
	if ((r = state_end(state, r, err)) < 0 || (r = state_epoch(state, &epoch, &raised_at, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "restored from a backup, versions jump ahead epoch=%lld", (long long)epoch);
	return 0;
}

int
restore_follow(const struct config *config, struct state *state, int64_t now, struct err *err)
{
	AUTO(close_p) int dir = -1;
	char path[CONFIG_VALUE_MAX + 1];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%s", config->state);
	dir = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "folder of %s", config->state);
	if (fstatat(dir, RESTORE_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, RESTORE_FILE);
	if ((r = jump(state, now, err)) < 0)
		return err_context(err, r, RESTORE_FILE);
	if (unlinkat(dir, RESTORE_FILE, 0) < 0)
		return err_sys(err, RESTORE_FILE ": remove it");
	return file_sync_folder(dir, ".", err);
}
