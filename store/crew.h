/** Works off a list on two threads, one of which hashes while the other waits for the disk. */
#ifndef STORE_CREW_H
#define STORE_CREW_H

#include <stddef.h>

#include "lib/err.h"

/** Below so many it is not worth a thread. */
#define CREW_MIN 64

/** Does the work of @index; @worker is that of the thread. Anything but 0 ends the whole. */
typedef int crew_work(void *worker, size_t index, struct err *err);

/**
 * Calls @work once for each of 0 to @count - 1, in about that order, until one does not return 0. @first is
 * what this thread has to work with, and @second the other one; NULL: there is none, nor with fewer than
 * CREW_MIN, nor when no thread can be started.
 *
 * Returns 0, or what one of them returned that did not return 0, with its words in @err. All have ended by
 * then.
 */
int crew_run(crew_work *work, void *first, void *second, size_t count, struct err *err);

#endif
