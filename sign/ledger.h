/**
 * What was signed last: versions only grow, and the same version is signed again for the same bytes only.
 * (Uptane 2.1, 5.4.3.2; rollback)
 *
 * Image roles are written to disk before a signature leaves. Director documents, one set per device, are kept
 * in memory up to LEDGER_DEVICE_MAX; their versions are a function of otafs's durable state (DESIGN 5.1), so
 * this is a second look and not the proof. On disk is the highest epoch of the fleet that was ever told, which
 * is in each of these versions; so a state that goes back is noticed.
 */
#ifndef SIGN_LEDGER_H
#define SIGN_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"

/** Documents kept in memory, 32 bytes each; beyond it the memory starts anew. */
#define LEDGER_DEVICE_MAX (1 << 21)

/** Its name in the folder of the keys. */
#define LEDGER_FILE "ledger.json"

/** After a restore the image roles go on so much higher than the backup knew: more than can have been signed
 * since it was made. */
#define LEDGER_RESTORE_JUMP 100000

struct ledger;

/** One document that is about to be signed. */
struct ledger_entry {
	enum repository repository;
	enum role role;
	const char *device; /**< NULL in the image repository */
	int version;
	const char *digest; /**< hex SHA-256 of the canonical signed part */
};

/** What the newest snapshot of the image repository offers. */
struct ledger_offer {
	int targets;   /**< version of targets.json; 0: no snapshot was signed yet */
	int root;      /**< version of the root that it is under; 0: not told */
	int64_t since; /**< when the first snapshot with these targets was signed, seconds */
};

/** Opens the ledger in folder @dir (borrowed, an open descriptor); a missing file is made, as an empty ledger.
 */
int ledger_open(int dir, struct ledger **out, struct err *err);
void ledger_free(struct ledger *ledger);
void ledger_freep(struct ledger **ledger);

/** The last version signed of an image role, 0 for none. */
int ledger_last(const struct ledger *ledger, enum role role);

/** Borrowed, never NULL. */
const struct ledger_offer *ledger_offered(const struct ledger *ledger);

/** Just that was noted before. */
#define LEDGER_SAME 1

/** Whether @entry may be signed: 0, LEDGER_SAME; -ESTALE when a higher version, or other content of the same
 * version, was signed before; -EINVAL when an image role's version is not the next. */
int ledger_check(const struct ledger *ledger, const struct ledger_entry *entry, struct err *err);

/**
 * Notes @entry, which was checked. @offer: for an image snapshot what it offers, with the present time as
 * since; else NULL. One write for an image role. -errno when the note cannot be kept: then nothing has changed.
 */
int ledger_note(
    struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_offer *offer, struct err *err);

/** Holds the fleet's epoch against the highest ever told, and notes a higher one, on disk. -ESTALE for a lower.
 */
int ledger_epoch(struct ledger *ledger, int64_t epoch, struct err *err);

/** The image roles' versions jump by LEDGER_RESTORE_JUMP, on disk. -ERANGE at the end of numbers. */
int ledger_restored(struct ledger *ledger, struct err *err);

#endif
