/** What became of assignments: a row for each that is not open any more. Goes with its device. */
#ifndef STATE_INSTALLATION_H
#define STATE_INSTALLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/assignment.h"

#define INSTALLATION_INSTALLED "installed" /**< the ECU reported file and hash */
#define INSTALLATION_FAILED "failed"       /**< the device reported so, or the image repository lost it */
#define INSTALLATION_CANCELLED "cancelled" /**< by an administrator, or by the device */
#define INSTALLATION_ENDED "ended"         /**< its ECU was removed or replaced */

/** The code of what failed because the image repository did not offer it any more. */
#define INSTALLATION_WITHDRAWN "WITHDRAWN"

struct installation {
	char correlation[STATE_CORRELATION_MAX];
	char ecu[NAME_ECU_MAX + 1];
	char target[NAME_TARGET_MAX + 1];
	char sha256[DIGEST_HEX_SIZE];
	int64_t assigned_at;
	int64_t in_flight_at; /**< when the device may first have read of it; 0: never */
	int64_t finished_at;
	char result[16];         /**< one of the above */
	char code[65];           /**< the device's own, "INSTALL_FAILED" and the like; may be empty */
	char text[ERR_TEXT_MAX]; /**< the device's own words, or ours; printable; may be empty */
};

int state_installation_add(
    struct state *state, const char *device, const struct installation *installation, struct err *err);

/** Calls @each, oldest first, until it returns other than 0, which is passed on. */
typedef int (*state_installation_fn)(const struct installation *installation, void *context);
int state_installations(
    struct state *state, const char *device, state_installation_fn each, void *context, struct err *err);

/** The rows of the update that was finished last, all of its correlation id, ordered by ECU; the caller frees
 * @out. */
int state_installation_last(
    struct state *state, const char *device, struct installation **out, size_t *count, struct err *err);

/** Whether @ecu of @device has failed to install @target with that content, or was told not to. What was
 * withdrawn does not count: nobody tried. */
int state_installation_was_refused(struct state *state, const char *device, const char *ecu, const char *target,
    const char *sha256, bool *was, struct err *err);

/** Whether an update with that correlation id has ended on @device. */
int state_installation_is_known(
    struct state *state, const char *device, const char *correlation, bool *is_known, struct err *err);

#endif
