/** Coming back from a backup: the ledger does not know what was signed since, so its versions jump ahead. */
#ifndef SIGN_RESTORED_H
#define SIGN_RESTORED_H

#include "sign/ledger.h"

/** Made in the folder of the keys by whoever put it back; what is in it does not matter. */
#define RESTORED_FILE "restored"

/**
 * If the file is there in folder @dir: ledger_restored(), then removes it. Both are on disk when this returns;
 * a crash in between makes the versions jump once more, which harms nobody. On failure the file stays.
 */
int restored_follow(int dir, struct ledger *ledger, struct err *err);

#endif
