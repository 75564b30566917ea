/** Packages that devices follow: they get each newer version by themselves. */
#ifndef STATE_FOLLOW_H
#define STATE_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"
#include "state/state.h"

struct follow {
	char package[NAME_PACKAGE_MAX + 1];
	char ecu[NAME_ECU_MAX + 1]; /**< empty: every ECU that it fits */
	char who[STATE_WHO_MAX];
	int64_t created_at;
};

/** STATE_EXISTS when it is there. */
int state_follow_add(struct state *state, const char *device, const struct follow *follow, struct err *err);
/** Of one ECU; NULL: all with that package. STATE_NONE: there was none. */
int state_follow_remove(
    struct state *state, const char *device, const char *package, const char *ecu, struct err *err);
/** Ordered by package, then ECU; the caller frees @out. */
int state_follows(struct state *state, const char *device, struct follow **out, size_t *count, struct err *err);

/** Calls @each with the next @most devices after @after that follow something and have nothing open, in order.
 */
int state_following(
    struct state *state, const char *after, size_t most, state_name_fn each, void *context, struct err *err);

#endif
