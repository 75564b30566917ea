/**
 * Texts of the www view that a lookup has made and a read will ask for, by node id (inode_id.h): in memory of
 * one size, whatever the kernel remembers.
 *
 * A read follows its lookup at once, and then the kernel has the text. Later it is asked for only when the
 * kernel has thrown its pages away. One that is not here any more is made anew, with the same bytes, as long as
 * its version is the newest. So what is known to be of an older version goes last. For several threads.
 */
#ifndef OTAFS_DOCUMENTS_H
#define OTAFS_DOCUMENTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

struct documents;

/** With room for @room bytes of texts, and of what is kept beside each. */
int documents_new(size_t room, struct documents **out, struct err *err);
void documents_free(struct documents *documents);

/** Copies @text, if there is none of that id. Without memory, or when it is larger than all the room, it is as
 * if it had gone at once. */
void documents_put(struct documents *documents, uint64_t id, const char *text, size_t bytes);

/** How many bytes the text has, or -ENODATA. */
ssize_t documents_size(struct documents *documents, uint64_t id);

/** Copies up to @room bytes from @offset on: how many, or -ENODATA. */
ssize_t documents_read(struct documents *documents, uint64_t id, char *out, size_t room, off_t offset);

#endif
