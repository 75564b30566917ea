#include "otafs/director.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/flight.h"
#include "otafs/show.h"
#include "otafs/withdrawn.h"

#define DAY_SECONDS 86400
/** One Ed25519 signature, its key id and the members around it. */
#define SIGNATURE_BYTES 300
/** A new root, a signer that has just started, an update that it refuses: each may come once. */
#define TRIES_MAX 4

/* What the three documents share. */
struct edition {
	int64_t version, epoch;
	char expires[UTC_TEXT_SIZE];
};

struct director_source {
	enum role role;
	struct device device;
	struct edition edition;
	int roots;        /* version of the director's root */
	const char *root; /* its text, which the core keeps to the end */
	int64_t shown;    /* the publication that the signer was shown last */
	struct assignment *list;
	size_t count;
	int64_t needs; /* state_needs(), which grows when assignments change */
	int answer;    /* of the signer, when it was opposed; and in words */
	char why[ERR_TEXT_MAX];
};

static int
read_edition(struct core *core, const struct device *device, struct edition *out, struct err *err)
{
	int64_t raised_at;
	int r = state_epoch(core->state, &out->epoch, &raised_at, err);

	if (r < 0)
		return r;
	out->version = device->counter + out->epoch;
	if (out->version > INT32_MAX)
		return err_set(err, EOVERFLOW, "version %lld: devices count to %d only",
		    (long long)out->version, INT32_MAX);
	utc_format(raised_at + core->config->director_targets_days * DAY_SECONDS, out->expires);
	return 0;
}

int
director_version(struct core *core, const struct device *device, int64_t *version, struct err *err)
{
	struct edition edition;
	int r = read_edition(core, device, &edition, err);

	if (r == 0)
		*version = edition.version;
	return r;
}

/* The entry of one file; several ECUs may get the same file in one entry. */
static int
add_assignment(json_t *targets, const struct assignment *a)
{
	json_t *entry = json_object_get(targets, a->target), *ecus;

	if (!entry) {
		entry = json_pack("{s:I,s:{s:s},s:{s:{},s:s,s:n}}", "length", (json_int_t)a->length, "hashes",
		    "sha256", a->sha256, "custom", "ecuIdentifiers", "targetFormat", a->format, "uri");
		if (json_object_set_new(targets, a->target, entry) < 0)
			return -ENOMEM;
	}
	ecus = json_object_get(json_object_get(entry, "custom"), "ecuIdentifiers");
	return json_object_set_new(ecus, a->ecu, json_pack("{s:s}", "hardwareId", a->hardware)) < 0 ? -ENOMEM
												    : 0;
}

static json_t *
make_targets(
    const struct device *device, const struct edition *edition, const struct assignment *list, size_t count)
{
	AUTO(json_decref_p) json_t *targets = json_object();
	/* An empty document is bound to its device too, so that nobody can hand it to another.
	 * (Uptane 2.1, 5.3.2.1) */
	AUTO(json_decref_p) json_t *custom = json_pack("{s:s}", "deviceId", device->id);

	for (size_t i = 0; i < count; i++)
		if (add_assignment(targets, &list[i]) < 0)
			return NULL;
	if (count)
		json_object_set_new(custom, "correlationId", json_string(list[0].correlation));
	return json_pack("{s:s,s:O,s:s,s:O,s:I}", "_type", "Targets", "custom", custom, "expires",
	    edition->expires, "targets", targets, "version", (json_int_t)edition->version);
}

/* The entry of one file in a "meta" member. */
static json_t *
describe(const char *text, size_t bytes, int64_t version)
{
	char hex[DIGEST_HEX_SIZE];

	digest_sha256_hex(text, bytes, hex);
	return json_pack("{s:{s:s},s:I,s:I}", "hashes", "sha256", hex, "length", (json_int_t)bytes, "version",
	    (json_int_t)version);
}

static json_t *
make_snapshot(const struct director_source *source, const char *targets, size_t bytes)
{
	const struct edition *edition = &source->edition;

	return json_pack("{s:s,s:{s:s},s:s,s:{s:o,s:o},s:I}", "_type", "Snapshot", "custom", "deviceId",
	    source->device.id, "expires", edition->expires, "meta", "root.json",
	    describe(source->root, strlen(source->root), source->roots), "targets.json",
	    describe(targets, bytes, edition->version), "version", (json_int_t)edition->version);
}

