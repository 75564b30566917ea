/** What every program's main() does in the same way. */
#ifndef LIB_PROGRAM_H
#define LIB_PROGRAM_H

#include "lib/config.h"
#include "lib/err.h"

/** Where the settings are when -c does not say. */
#define PROGRAM_CONFIG "/etc/otafs/otafs.conf"

/**
 * The whole of main(): reads the options -c FILE (--config), -n (--check), -h (--help) and the settings, then
 * calls @run, whose value is the exit status, or a negative errno that is logged. @summary is the line that
 * help shows.
 */
int program_main(
    int argc, char **argv, const char *summary, int (*run)(const struct config *config, struct err *err));

/** Blocks SIGTERM, SIGINT and SIGHUP for all threads and gives a descriptor that reads them (signalfd). */
int program_signals(int *fd, struct err *err);

/** Makes folder @path if it is missing, owned by @uid and @gid with @mode; parents are made 0755. */
int program_folder(const char *path, uid_t uid, gid_t gid, mode_t mode, struct err *err);

/** The same for the folder that @path lies in; one that exists belongs to somebody and is left as it is. */
int program_folder_above(const char *path, uid_t uid, gid_t gid, mode_t mode, struct err *err);

/** The socket is systemd's: it has the owner and mode of its unit, and stays when the process ends. */
#define PROGRAM_INHERITED 1

/**
 * A Unix socket at @path that listens, with owner and mode; what stood there is replaced. Or PROGRAM_INHERITED:
 * one that listens at @path was handed on by systemd. That protocol is two variables of the environment,
 * sd_listen_fds(3); done here, so that ota-signd, with its keys, does not load libsystemd and the packers that
 * come with it.
 */
int program_listen(const char *path, uid_t uid, gid_t gid, mode_t mode, int *fd, struct err *err);

/** Lets everybody else go first, at the processor and at the disk: for the calling thread. Makes system calls
 * only. */
void program_be_idle(void);

/** Logs @err as the reason why the program ends and returns 1, for use as exit status. */
int program_fail(const struct err *err);

#endif
