/**
 * What a program keeps of its power once it is its user and has opened what it needs: files below the paths
 * that it names (Landlock, Linux 5.13) and the system calls of lib/calls.h, no TCP, no executable memory that
 * was written, no core file with keys in it. All of it holds for good, for each thread and for each program
 * that it starts, with systemd or without.
 *
 * It comes on top of users and modes, which already keep each program from what is not its own; against them
 * nothing is won. It is what is left when a user's files are readable for all, when two instances have the same
 * users, or when the kernel has a hole behind a call that nobody here makes.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stdbool.h>

#include "lib/config.h"
#include "lib/err.h"

enum {
	SANDBOX_READ = 1,  /**< files and folders below are read */
	SANDBOX_WRITE = 2, /**< and made, changed, renamed, removed */
	SANDBOX_ANY = 8,   /**< what is renamed may be a pipe, a socket, a device: others have put it there */
	SANDBOX_ABOVE = 4, /**< it is about the folder that the path lies in: files that are exchanged as a
			      whole, and mounts, which come back as others */
};

/** @path and what may be done below it. One that is missing is left out; so is "-", which is no path.
 */
struct sandbox_rule {
	const char *path;
	int can;
};

/**
 * Gives up everything but @rules, which end with a NULL path, and what each program reads: libraries, OpenSSL's
 * settings, time zones. With @runs it may start programs of /usr, too, which are held to the
 * same; they find no /tmp.
 *
 * Before any thread is there. What this kernel does not have is told in the log, once, and done without.
 * Returns 0 or -errno. It does nothing when the setting "sandbox" is 0, and when built with SANDBOX_OFF:
 * sanitizers and coverage need more than this leaves.
 */
int sandbox_enter(const struct config *config, const struct sandbox_rule *rules, bool runs, struct err *err);

#endif
