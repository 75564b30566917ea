#include "store/needed.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "store/fleet.h"

static int
note(json_t *set, const char *name)
{
	return json_object_set_new(set, name, json_true());
}

int
needed_read(const char *folder, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *needed = json_pack("{s:{}, s:{}}", "files", "hashes");
	json_t *files = json_object_get(needed, "files"), *hashes = json_object_get(needed, "hashes");
	AUTO(fleet_done) struct fleet fleet = { 0 };
	int r = fleet_read(folder, &fleet, err), bad = 0;

	if (r < 0)
		return r;
	if (!fleet.is_known)
		return NEEDED_UNKNOWN;
	for (size_t i = 0; i < fleet.running_count; i++)
		bad |= note(hashes, fleet.running[i].sha256);
	for (size_t i = 0; i < fleet.assigned_count; i++)
		bad |= note(hashes, fleet.assigned[i].sha256) | note(files, fleet.assigned[i].target);
	if (bad)
		return err_set(err, ENOMEM, "no memory");
	*out = MOVE(needed);
	return 0;
}

bool
needed_has(const json_t *needed, const char *file, const char *hash)
{
	return needed_is_assigned(needed, file) ||
	       (hash && json_object_get(json_object_get(needed, "hashes"), hash));
}

bool
needed_is_assigned(const json_t *needed, const char *file)
{
	return json_object_get(json_object_get(needed, "files"), file) != NULL;
}
