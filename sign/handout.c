/* How a root key leaves the image repository's house: once for each permission, and only then to be deleted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "sign/house.h"

#define HANDED_OUT_BYTES_MAX 4096

int
house_read_handed_out(struct house *house, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	r = file_read(house->dir, HOUSE_HANDED_OUT_FILE, HANDED_OUT_BYTES_MAX, &text, &bytes, err);
	if (r == 0)
		return json_read(text, bytes, HOUSE_HANDED_OUT_FILE, &house->handed_out, err);
	if (r != -ENOENT)
		return r;
	house->handed_out = json_pack("{s:[],s:[]}", "deleted", "taken");
	return house->handed_out ? 0 : err_set(err, ENOMEM, "%s: no memory", HOUSE_HANDED_OUT_FILE);
}

bool
house_was(const struct house *house, const char *which, const char *public_id)
{
	const json_t *list = json_object_get(house->handed_out, which);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)) ?: "", public_id))
			return true;
	return false;
}

/* Adds the key to the list @which, durably before it counts. */
static int
note(struct house *house, const char *which, const char *public_id, struct err *err)
{
	AUTO(json_decref_p) json_t *next = NULL;
	AUTO(free_p) char *text = NULL;
	int r;

	if (house_was(house, which, public_id))
		return 0;
	next = json_deep_copy(house->handed_out);
	if (next && json_array_append_new(json_object_get(next, which), json_string(public_id)) == 0)
		text = json_write(next);
	if (!text)
		return err_set(err, ENOMEM, "%s: no memory", HOUSE_HANDED_OUT_FILE);
	if ((r = file_replace(house->dir, HOUSE_HANDED_OUT_FILE, text, strlen(text), 0600, err)) < 0)
		return r;
	json_decref(house->handed_out);
	house->handed_out = MOVE(next);
	return 0;
}

static int
refuse(struct err *err, const char *keyid, const char *why)
{
	err_set(err, EPERM, "key %.64s: %s", keyid, why);
	return HOUSE_NO_KEY;
}

/* Whether @keyid, an id of the newest root or the one that we gave it, is the key in root.key. */
static bool
is_root_key(const struct house *house, const char *keyid)
{
	char public_id[DIGEST_HEX_SIZE];

	if (root_resolve(house->root, keyid, public_id))
		return !strcmp(public_id, house->first[ROLE_ROOT]);
	return !strcmp(keyid, house->first[ROLE_ROOT]);
}

/* One file is one hand-out: it is gone for good before the key leaves. */
static int
use_permission(struct house *house, const char *keyid, struct err *err)
{
	if (unlinkat(house->dir, HOUSE_ALLOW_FILE, 0) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "%s", HOUSE_ALLOW_FILE);
		return refuse(err, keyid,
		    house_was(house, "taken", house->first[ROLE_ROOT])
			? "it was handed out before; see allow-take in ota-signd(8)"
			: "the administrator did not allow it; see allow-take in ota-signd(8)");
	}
	return fsync(house->dir) < 0 ? err_sys(err, "%s: fsync of its folder", HOUSE_ALLOW_FILE) : 0;
}

int
house_take(struct house *house, const char *keyid, char **text, size_t *bytes, struct err *err)
{
	const char *public_id = house->first[ROLE_ROOT];
	int r;

	if (!is_root_key(house, keyid))
		return refuse(err, keyid, "it is no key of the image repository's root that ota-signd made");
	if (!house->pairs[ROLE_ROOT])
		return refuse(err, keyid, "it is not here any more");
	if ((r = use_permission(house, keyid, err)) != 0 || (r = note(house, "taken", public_id, err)) < 0 ||
	    (r = key_pair_reveal(house->pairs[ROLE_ROOT], text, bytes, err)) < 0)
		return r;
	log_line(LOG_WARNING, "private root key handed out keyid=%s", public_id);
	return 0;
}

int
house_delete(struct house *house, const char *keyid, struct err *err)
{
	const char *public_id = house->first[ROLE_ROOT];
	bool is_named;
	int r;

	if (!is_root_key(house, keyid))
		return refuse(err, keyid, "it is no key of the image repository's root that ota-signd made");
	if (!house->pairs[ROLE_ROOT])
		return 0;
	if ((r = root_names(house->root, public_id, &is_named, err)) < 0)
		return r;
	if (is_named) {
		if (!house_was(house, "taken", public_id))
			return refuse(err, keyid, "the newest root needs it, and it was not handed out");
		if ((r = note(house, "deleted", public_id, err)) < 0)
			return r;
	}
	return house_remove_key(house, ROLE_ROOT, err);
}
