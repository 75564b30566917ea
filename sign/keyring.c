#include "sign/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/envelope.h"
#include "sign/house.h"
#include "sign/ledger.h"

#define DAY_SECONDS 86400
/** Of the ledger, four roles. */
#define LEDGER_BYTES_MAX 65536

struct keyring {
	struct house houses[REPOSITORY_COUNT];
	int64_t root_days;
};

/* Sets @is_used if the ledger knows of signatures of the image repository. */
static int
read_ledger(int dir, bool *is_used, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(dir, LEDGER_FILE, LEDGER_BYTES_MAX, &text, &bytes, err);

	*is_used = false;
	if (r < 0 || (r = json_read(text, bytes, LEDGER_FILE, &json, err)) < 0)
		return r == -ENOENT ? 0 : r;
	for (enum role role = 0; role < ROLE_COUNT; role++)
		*is_used |= json_object_get(json, role_name(role)) != NULL;
	return 0;
}

/* Roots without a ledger: nobody knows which versions were signed. A ledger without roots: they were lost. */
static int
check_ledger(const struct keyring *keyring, int dir, bool is_new, struct err *err)
{
	bool is_used;
	int r;

	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if (is_new && keyring->houses[i].root_version)
			return err_set(err, ENOENT, "%s is gone: restore it from the backup", LEDGER_FILE);
	if ((r = read_ledger(dir, &is_used, err)) < 0)
		return r;
	if (is_used && !keyring->houses[REPOSITORY_IMAGE].root_version)
		return err_set(err, ENOENT, "image: 1.root.json is gone: restore it from the backup");
	return 0;
}

int
keyring_open(int dir, int64_t root_days, struct keyring **out, struct err *err)
{
	AUTO(keyring_freep) struct keyring *keyring = calloc(1, sizeof(*keyring));
	bool is_new; /* there is no ledger yet */
	int r;

	if (!keyring)
		return err_set(err, ENOMEM, "no memory for the key ring");
	keyring->root_days = root_days;
	is_new = faccessat(dir, LEDGER_FILE, F_OK, 0) < 0 && errno == ENOENT;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		keyring->houses[i].dir = -1;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if ((r = house_open(&keyring->houses[i], dir, (enum repository)i, is_new, err)) < 0)
			return r;
	if ((r = check_ledger(keyring, dir, is_new, err)) < 0)
		return r;
	*out = MOVE(keyring);
	return 0;
}

void
keyring_set_log(struct keyring *keyring, const struct house_log *log)
{
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		keyring->houses[i].log = *log;
}

void
keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		house_done(&keyring->houses[i]);
	free(keyring);
}

void
keyring_freep(struct keyring **keyring)
{
	keyring_free(*keyring);
}

/* The root is not ours to sign: somebody has to be told, and once is enough. */
static void
tell_due(struct house *house, const char *name, int64_t expires)
{
	char text[UTC_TEXT_SIZE];

	if (house->is_told)
		return;
	utc_format(expires, text);
	log_line(LOG_WARNING, "root is due and has to be signed elsewhere repository=%s version=%d expires=%s",
	    name, house->root_version, text);
	house->is_told = true;
}

static int
renew_house(struct house *house, const char *name, int64_t life, int64_t now, struct err *err)
{
	int64_t expires;
	int r;

	if (!house->root)
		return 0;
	if ((r = notes_set_root(house, house->root_version, err)) < 0 ||
	    (r = house_drop_unnamed(house, err)) < 0 ||
	    (r = envelope_expires(house->root, "root", &expires, err)) < 0)
		return r;
	if (expires - now > life / 4)
		return 0;
	if (house_can_sign(house, ROLE_ROOT) == HOUSE_OFFLINE) {
		tell_due(house, name, expires);
		return 0;
	}
	if ((r = house_renew(house, now + life, now, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "new root repository=%s version=%d", name, house->root_version);
	return 0;
}

int
keyring_renew(struct keyring *keyring, int64_t now, struct err *err)
{
	for (int i = 0; i < REPOSITORY_COUNT; i++) {
		const char *name = repository_name((enum repository)i);
		int r = renew_house(&keyring->houses[i], name, keyring->root_days * DAY_SECONDS, now, err);

		if (r < 0)
			return err_context(err, r, "%s", name);
	}
	return 0;
}

int
keyring_can_sign(const struct keyring *keyring, enum repository repository, enum role role)
{
	return house_can_sign(&keyring->houses[repository], role) ? KEYRING_OFFLINE : 0;
}

int
keyring_sign(const struct keyring *keyring, enum repository repository, enum role role,
    const json_t *signed_part, char **envelope, size_t *bytes, struct err *err)
{
	return house_sign(&keyring->houses[repository], role, signed_part, envelope, bytes, err);
}

int
keyring_sign_text(const struct keyring *keyring, enum repository repository, enum role role, const char *text,
    size_t bytes, FILE *out, struct err *err)
{
	return house_sign_text(&keyring->houses[repository], role, text, bytes, out, err);
}

void
keyring_set_published(struct keyring *keyring, int version)
{
	keyring->houses[REPOSITORY_IMAGE].published = version;
}

int
keyring_root_version(const struct keyring *keyring, enum repository repository)
{
	return keyring->houses[repository].root_version;
}

int
keyring_root(const struct keyring *keyring, enum repository repository, int version, char **envelope,
    size_t *bytes, struct err *err)
{
	return house_read_root(&keyring->houses[repository], version, envelope, bytes, err);
}

static void
tell_new_root(const struct house *house, int before)
{
	if (house->root_version != before)
		log_line(LOG_NOTICE, "new root taken repository=%s version=%d",
		    repository_name(house->repository), house->root_version);
}

int
keyring_put_root(struct keyring *keyring, enum repository repository, const char *text, size_t bytes,
    int64_t now, struct err *err)
{
	struct house *house = &keyring->houses[repository];
	int before = house->root_version, r = house_put_root(house, text, bytes, now, err);

	tell_new_root(house, before);
	return r;
}

int
keyring_begin(struct keyring *keyring, enum repository repository, const json_t *roles, const char *expires,
    bool is_preview, int64_t now, json_t **signed_part, struct err *err)
{
	char text[UTC_TEXT_SIZE];

	utc_format(now + keyring->root_days * DAY_SECONDS, text);
	return house_begin(
	    &keyring->houses[repository], roles, expires ?: text, is_preview, now, signed_part, err);
}

int
keyring_finish(struct keyring *keyring, enum repository repository, const char *text, size_t bytes, int64_t now,
    char **envelope, size_t *envelope_bytes, struct err *err)
{
	struct house *house = &keyring->houses[repository];
	int before = house->root_version,
	    r = house_finish(house, text, bytes, now, envelope, envelope_bytes, err);

	tell_new_root(house, before);
	return r;
}

int
keyring_keys(const struct keyring *keyring, enum repository repository, json_t **out, struct err *err)
{
	return house_report(&keyring->houses[repository], out, err);
}

int
keyring_take(struct keyring *keyring, const char *keyid, char **text, size_t *bytes, struct err *err)
{
	int r = house_take(&keyring->houses[REPOSITORY_IMAGE], keyid, text, bytes, err);

	return r == HOUSE_NO_KEY ? KEYRING_NO_KEY : r;
}

int
keyring_delete(struct keyring *keyring, const char *keyid, struct err *err)
{
	int r = house_delete(&keyring->houses[REPOSITORY_IMAGE], keyid, err);

	return r == HOUSE_NO_KEY ? KEYRING_NO_KEY : r;
}
