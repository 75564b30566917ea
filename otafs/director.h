/**
 * The director's documents of one device, made from its open assignments.  (Uptane 2.1, 5.2.3, 5.3.2)
 *
 * They are a function of the stored state: version = the device's counter + the fleet's epoch, expiry = the
 * moment the epoch was raised + the lifetime. So the same version has the same bytes on every read, and reading
 * writes nothing.
 */
#ifndef OTAFS_DIRECTOR_H
#define OTAFS_DIRECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"
#include "otafs/core.h"

/** What aktualizr reads of a director document (aktualizr-wire 2.3). */
#define DIRECTOR_BYTES_MAX (64 * 1024)

/** The version that the device's documents have now. */
int director_version(struct core *core, const struct device *device, int64_t *version, struct err *err);

/** What a document is made from, as of one moment. */
struct director_source;

/** Notes it; the caller calls director_discard(). -EAGAIN without a root. */
int director_gather(struct core *core, const struct device *device, enum role role,
    struct director_source **out, struct err *err);
void director_discard(struct director_source *source);
void director_discardp(struct director_source **source);

/** The signer wants something else first: call director_mend(). */
#define DIRECTOR_OPPOSED 1

/** Makes targets, snapshot or timestamp, signed, and with blanks up to a size of director_size_kb; without the
 * core's lock. The caller frees @out. 0, DIRECTOR_OPPOSED, or -errno; -EAGAIN without the signer. */
int director_make(
    struct client *signer, struct director_source *source, char **out, size_t *bytes, struct err *err);

/**
 * After DIRECTOR_OPPOSED, with the core's lock: follows the director's root, shows the signer what is
 * published, or ends the update that names what is not. 0: gather anew, for a device that was read anew; or
 * -errno.
 */
int director_mend(struct core *core, const struct director_source *source, struct err *err);

/** What was made is of another moment: gather anew. */
#define DIRECTOR_CHANGED 2

/**
 * With the core's lock, before the device gets what was made: notes that it may read of its updates (flight.h).
 * 0, DIRECTOR_CHANGED when these are others by now, or -errno. Nothing is to be done unless director_is_news().
 */
int director_hand_out(struct core *core, const struct director_source *source, int64_t now, struct err *err);
/** Whether it names an update that the device cannot have read of before. */
bool director_is_news(const struct director_source *source);

/**
 * Makes a document again that was made before, if its version is the newest of the device with that number:
 * without the core's lock, which it takes for moments. The caller frees @out. -ENODATA: nobody can make it any
 * more.
 */
int
director_again(struct core *core, const struct inode_id *document, char **out, size_t *bytes, struct err *err);

/** All of it, with the core's lock held; nothing is handed out. */
int director_document(
    struct core *core, const struct device *device, enum role role, char **out, size_t *bytes, struct err *err);

/**
 * The bytes that targets.json would have with these assignments, the signature included, to be held against
 * DIRECTOR_BYTES_MAX before they are stored. Negative: -errno.
 */
int64_t director_size(struct core *core, const struct device *device, const struct assignment *assignments,
    size_t count, struct err *err);

#endif
