#include "otafs/ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int
ids_add(const char *id, void *context)
{
	struct ids *ids = context;

	if (ids->count == ids->room) {
		size_t room = ids->room ? 2 * ids->room : 64;
		void *more = realloc(ids->list, room * sizeof(*ids->list));

		if (!more)
			return err_set(ids->err, ENOMEM, "no memory for %zu ids of devices", room);
		ids->list = more;
		ids->room = room;
	}
	snprintf(ids->list[ids->count++], sizeof(ids->list[0]), "%s", id);
	return 0;
}

void
ids_done(struct ids *ids)
{
	free(ids->list);
}
