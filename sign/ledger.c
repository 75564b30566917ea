#include "sign/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"

#define LEDGER_FILE_MAX 4096
/* The digest of no document. */
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

struct entry {
	int version;                  /* 0: nothing signed yet */
	char digest[DIGEST_HEX_SIZE]; /* of the "signed" part */
};

/** The first bits of a digest that are kept. Whoever asks chooses both contents, so half of the bits has to be
 * more than anybody tries: 160. */
#define MARK_WORDS 5

struct slot {
	uint64_t name; /* of repository, role and device, hashed; 0: free */
	int32_t version;
	uint32_t mark[MARK_WORDS];
};

struct ledger {
	int dir; /* borrowed */
	struct entry image[ROLE_COUNT];
	struct ledger_offer offer;
	int64_t epoch;      /* the highest that was told */
	struct slot *slots; /* open addressing, 2 * LEDGER_DEVICE_MAX of them; pages appear as they are used */
	size_t used;
};

static int
load_roles(struct ledger *ledger, const json_t *json, struct err *err)
{
	int r;

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

/* These came later than the roles: they may be missing. */
static int
load_rest(struct ledger *ledger, const json_t *json, struct err *err)
{
	const json_t *offer = json_object_get(json, "offer"), *director = json_object_get(json, "director");
	int64_t targets = 0, root = 0;
	int r;

	if (offer &&
	    ((r = json_need_integer(offer, "targets", LEDGER_FILE, INT32_MAX, &targets, err)) < 0 ||
		(r = json_need_integer(offer, "root", LEDGER_FILE, INT32_MAX, &root, err)) < 0 ||
		(r = json_need_integer(offer, "since", LEDGER_FILE, INT64_MAX, &ledger->offer.since, err)) < 0))
		return r;
	ledger->offer.targets = (int)targets;
	ledger->offer.root = (int)root;
	return director ? json_need_integer(director, "epoch", LEDGER_FILE, INT64_MAX, &ledger->epoch, err) : 0;
}

static int
load(struct ledger *ledger, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = file_read(ledger->dir, LEDGER_FILE, LEDGER_FILE_MAX, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, LEDGER_FILE, &json, err)) < 0 ||
	    (r = load_roles(ledger, json, err)) < 0)
		return r;
	return load_rest(ledger, json, err);
}

