/**
 * Scope cleanup: a resource is released where its variable ends.
 *
 *     AUTO(free_p) char *text = NULL;
 *     ...
 *     *out = MOVE(text);          // hand over on the last line
 */
#ifndef LIB_CLEANUP_H
#define LIB_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(release) __attribute__((cleanup(release)))

/** Takes the pointer out of @x, which then owns nothing. */
#define MOVE(x)                                                                                                \
	__extension__({                                                                                        \
		__typeof__(x) moved_ = (x);                                                                    \
		(x) = NULL;                                                                                    \
		moved_;                                                                                        \
	})

/** The same for a file descriptor. */
#define MOVE_FD(x)                                                                                             \
	__extension__({                                                                                        \
		int moved_ = (x);                                                                              \
		(x) = -1;                                                                                      \
		moved_;                                                                                        \
	})

static inline void
free_p(void *p)
{
	free(*(void **)p);
}

static inline void
close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
fclose_p(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void
closedir_p(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#endif
