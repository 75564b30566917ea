/* How a root key leaves the image repository's house: once for each permission, and only then to be deleted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/log.h"
#include "sign/house.h"

static int
refuse(struct err *err, const char *keyid, const char *why)
{
	err_set(err, EPERM, "key %.64s: %s", keyid, why);
	return HOUSE_NO_KEY;
}

/* The public id of the key that the newest root calls @keyid, or that we gave this id when we made it. */
static const char *
resolve(const struct house *house, const char *keyid, char public_id[static DIGEST_HEX_SIZE])
{
	struct err ignored;

	if (root_public_id(house->root, keyid, public_id, &ignored) < 0)
		snprintf(public_id, DIGEST_HEX_SIZE, "%s", keyid);
	return public_id;
}

/* Sets @at to the place of @keyid, -1 when it was made here and is gone. */
static int
find_root_key(const struct house *house, const char *keyid, int *at, struct err *err)
{
	char public_id[DIGEST_HEX_SIZE];

	*at = house_find(house, resolve(house, keyid, public_id));
	if (*at >= 0 ? house->keys[*at].role != ROLE_ROOT : !notes_have(house, "made", public_id))
		return refuse(err, keyid, "it is no key of the image repository's root that ota-signd made");
	return 0;
}

/* One file is one hand-out: it is gone for good before the key leaves. */
static int
use_permission(struct house *house, const char *keyid, const char *public_id, struct err *err)
{
	if (unlinkat(house->dir, HOUSE_ALLOW_FILE, 0) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "%s", HOUSE_ALLOW_FILE);
		return refuse(err, keyid,
		    notes_have(house, "taken", public_id)
			? "it was handed out before; see allow-take in ota-signd(8)"
			: "the administrator did not allow it; see allow-take in ota-signd(8)");
	}
	return fsync(house->dir) < 0 ? err_sys(err, "%s: fsync of its folder", HOUSE_ALLOW_FILE) : 0;
}

int
house_take(struct house *house, const char *keyid, char **text, size_t *bytes, struct err *err)
{
	const struct key_pair *pair;
	const char *public_id;
	int at, r;

	if ((r = find_root_key(house, keyid, &at, err)) != 0)
		return r;
	if (at < 0)
		return refuse(err, keyid, "it is not here any more");
	pair = house->keys[at].pair;
	public_id = public_key_id(key_pair_public(pair));
	if ((r = use_permission(house, keyid, public_id, err)) != 0 ||
	    (r = notes_add(house, "taken", public_id, err)) < 0 ||
	    (r = key_pair_reveal(pair, text, bytes, err)) < 0)
		return r;
	log_line(LOG_WARNING, "private root key handed out keyid=%s", public_id);
	return 0;
}

int
house_delete(struct house *house, const char *keyid, struct err *err)
{
	const struct house_key *key;
	const char *public_id;
	bool is_named = false;
	int at, r;

	if ((r = find_root_key(house, keyid, &at, err)) != 0 || at < 0)
		return r;
	key = &house->keys[at];
	public_id = public_key_id(key_pair_public(key->pair));
	/* Whoever signs that root counts on it. */
	if (key->version > house->root_version)
		return refuse(err, keyid, "it waits for the next root");
	for (enum role role = 0; role < ROLE_COUNT; role++)
		is_named |= key->ids[role] != NULL;
	if (is_named) {
		if (!notes_have(house, "taken", public_id))
			return refuse(err, keyid, "the newest root needs it, and it was not handed out");
		if ((r = notes_add(house, "deleted", public_id, err)) < 0)
			return r;
	}
	return house_remove_key(house, at, err);
}