static int
save(const struct ledger *ledger, struct err *err)
{
	AUTO(json_decref_p)
	json_t *json = json_pack("{s:{s:I},s:{s:i,s:i,s:I}}", "director", "epoch", (json_int_t)ledger->epoch,
	    "offer", "targets", ledger->offer.targets, "root", ledger->offer.root, "since",
	    (json_int_t)ledger->offer.since);
	AUTO(free_p) char *text = NULL;

	for (enum role role = 0; json && role < ROLE_COUNT; role++)
		if (ledger->image[role].version &&
		    json_object_set_new(json, role_name(role),
			json_pack("{s:i,s:s}", "version", ledger->image[role].version, "sha256",
			    ledger->image[role].digest)) < 0)
			return err_set(err, ENOMEM, "%s: no memory", LEDGER_FILE);
	text = json ? json_write(json) : NULL;
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
	r = load(ledger, err);
	if (r == -ENOENT)
		r = save(ledger, err);
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

const struct ledger_offer *
ledger_offered(const struct ledger *ledger)
{
	return &ledger->offer;
}

/* -- checking -- */

static int
check(const char *what, int version, int last, bool is_same, struct err *err)
{
	if (version > last)
		return 0;
	if (version == last)
		return is_same ? LEDGER_SAME
			       : err_set(err, ESTALE, "%s: version %d was signed with other content", what,
				     version);
	return err_set(
	    err, ESTALE, "%s: version %d is below %d, which was signed already", what, version, last);
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

static void
make_mark(const char *digest, uint32_t mark[static MARK_WORDS])
{
	for (int i = 0; i < MARK_WORDS; i++) {
		char word[9];

		snprintf(word, sizeof(word), "%.8s", digest + 8 * i);
		mark[i] = (uint32_t)strtoul(word, NULL, 16);
	}
}

static int
check_device(const struct ledger *ledger, const struct ledger_entry *entry, struct err *err)
{
	const struct slot *slot = find_slot(ledger, hash_name(role_name(entry->role), entry->device));
	uint32_t mark[MARK_WORDS];
	char what[128];

	make_mark(entry->digest, mark);
	snprintf(what, sizeof(what), "%s of %s", role_name(entry->role), entry->device);
	return check(what, entry->version, slot->version, !memcmp(slot->mark, mark, sizeof(mark)), err);
}

/* Numbers that are skipped are lost for ever. Targets may have been signed elsewhere meanwhile, as snapshots
 * say. */
static int
check_next(const struct ledger *ledger, const struct ledger_entry *entry, struct err *err)
{
	int last = ledger->image[entry->role].version;

	if (entry->role == ROLE_TARGETS && ledger->offer.targets > last)
		last = ledger->offer.targets;
	if (last == 0 || entry->version - last <= 1)
		return 0;
	return err_set(
	    err, EINVAL, "%s: version is %d, the next is %d", role_name(entry->role), entry->version, last + 1);
}

int
ledger_check(const struct ledger *ledger, const struct ledger_entry *entry, struct err *err)
{
	const struct entry *last = &ledger->image[entry->role];
	int r;

	if (entry->repository == REPOSITORY_DIRECTOR)
		return check_device(ledger, entry, err);
	if ((r = check_next(ledger, entry, err)) < 0)
		return r;
	return check(
	    role_name(entry->role), entry->version, last->version, !strcmp(last->digest, entry->digest), err);
}

/* -- noting -- */

static void
note_device(struct ledger *ledger, const struct ledger_entry *entry)
{
	uint64_t name = hash_name(role_name(entry->role), entry->device);
	struct slot *slot;

	if (ledger->used >= LEDGER_DEVICE_MAX) {
		memset(ledger->slots, 0, 2 * LEDGER_DEVICE_MAX * sizeof(*ledger->slots));
		ledger->used = 0;
	}
	slot = find_slot(ledger, name);
	ledger->used += slot->name == 0;
	slot->name = name;
	slot->version = entry->version;
	make_mark(entry->digest, slot->mark);
}

static int
note_image(
    struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_offer *offer, struct err *err)
{
	struct entry *last = &ledger->image[entry->role], before = *last;
	struct ledger_offer offered = ledger->offer;
	int r;

	last->version = entry->version;
	snprintf(last->digest, sizeof(last->digest), "%s", entry->digest);
	if (offer) {
		ledger->offer = *offer;
		if (offer->targets == offered.targets)
			ledger->offer.since = offered.since;
	}
	r = save(ledger, err);
	if (r < 0) {
		*last = before;
		ledger->offer = offered;
	}
	return r;
}

int
ledger_note(
    struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_offer *offer, struct err *err)
{
	if (entry->repository == REPOSITORY_IMAGE)
		return note_image(ledger, entry, offer, err);
	note_device(ledger, entry);
	return 0;
}

int
ledger_epoch(struct ledger *ledger, int64_t epoch, struct err *err)
{
	int64_t before = ledger->epoch;
	int r;

	if (epoch == before)
		return 0;
	if (epoch < before)
		return err_set(err, ESTALE,
		    "the fleet's state is older than what was signed: its epoch is %lld, and was %lld before; "
		    "after a "
		    "restore it has to jump ahead, see ota-backup(8)",
		    (long long)epoch, (long long)before);
	ledger->epoch = epoch;
	r = save(ledger, err);
	if (r < 0)
		ledger->epoch = before;
	return r;
}

int
ledger_restored(struct ledger *ledger, struct err *err)
{
	struct entry before[ROLE_COUNT];
	int r;

	memcpy(before, ledger->image, sizeof(before));
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		struct entry *entry = &ledger->image[role];

		if (entry->version > INT32_MAX - 2 * LEDGER_RESTORE_JUMP) {
			memcpy(ledger->image, before, sizeof(before));
			return err_set(err, ERANGE, "%s: version %d is too near to the last there is",
			    role_name(role), before[role].version);
		}
		entry->version += LEDGER_RESTORE_JUMP;
		snprintf(entry->digest, sizeof(entry->digest), "%s", ZEROS);
	}
	r = save(ledger, err);
	if (r < 0)
		memcpy(ledger->image, before, sizeof(before));
	return r;
}
