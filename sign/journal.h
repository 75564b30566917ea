/**
 * The log of every signature: keys/signatures/N.log, append-only, each line chained to the one before it.
 * (sign/chain.h has the form, and reads it.)
 *
 * A signature that is not in the log does not leave: what cannot be written is refused. Image signatures and
 * roots are on disk before; what the director signs, one document for each visit of a device, is written at
 * once and is on disk within a second. Not for several threads at once.
 */
#ifndef SIGN_JOURNAL_H
#define SIGN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/role.h"

/** Its name in the folder of the keys. */
#define JOURNAL_FOLDER "signatures"
/** How far the clock may be before the newest signature: NTP steps, and leap seconds. */
#define JOURNAL_CLOCK_SECONDS 300

struct journal;

/** How much is kept. */
struct journal_limits {
	int64_t file_bytes; /**< of one file, at most CHAIN_FILE_MAX */
	int64_t all_bytes;  /**< of all; beyond it the oldest goes. 0: no end */
};

/** One signature. */
struct journal_entry {
	int64_t time; /**< seconds */
	uid_t uid;    /**< who asked */
	enum repository repository;
	enum role role;
	int version;
	const char *device; /**< a checked name; NULL: none */
	const char *sha256; /**< hex, of the canonical signed part */
	bool is_durable;    /**< on disk before journal_add() returns */
};

/** One certificate of the issuing CA. */
struct journal_certificate {
	int64_t time; /**< seconds */
	uid_t uid;    /**< who asked */
	const char *name, *serial;
	const char *sha256; /**< hex, of its DER */
	int64_t expires_at;
};

/**
 * Opens the log below the folder @dir of the keys, and makes it when there is none. A line that a crash cut
 * short is cut off. A newest file that does not chain is left as it is, logged, and a new one begun, which says
 * so.
 */
int
journal_open(int dir, const struct journal_limits *limits, int64_t now, struct journal **out, struct err *err);
void journal_free(struct journal *journal);
void journal_freep(struct journal **journal);

/** Adds a signature; on failure the log is as it was. -ENOSPC and other -errno with words. */
int journal_add(struct journal *journal, const struct journal_entry *entry, struct err *err);

/** Adds a certificate, which is on disk before this returns. */
int journal_add_certificate(
    struct journal *journal, const struct journal_certificate *certificate, struct err *err);

/** Adds an event that user @uid caused, in words; on disk before this returns. */
int journal_tell(
    struct journal *journal, int64_t now, uid_t uid, const char *event, const char *text, struct err *err);

/** Puts on disk what is not there yet, at most once a second; to be called more often than that. */
void journal_tick(struct journal *journal);

/** -EAGAIN with words when @now is more than JOURNAL_CLOCK_SECONDS before the newest signature. */
int journal_check_clock(const struct journal *journal, int64_t now, struct err *err);

/** User @uid says that @now is right, after a clock that was ahead: a line of the log, and the new mark. */
int journal_set_clock(struct journal *journal, uid_t uid, int64_t now, struct err *err);

#endif