static json_t *
make_timestamp(const struct director_source *source, const char *snapshot, size_t bytes)
{
	const struct edition *edition = &source->edition;

	return json_pack("{s:s,s:{s:s},s:s,s:{s:o},s:I}", "_type", "Timestamp", "custom", "deviceId",
	    source->device.id, "expires", edition->expires, "meta", "snapshot.json",
	    describe(snapshot, bytes, edition->version), "version", (json_int_t)edition->version);
}

int
director_gather(struct core *core, const struct device *device, enum role role, struct director_source **out,
    struct err *err)
{
	AUTO(director_discardp) struct director_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return err_set(err, ENOMEM, "no memory for %s", role_name(role));
	if (core->roots.count == 0)
		return err_set(err, EAGAIN, "the director's root is not known yet: is ota-signd running?");
	source->device = *device;
	source->role = role;
	source->roots = core->roots.count;
	source->root = core->roots.texts[core->roots.count - 1];
	source->shown = core->shown;
	source->needs = state_needs(core->state);
	if ((r = read_edition(core, device, &source->edition, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &source->list, &source->count, err)) < 0)
		return r;
	*out = MOVE(source);
	return 0;
}

void
director_discard(struct director_source *source)
{
	if (!source)
		return;
	free(source->list);
	free(source);
}

void
director_discardp(struct director_source **source)
{
	director_discard(*source);
}

static int
sign(struct client *signer, struct director_source *source, enum role role, json_t *signed_part, char **out,
    size_t *bytes, struct err *err)
{
	const struct client_basis basis = { source->roots, source->edition.epoch };
	AUTO(json_decref_p) json_t *json = signed_part;
	int r;

	if (!json)
		return err_set(err, ENOMEM, "no memory for %s", role_name(role));
	r = client_sign_director(signer, role, &basis, json, out, bytes, err);
	if (r != CLIENT_NEW_ROOT && r != CLIENT_NOT_SHOWN && r != -EPERM && r != -ESTALE)
		return r;
	source->answer = r;
	snprintf(source->why, sizeof(source->why), "%s", r < 0 ? err->text : "");
	return DIRECTOR_OPPOSED;
}

int
director_make(struct client *signer, struct director_source *source, char **out, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *targets = NULL;
	AUTO(free_p) char *snapshot = NULL;
	size_t n;
	int r;

	r = sign(signer, source, ROLE_TARGETS,
	    make_targets(&source->device, &source->edition, source->list, source->count), &targets, &n, err);
	if (r == 0 && source->role != ROLE_TARGETS)
		r = sign(signer, source, ROLE_SNAPSHOT, make_snapshot(source, targets, n), &snapshot, &n, err);
	if (r == 0 && source->role == ROLE_TIMESTAMP)
		return sign(
		    signer, source, ROLE_TIMESTAMP, make_timestamp(source, snapshot, n), out, bytes, err);
	if (r != 0)
		return r;
	*out = snapshot ? MOVE(snapshot) : MOVE(targets);
	*bytes = n;
	return 0;
}

static int
show(struct core *core, struct err *err)
{
	return show_publication(core, err) < 0 ? -(err->code = EAGAIN) : 0;
}

/* Whether the device's documents still have the version that was gathered. */
static int
look_again(struct core *core, const struct director_source *source, bool *is_same, struct err *err)
{
	struct device now = { 0 };
	int64_t version = 0;
	int r = state_device(core->state, source->device.id, &now, err);

	if (r == 0)
		r = director_version(core, &now, &version, err);
	*is_same = version == source->edition.version;
	return r > 0 ? err_set(err, ENOENT, "%s: no such device", source->device.id) : r;
}

/*
 * The signer holds targets against the image repository. What it refuses there would be refused for ever, and
 * the device hear nothing: the update ends. withdrawn_follow() has ended most before. But what was refused may
 * have been held against another publication, or be another document by now: also one that is older than what
 * the signer has signed meanwhile.
 */
