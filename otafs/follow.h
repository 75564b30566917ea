/**
 * Packages that a device follows: the newest version comes by itself.
 *
 * Of what is published for the ECU's hardware under the package's name the newest by createdAt counts; what is
 * older than what the ECU runs is left alone, and so is for ever what failed or was cancelled on that ECU. It
 * converges: a version that came while another update was open is not missed. An ECU that has not told what it
 * runs yet gets nothing; one that runs a version which is not published any more only gets what is made after
 * that was heard of. What one ECU cannot have is told, and keeps no other waiting. Updates have correlation ids
 * urn:here-ota:auto-update:UUID.
 */
#ifndef OTAFS_FOLLOW_H
#define OTAFS_FOLLOW_H

#include <stdio.h>

#include "otafs/assign.h"
#include "state/follow.h"

/** What stands after "follow": "PACKAGE [ECU]". Begins an update at once if there is a newer version. -EEXIST:
 * it is followed already; -EINVAL: an ECU cannot follow two packages; else as assign_do(). */
int follow_write(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err);
/** What stands after "unfollow". -ENODATA: it is not followed. What is open stays open. */
int follow_end(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err);

/** One line for each. */
int follow_print(struct core *core, const struct device *device, FILE *out, struct err *err);

/** Begins what there is for @device, if it is idle. @more is followed besides: what is not stored yet; NULL. */
int follow_begin(struct core *core, const struct device *device, const struct follow *more,
    const struct assign_how *how, struct err *err);

/** @device may get a newer version now: something of it has ended, or it has told what it runs. */
void follow_note(struct core *core, const char *device);

/** Looks at devices that were noted, and after a publication at all that follow something, some of them at each
 * call; to be called each second, with the lock. Returns whether there is more to do at once. Failures are
 * logged. */
bool follow_run(struct core *core);

#endif
