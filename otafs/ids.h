/** Ids of devices, in a list that grows. */
#ifndef OTAFS_IDS_H
#define OTAFS_IDS_H

#include <stddef.h>

#include "lib/err.h"
#include "lib/name.h"

/** Starts as { .err = err }; to be ended by ids_done(). */
struct ids {
	struct err *err; /**< gets the words when there is no memory */
	char (*list)[NAME_DEVICE_MAX + 1];
	size_t count, room;
};

/** Adds one; @ids is a struct ids, as for a state_name_fn. 0 or -ENOMEM. */
int ids_add(const char *id, void *ids);
void ids_done(struct ids *ids);

#endif
