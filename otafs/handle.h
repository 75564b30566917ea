/** Open files and folders of the full view: what a read gives and what a write does, without FUSE. */
#ifndef OTAFS_HANDLE_H
#define OTAFS_HANDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "otafs/lines.h"
#include "otafs/node.h"
#include "otafs/pieces.h"

/**
 * A transaction is written, then handed in by a read from its start, then answered.
 *
 * A series (ROW_SERIES) is one after another: each write at offset 0 begins anew. Its first line says which
 * file of gate/ that transaction is, "ID/SERIAL/NAME", and the body comes behind that line.
 */
enum handle_stage { HANDLE_WRITTEN, HANDLE_HANDED_IN, HANDLE_ANSWERED };

/** Bodies that are written and not answered, of all together: ota-gate hands in 64 at a time, of 4 MiB at most.
 * A gate that is broken into could open as many as it likes. */
#define HANDLE_BODIES_MAX ((size_t)256 * 1024 * 1024)

struct handle {
	enum node_kind kind;
	size_t room; /**< of a series: most bytes of data */
	int fd;      /**< a file on disk; -1: none */
	char *data;  /**< the text as it was at open, or a transaction's body and then its reply; may be NULL */
	size_t bytes;  /**< of data */
	size_t held;   /**< of these, what counts as a body */
	bool is_apart; /**< the node is (node_is_apart()) */
	bool is_transaction, is_series;

	/* Guards what follows, data of a text that grows, and that of a transaction while it is not handed in;
	 * taken around the core's lock, never inside it. */
	pthread_mutex_t lock;
	_Atomic enum handle_stage
	    stage;     /**< of a transaction; while it is handed in data is nobody's to change */
	int refused;   /**< of a transaction: -errno of the write that was refused; 0: none */
	void *waiting; /**< whoever reads while it is handed in, for handle_answer()'s caller */
	bool is_growing;
	struct pieces pieces; /**< folders, streams, and what is read of a NODE_LINES */
	struct lines lines;   /**< what is written to it */
};

/** Opens @node with the @flags of open(2); a transaction that is opened for reading alone is an empty file.
 * -EISDIR, -EACCES, or what generating its text gave. */
int handle_open(const struct node *node, int flags, struct handle **out, struct err *err);

/** Opens a folder, whose names are its pieces: nothing is listed yet. */
int handle_open_folder(const struct node *node, struct handle **out, struct err *err);
void handle_free(struct handle *handle);

/**
 * A write: a piece of a transaction's body (pieces come in order, -EINVAL if not, -EFBIG beyond the node's
 * room, -ENOBUFS when all together are too many), or a whole command to a control file, whatever the offset, so
 * that ">" and ">>" mean the same.
 */
int handle_write(
    struct handle *handle, struct node *node, const char *data, size_t bytes, off_t offset, struct err *err);

/** A text that grows: makes it anew when @offset is at its end or behind. */
int handle_look_again(struct handle *handle, const struct node *node, off_t offset, struct err *err);

/** Whether a transaction has its reply, which does not change any more unless it is a series; needs no lock. */
bool handle_is_answered(const struct handle *handle);

/** A write to a series, whose rights do not end while it is open: a piece of a body, as above, but that one at
 * offset 0 begins the next. -EBUSY while the last one is handed in. */
int handle_continue(struct handle *handle, const char *data, size_t bytes, off_t offset);

/** Writes the path of the transaction that a series has now; -ENOENT: its first line is no such path. */
int handle_path(const struct handle *handle, char path[static NODE_PATH_MAX]);

/** The body of a transaction. */
const char *handle_body(const struct handle *handle, size_t *bytes);

/**
 * A read of a transaction at @offset. 0: it is the one that hands it in: the caller has it prepared and
 * committed, and calls handle_answer(); HANDLE_WAITS: another has done so; -EINVAL away from the start; or the
 * -errno of the write that was refused. From then on nothing is written.
 */
#define HANDLE_WAITS 1
int handle_hand_in(struct handle *handle, off_t offset);

/** Gives it its reply, which it frees. NULL: there is none, and it may be handed in again. Who sends the reply
 * does so with the handle's lock, for which handle_free() waits. */
void handle_answer(struct handle *handle, char *reply, size_t bytes);

#endif
