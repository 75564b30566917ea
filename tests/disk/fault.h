/**
 * For LD_PRELOAD: a disk that ends, or fails, at a chosen call, or forgets what nobody synced.
 *
 * FAULT_UNDER=PATH[:PATH...] says which folders are on it, FAULT_CONTROL=FILE who decides: the file is a struct
 * fault_control, which the test writes and all programs share. Calls that change these folders are counted:
 * write, truncate, open that creates, rename, link, unlink, mkdir, symlink, and the syncs. At the last of
 * `left` the program that makes it
 *
 *   FAULT_KILL   dies, having made it
 *   FAULT_TEAR   dies, having written half of it (what is no write is made)
 *   FAULT_POWER  dies, having made it, and so does each that comes after and has not: nobody goes on
 *   a number     gets that errno instead; FAULT_FOR_GOOD added to it: as each after it does
 *
 * With FAULT_SHADOW=FOLDER (on the same filesystem, empty, for all to write) what a power cut would take is
 * kept there, so that tests/disk/power-cut can take it. See shadow.h.
 */
#ifndef TESTS_DISK_FAULT_H
#define TESTS_DISK_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAULT_KILL (-1)
#define FAULT_TEAR (-2)
#define FAULT_POWER (-3)
#define FAULT_FOR_GOOD 1000

struct fault_control {
	int32_t how; /**< 0: counts only */
	int32_t left;
	int32_t sequence;  /**< of shadow.c */
	int32_t lies;      /**< what is synced is noted as if it were not */
	int32_t is_memory; /**< malloc, calloc and realloc are counted instead, and the last one is refused */
};

/** This process's, or NULL: nothing is to happen. */
struct fault_control *fault_control(void);

/** Whether @path, or what @fd is, lies in FAULT_UNDER. SQLite's index of the log, -shm, does not count: it is
 * made anew. */
bool fault_is_under(const char *path);
bool fault_fd_is_under(int fd);

/** The path of @fd. */
bool fault_path(int fd, char *out, size_t room);

/** The next definition of a function, which is libc's. */
void *fault_real(const char *name);

#endif
