/* keys.json: what cannot be seen in the folder of the keys itself. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "sign/house.h"

/** 15,000 keys; one is made when a role's key is rotated. */
#define NOTES_BYTES_MAX (1024 * 1024)
/** Its name before it told which keys were made. */
#define NOTES_OLD_FILE "handed-out.json"

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "%s: no memory", HOUSE_NOTES_FILE);
}

static int
save(struct house *house, json_t *next, struct err *err)
{
	AUTO(free_p) char *text = json_write(next);
	int r;

	if (!text)
		return no_memory(err);
	/* What is longer could not be read at the next start. */
	if (strlen(text) > NOTES_BYTES_MAX)
		return err_set(
		    err, EFBIG, "%s: more keys than %d bytes can note", HOUSE_NOTES_FILE, NOTES_BYTES_MAX);
	if ((r = file_replace(house->dir, HOUSE_NOTES_FILE, text, strlen(text), 0600, err)) < 0)
		return r;
	json_decref(house->notes);
	house->notes = json_incref(next);
	return 0;
}

static int
read_file(const struct house *house, const char *name, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(house->dir, name, NOTES_BYTES_MAX, &text, &bytes, err);

	return r < 0 ? r : json_read(text, bytes, name, out, err);
}

/* The public ids of what the first root names: before there were notes, ota-signd had made all of them. */
static int
first_keys(const struct house *house, json_t *made, struct err *err)
{
	AUTO(json_decref_p) json_t *file = NULL;
	const json_t *root;
	int r = read_file(house, "1.root.json", &file, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	root = json_object_get(file, "signed");
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const char *id = json_string_value(json_array_get(root_keyids(root, role), 0));
		char public_id[DIGEST_HEX_SIZE];

		if ((r = root_public_id(root, id ?: "", public_id, err)) < 0)
			return err_context(err, r, "1.root.json");
		if (json_array_append_new(made, json_string(public_id)) < 0)
			return no_memory(err);
	}
	return 0;
}

static int
start_notes(struct house *house, struct err *err)
{
	AUTO(json_decref_p) json_t *old = NULL;
	AUTO(json_decref_p)
	json_t *notes = json_pack("{s:[],s:[],s:[],s:i}", "made", "taken", "deleted", "root", 0);
	int r = read_file(house, NOTES_OLD_FILE, &old, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (!notes || (old && json_object_update_existing(notes, old) < 0))
		return no_memory(err);
	if ((r = first_keys(house, json_object_get(notes, "made"), err)) < 0)
		return r;
	if (json_array_size(json_object_get(notes, "made")))
		log_line(LOG_WARNING, "notes made anew repository=%s file=%s",
		    repository_name(house->repository), HOUSE_NOTES_FILE);
	return save(house, notes, err);
}

static bool
is_list(const json_t *notes, const char *which)
{
	return json_is_array(json_object_get(notes, which));
}

int
notes_read(struct house *house, struct err *err)
{
	int r = read_file(house, HOUSE_NOTES_FILE, &house->notes, err);

	if (r < 0)
		return r == -ENOENT ? start_notes(house, err) : r;
	if (is_list(house->notes, "made") && is_list(house->notes, "taken") &&
	    is_list(house->notes, "deleted") && json_is_integer(json_object_get(house->notes, "root")))
		return 0;
	return err_set(
	    err, EBADMSG, "%s: is not what ota-signd writes: restore it from the backup", HOUSE_NOTES_FILE);
}

bool
notes_have(const struct house *house, const char *which, const char *public_id)
{
	const json_t *list = json_object_get(house->notes, which);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)) ?: "", public_id))
			return true;
	return false;
}

int
notes_add(struct house *house, const char *which, const char *public_id, struct err *err)
{
	AUTO(json_decref_p) json_t *next = NULL;

	if (notes_have(house, which, public_id))
		return 0;
	next = json_deep_copy(house->notes);
	if (!next || json_array_append_new(json_object_get(next, which), json_string(public_id)) < 0)
		return no_memory(err);
	return save(house, next, err);
}

int
notes_root(const struct house *house)
{
	return (int)json_integer_value(json_object_get(house->notes, "root"));
}

int
notes_set_root(struct house *house, int version, struct err *err)
{
	AUTO(json_decref_p) json_t *next = NULL;

	if (notes_root(house) >= version)
		return 0;
	next = json_deep_copy(house->notes);
	if (!next || json_object_set_new(next, "root", json_integer(version)) < 0)
		return no_memory(err);
	return save(house, next, err);
}
