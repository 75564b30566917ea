#include "store/needed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/file.h"

static int
note(json_t *set, const json_t *value, struct err *err)
{
	if (!json_is_string(value))
		return err_set(err, EBADMSG, "fleet.json: an entry has no sha256 or no target");
	return json_object_set_new(set, json_string_value(value), json_true()) < 0
		   ? err_set(err, ENOMEM, "no memory")
		   : 0;
}

static int
note_all(const json_t *list, const char *member, json_t *set, struct err *err)
{
	int r = 0;

	if (!json_is_array(list))
		return err_set(err, EBADMSG, "fleet.json: has no list \"running\" or \"assigned\"");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = note(set, json_object_get(json_array_get(list, i), member), err);
	return r;
}

int
needed_read(const char *fleet, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(json_decref_p) json_t *needed = json_pack("{s:{}, s:{}}", "files", "hashes");
	char path[4096];
	size_t bytes;
	int r;

	if (!needed)
		return err_set(err, ENOMEM, "no memory");
	snprintf(path, sizeof(path), "%s/fleet.json", fleet);
	r = file_read(AT_FDCWD, path, NEEDED_FILE_MAX, &text, &bytes, err);
	if (r == -ENOENT)
		return NEEDED_UNKNOWN;
	if (r < 0 || (r = json_read(text, bytes, "fleet.json", &json, err)) < 0 ||
	    (r = note_all(json_object_get(json, "running"), "sha256", json_object_get(needed, "hashes"), err)) <
		0 ||
	    (r = note_all(
		 json_object_get(json, "assigned"), "sha256", json_object_get(needed, "hashes"), err)) < 0 ||
	    (r = note_all(json_object_get(json, "assigned"), "target", json_object_get(needed, "files"), err)) <
		0)
		return r;
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
