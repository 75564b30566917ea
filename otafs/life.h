/**
 * How a parent hears that a process is ending, though it does not end: when one is killed while a thread of it
 * hangs in the kernel, nobody is told before that thread is through.
 *
 * A thread that has no file but the end of a pipe ends at once with all others, and its files with it.
 */
#ifndef OTAFS_LIFE_H
#define OTAFS_LIFE_H

#include "lib/err.h"

/** For the process itself, after sandbox_enter(), of which the thread would have nothing otherwise (Landlock is
 * a thread's own), and before it has other threads: whoever has the other end of the pipe @fd, which is taken
 * over, finds it closed when the process ends or has been killed. */
int life_begin(int fd, struct err *err);

#endif
