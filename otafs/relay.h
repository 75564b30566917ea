/**
 * What a process of otafs leaves to the one that goes on with its mounts, after a crash or with a new program:
 * in memory that their parent holds. The kernel goes on as if nothing had happened, so all that it was told has
 * to mean the same.
 *
 * The ids of what is of a device say all themselves (inode_id.h). All other ids have the number of the process
 * that gave them (its run), and stand here with what they are of, the last of them at least; so do the bytes
 * that a lookup has made and a read has yet to ask for. What is not here any more is -ESTALE, which makes the
 * kernel find a path from its beginning, once.
 *
 * One process writes at a time, and may be killed while it does: what is half written counts for nothing.
 */
#ifndef OTAFS_RELAY_H
#define OTAFS_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/config.h"
#include "lib/err.h"

/** Ids and bytes that are remembered; the kernel has taken up memory for what was ever used of it. */
#define RELAY_THINGS_MAX 8192
#define RELAY_BYTES_MAX (32U * 1024 * 1024)
/** Processes one after the other: ids keep 15 bits for that. */
#define RELAY_RUNS_MAX 32767
/** Ids are addresses, of 47 bits or 48, with the run above them. */
#define RELAY_RUN_SHIFT 48
#define RELAY_ADDRESS_MASK ((1ULL << RELAY_RUN_SHIFT) - 1)
/** The kernel's first message on a connection has 104 bytes. */
#define RELAY_GREETING_MAX 256

struct relay;
struct pin;

/** Of a new pair of mounts as in @config. */
int relay_new(const struct config *config, struct relay **out, struct err *err);

/** What another program has left in @fd, which is the caller's as long as this fails: -EPROTO when it is of a
 * version that has another one, or of other mounts than @config has. */
int relay_adopt(int fd, const struct config *config, struct relay **out, struct err *err);
void relay_free(struct relay *relay);

/** Its descriptor, for the program after this one. */
int relay_fd(const struct relay *relay);

/** The process that calls it is the next one. -EOVERFLOW: there were too many. */
int relay_begin(struct relay *relay, struct err *err);

/** The number of the process, from 1 on. */
unsigned relay_run(const struct relay *relay);

/** The last generation of all below devices/ that somebody may know of (core.h); 0: none. */
uint32_t relay_generation(const struct relay *relay);
void relay_set_generation(struct relay *relay, uint32_t generation);

/** Which publication a device reads: PIN_SLOTS of them (pin.h), borrowed. */
struct pin *relay_pins(struct relay *relay);

/** Whether the kernel sends again what a process has taken and not answered: without that nobody can go on.
 * (FUSE_NOTIFY_RESEND, Linux 6.9) */
bool relay_can_resend(const struct relay *relay);
void relay_set_can_resend(struct relay *relay);

/** What the kernel has said first on connection @which, 0 or 1; and notes it. NULL: nothing yet. */
const char *relay_greeting(const struct relay *relay, int which, size_t *bytes);
void relay_set_greeting(struct relay *relay, int which, const char *message, size_t bytes);

/** Notes what @id is of: @path and @tag (inode.h), and @bytes of @content, which may be NULL. */
void relay_put(struct relay *relay, uint64_t id, const struct stat *st, const char *path, int64_t tag,
    const char *content, size_t bytes);

struct relay_thing {
	struct stat st;
	int64_t tag;
	char *path, *content; /* NULL: none */
	size_t bytes;         /* of content */
};

/** What @id is of, which the caller frees by relay_thing_done(); false: it is not known, or there is no memory.
 */
bool relay_find(struct relay *relay, uint64_t id, struct relay_thing *out);
void relay_thing_done(struct relay_thing *thing);

#endif
