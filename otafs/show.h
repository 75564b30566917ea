/**
 * Shows the signer what the loaded publication offers, without which it signs no director targets that name
 * anything. The signer verifies all of it: this is no matter of trust.
 */
#ifndef OTAFS_SHOW_H
#define OTAFS_SHOW_H

#include "otafs/core.h"

/** Shows the loaded publication, and notes in core->shown that it was. A delegation that the signer does not
 * take is left out with a line in the log. -EAGAIN: nothing was published yet, or the signer is away; or
 * another -errno. */
int show_publication(struct core *core, struct err *err);

/** The same when the signer was shown another one last; failures are logged. */
void show_if_new(struct core *core);

#endif
