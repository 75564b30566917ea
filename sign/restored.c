#include "sign/restored.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/log.h"

int
restored_follow(int dir, struct ledger *ledger, struct err *err)
{
	struct stat st;
	int r;

	if (fstatat(dir, RESTORED_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, RESTORED_FILE);
	if ((r = ledger_restored(ledger, err)) < 0)
		return err_context(err, r, RESTORED_FILE);
	log_line(LOG_NOTICE, "restored from a backup, versions jump ahead targets=%d",
	    ledger_last(ledger, ROLE_TARGETS));
	if (unlinkat(dir, RESTORED_FILE, 0) < 0)
		return err_sys(err, RESTORED_FILE ": remove it");
	return file_sync_folder(dir, ".", err);
}
