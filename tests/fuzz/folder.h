/** Folders in memory, for fuzzers whose input is files. */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int
folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/** Removes the folder and all in it. */
static inline void
folder_remove(const char *path)
{
	assert(nftw(path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

/** Makes an empty folder anew, and opens it. */
static inline int
folder_make(const char *path)
{
	int fd;

	folder_remove(path);
	assert(mkdir(path, 0700) == 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(fd >= 0);
	return fd;
}

/** A file with @bytes of @text. */
static inline void
folder_put(int dir, const char *name, const void *text, size_t bytes)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
	close(fd);
}

#endif
