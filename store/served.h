/**
 * What web servers read past otafs, as users of their own: objects/ and deltas/ of the OSTree repository, and
 * binaries/. Whoever makes a folder there makes it 0755, a file 0644; all else below repository/ has a mode of
 * its own. repository/ itself, 2751, may be entered and not listed.
 */
#ifndef STORE_SERVED_H
#define STORE_SERVED_H

#include "lib/err.h"

/**
 * Gives a repository of an earlier release these modes, once: all objects and binaries are looked at, since
 * those that a backup brought back were 0640. Of one that has them, only one mode is looked at. After a crash
 * the next start goes on.
 */
int served_start(int repository, struct err *err);

#endif