static int
end_refused(struct core *core, const struct director_source *source, struct err *err)
{
	bool is_same;
	int r = look_again(core, source, &is_same, err);

	if (r < 0 || !is_same)
		return r;
	if (source->answer == -EPERM && source->shown != image_number(core->image))
		return core->shown == image_number(core->image) ? 0 : show(core, err);
	if (source->answer != -EPERM || source->count == 0)
		return err_set(err, -source->answer, "%s", source->why);
	core->is_forgetting_due = true;
	return withdrawn_end(core, source->device.id, source->why, utc_now(), err);
}

int
director_mend(struct core *core, const struct director_source *source, struct err *err)
{
	if (source->answer == CLIENT_NEW_ROOT)
		return core->roots.count > source->roots ? 0 : core_follow_root(core, err);
	return source->answer == CLIENT_NOT_SHOWN ? show(core, err) : end_refused(core, source, err);
}

bool
director_is_news(const struct director_source *source)
{
	bool is_news = false;

	/* Devices read no other document of the director. */
	for (size_t i = 0; source->role == ROLE_TARGETS && i < source->count; i++)
		is_news |= source->list[i].in_flight_at == 0;
	return is_news;
}

int
director_hand_out(struct core *core, const struct director_source *source, int64_t now, struct err *err)
{
	int64_t number = 0;
	bool is_same = true;
	int r = 0;

	if (source->needs != state_needs(core->state))
		r = look_again(core, source, &is_same, err);
	if (r < 0 || !is_same)
		return r < 0 ? r : DIRECTOR_CHANGED;
	for (size_t i = 0; i < source->count; i++)
		number = source->list[i].number > number ? source->list[i].number : number;
	return flight_note(core, source->device.id, number, now, err);
}

int
director_document(
    struct core *core, const struct device *device, enum role role, char **out, size_t *bytes, struct err *err)
{
	struct device now = *device;
	int r = DIRECTOR_OPPOSED;

	for (int i = 0; i < TRIES_MAX && r == DIRECTOR_OPPOSED; i++) {
		AUTO(director_discardp) struct director_source *source = NULL;

		if (i && (r = state_device(core->state, device->id, &now, err)) != 0)
			return r < 0 ? r : err_set(err, ENOENT, "%s: no such device", device->id);
		if ((r = director_gather(core, &now, role, &source, err)) < 0)
			return r;
		r = director_make(core->signer, source, out, bytes, err);
		if (r == DIRECTOR_OPPOSED && (r = director_mend(core, source, err)) == 0)
			r = DIRECTOR_OPPOSED;
	}
	return r == DIRECTOR_OPPOSED ? err_set(err, EAGAIN, "ota-signd did not come to an end: is it starting?")
				     : r;
}

static int
gather_again(struct core *core, const struct inode_id *document, struct director_source **out, struct err *err)
{
	struct device device = { .number = 0 };
	int r;

	r = state_device_numbered(core->state, document->number, device.id, err);
	if (r == 0)
		r = state_device(core->state, device.id, &device, err);
	if (r == 0)
		r = director_gather(core, &device, document->role, out, err);
	if (r == 0 && (*out)->edition.version != document->version)
		r = STATE_NONE;
	return r > 0 ? err_set(err, ENODATA, "it is of an older version: ask again") : r;
}

int
director_again(struct core *core, const struct inode_id *document, char **out, size_t *bytes, struct err *err)
{
	AUTO(director_discardp) struct director_source *source = NULL;
	int r;

	core_lock(core);
	r = gather_again(core, document, &source, err);
	core_unlock(core);
	if (r == 0)
		r = director_make(core->signer, source, out, bytes, err);
	/* What the signer wants first, the next lookup sees to. */
	return r == DIRECTOR_OPPOSED ? err_set(err, EAGAIN, "it is to be looked up again") : r;
}

int64_t
director_size(struct core *core, const struct device *device, const struct assignment *assignments,
    size_t count, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	struct edition edition;
	int r;

	if ((r = read_edition(core, device, &edition, err)) < 0)
		return r;
	json = make_targets(device, &edition, assignments, count);
	text = json ? json_write(json) : NULL;
	if (!text)
		return err_set(err, ENOMEM, "no memory for targets");
	return (int64_t)strlen(text) + SIGNATURE_BYTES;
}
