/**
 * The last version that was signed of each document. Versions only grow: the same version is signed again for
 * the same bytes only.  (Uptane 2.1, 5.4.3.2; rollback)
 *
 * Image roles are written to disk before a signature leaves. Director documents, one set per device, are kept
 * in memory up to LEDGER_DEVICE_MAX; their versions are a function of otafs's durable state (DESIGN 5.1), so
 * this is a second look and not the proof.
 */
#ifndef SIGN_LEDGER_H
#define SIGN_LEDGER_H

#include <stddef.h>

#include "lib/err.h"
#include "lib/role.h"

/** Documents kept in memory, 16 bytes each; beyond it the memory starts anew. */
#define LEDGER_DEVICE_MAX (1 << 21)

/** Its name in the folder of the keys. */
#define LEDGER_FILE "ledger.json"

struct ledger;

/** Opens the ledger in folder @dir (borrowed, an open descriptor); a missing file is made, as an empty ledger.
 */
int ledger_open(int dir, struct ledger **out, struct err *err);
void ledger_free(struct ledger *ledger);
void ledger_freep(struct ledger **ledger);

/** The last version signed of an image role, 0 for none. */
int ledger_last(const struct ledger *ledger, enum role role);

/**
 * Notes that @version with content @digest (hex SHA-256) is about to be signed. @device is NULL in the image
 * repository. Returns 0; -ESTALE when a higher version, or other content of the same version, was signed
 * before; -errno when the note cannot be kept.
 */
int ledger_note(struct ledger *ledger, enum repository repository, enum role role, const char *device,
    int version, const char *digest, struct err *err);

#endif
