/**
 * What a power cut would take, in the strict reading of POSIX: the bytes of a file since its last fsync, and
 * each name since the last fsync of its folder. FAULT_SHADOW has
 *
 *   data/INODE           the file as it was synced last; only of those that changed since
 *   names/NUMBER.FOLDER  a change of names that is not synced yet, FOLDER being the inode of the one whose
 * fsync makes it durable: "made|gone FOLDER NAME" or "moved FOLDER NAME FOLDER NAME" saved/NUMBER         a
 * link to the file that it took away
 *
 * Names have no white space. Nothing of this changes errno.
 */
#ifndef TESTS_DISK_SHADOW_H
#define TESTS_DISK_SHADOW_H

#include <stdbool.h>

/** Before @fd is changed. */
void shadow_before_change(int fd);

/** @fd is a file that was made now, empty. */
void shadow_is_new(int fd);

/** @fd, file or folder, is on the disk now. */
void shadow_synced(int fd);

/** All is. */
void shadow_all_synced(void);

/** A change of names, around it. Returns its number, -1 if it is not to be noted. @taken: the name that it
 * takes away or replaces, or NULL. */
int shadow_begin(int dir, const char *taken);
void shadow_made(int number, int dir, const char *name);
void shadow_gone(int number, int dir, const char *name);
void shadow_moved(int number, int from_dir, const char *from, int to_dir, const char *to);

/** It was not done. */
void shadow_forget(int number);

#endif
