#include "sign/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"

#define LEDGER_FILE_MAX 4096

struct entry {
	int version;                  /* 0: nothing signed yet */
	char digest[DIGEST_HEX_SIZE]; /* of the "signed" part */
};

struct slot {
	uint64_t name; /* of repository, role and device, hashed; 0: free */
	int32_t version;
	uint32_t digest; /* its first 32 bits */
};

struct ledger {
	int dir; /* borrowed */
	struct entry image[ROLE_COUNT];
	struct slot *slots; /* open addressing, 2 * LEDGER_DEVICE_MAX of them; pages appear as they are used */
	size_t used;
};

static int
load_image(struct ledger *ledger, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	r = file_read(ledger->dir, LEDGER_FILE, LEDGER_FILE_MAX, &text, &bytes, err);
	if (r < 0 || (r = json_read(text, bytes, LEDGER_FILE, &json, err)) < 0)
		return r;
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const json_t *member = json_object_get(json, role_name(role));
		const char *digest;
		int64_t version;

		if (!member)
			continue;
		if ((r = json_need_integer(member, "version", LEDGER_FILE, INT32_MAX, &version, err)) < 0 ||
		    (r = json_need_text(member, "sha256", LEDGER_FILE, &digest, err)) < 0)
			return r;
		ledger->image[role].version = (int)version;
		snprintf(ledger->image[role].digest, DIGEST_HEX_SIZE, "%s", digest);
	}
	return 0;
}

static int
save_image(const struct ledger *ledger, struct err *err)
{
	AUTO(json_decref_p) json_t *json = json_object();
	AUTO(free_p) char *text = NULL;

	for (enum role role = 0; role < ROLE_COUNT; role++)
		if (ledger->image[role].version)
			json_object_set_new(json, role_name(role),
			    json_pack("{s:i,s:s}", "version", ledger->image[role].version, "sha256",
				ledger->image[role].digest));
	text = json_write(json);
	if (!text)
		return err_set(err, ENOMEM, "%s: no memory", LEDGER_FILE);
	return file_replace(ledger->dir, LEDGER_FILE, text, strlen(text), 0600, err);
}

int
ledger_open(int dir, struct ledger **out, struct err *err)
{
	AUTO(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	int r;

	if (!ledger || !(ledger->slots = calloc(2 * LEDGER_DEVICE_MAX, sizeof(*ledger->slots))))
		return err_set(err, ENOMEM, "no memory for the ledger");
	ledger->dir = dir;
	r = load_image(ledger, err);
	if (r == -ENOENT)
		r = save_image(ledger, err);
	if (r < 0)
		return r;
	*out = MOVE(ledger);
	return 0;
}

void
ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->slots);
	free(ledger);
}

void
ledger_freep(struct ledger **ledger)
{
	ledger_free(*ledger);
}

int
ledger_last(const struct ledger *ledger, enum role role)
{
	return ledger->image[role].version;
}

static int
check(const char *what, int version, int last, int is_same, struct err *err)
{
	if (version > last || (version == last && is_same))
		return 0;
	if (version == last)
		return err_set(err, ESTALE, "%s: version %d was signed with other content", what, version);
	return err_set(
	    err, ESTALE, "%s: version %d is below %d, which was signed already", what, version, last);
}

static int
note_image(struct ledger *ledger, enum role role, int version, const char *digest, struct err *err)
{
	struct entry *entry = &ledger->image[role], before = *entry;
	int r;

	r = check(role_name(role), version, entry->version, !strcmp(entry->digest, digest), err);
	if (r < 0 || version == entry->version)
		return r;
	entry->version = version;
	snprintf(entry->digest, sizeof(entry->digest), "%s", digest);
	r = save_image(ledger, err);
	if (r < 0)
		*entry = before;
	return r;
}

static struct slot *
find_slot(const struct ledger *ledger, uint64_t name)
{
	size_t mask = 2 * LEDGER_DEVICE_MAX - 1, at = name & mask;

	while (ledger->slots[at].name && ledger->slots[at].name != name)
		at = (at + 1) & mask;
	return &ledger->slots[at];
}

/* The first 64 bits of the hashed name: two of two million names meet with a chance of one in ten million. */
static uint64_t
hash_name(const char *role, const char *device)
{
	char name[128], hex[DIGEST_HEX_SIZE];
	int n = snprintf(name, sizeof(name), "%s/%s", role, device);

	digest_sha256_hex(name, (size_t)n, hex);
	hex[16] = '\0';
	return strtoull(hex, NULL, 16) | 1;
}

static int
note_device(
    struct ledger *ledger, enum role role, const char *device, int version, const char *digest, struct err *err)
{
	uint64_t name = hash_name(role_name(role), device);
	char head[9], what[128];
	struct slot *slot;
	uint32_t mine;
	int r;

	if (ledger->used >= LEDGER_DEVICE_MAX) {
		memset(ledger->slots, 0, 2 * LEDGER_DEVICE_MAX * sizeof(*ledger->slots));
		ledger->used = 0;
	}
	snprintf(head, sizeof(head), "%.8s", digest);
	mine = (uint32_t)strtoul(head, NULL, 16);
	slot = find_slot(ledger, name);
	snprintf(what, sizeof(what), "%s of %s", role_name(role), device);
	r = check(what, version, slot->version, slot->digest == mine, err);
	if (r < 0)
		return r;
	ledger->used += slot->name == 0;
	*slot = (struct slot){ name, version, mine };
	return 0;
}

int
ledger_note(struct ledger *ledger, enum repository repository, enum role role, const char *device, int version,
    const char *digest, struct err *err)
{
	if (repository == REPOSITORY_IMAGE)
		return note_image(ledger, role, version, digest, err);
	return note_device(ledger, role, device, version, digest, err);
}
