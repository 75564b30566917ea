/**
 * Makes a chosen call of a wrapped function fail: the linker's --wrap sends our calls of malloc, calloc,
 * realloc, strdup, openat, write, fsync, fdatasync, ftruncate, renameat and renameat2 through fault.c.
 */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H

/** From now on let @calls wrapped calls through, then fail one: memory with ENOMEM, the others with EIO. */
void fault_after(int calls);

/** The same, and all after it fail as well. */
void fault_from(int calls);

/** What the others than memory fail with from now on, instead of EIO. */
void fault_code(int code);

/** Stops failing. Returns whether the fault was reached since fault_after(). */
int fault_stop(void);

/** The number of open file descriptors of this process. */
int fault_open_fds(void);

#endif
