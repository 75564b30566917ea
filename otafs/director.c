#include "otafs/director.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/show.h"
#include "otafs/withdrawn.h"

#define DAY_SECONDS 86400
/** One Ed25519 signature, its key id and the members around it. */
#define SIGNATURE_BYTES 300

/* What the three documents share. */
struct edition {
	int64_t version, epoch;
	char expires[UTC_TEXT_SIZE];
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
make_snapshot(const struct core *core, const struct device *device, const struct edition *edition,
    const char *targets, size_t bytes)
{
	int roots = core->roots.count;
	const char *root = core->roots.texts[roots - 1];

	return json_pack("{s:s,s:{s:s},s:s,s:{s:o,s:o},s:I}", "_type", "Snapshot", "custom", "deviceId",
	    device->id, "expires", edition->expires, "meta", "root.json", describe(root, strlen(root), roots),
	    "targets.json", describe(targets, bytes, edition->version), "version",
	    (json_int_t)edition->version);
}

static json_t *
make_timestamp(const struct device *device, const struct edition *edition, const char *snapshot, size_t bytes)
{
	return json_pack("{s:s,s:{s:s},s:s,s:{s:o},s:I}", "_type", "Timestamp", "custom", "deviceId",
	    device->id, "expires", edition->expires, "meta", "snapshot.json",
	    describe(snapshot, bytes, edition->version), "version", (json_int_t)edition->version);
}

/* Shows the signer what is published when it has not seen that. */
static int
sign_as_shown(struct core *core, enum role role, const struct edition *edition, const json_t *json, char **out,
    size_t *bytes, struct err *err)
{
	const struct client_basis basis = { core->roots.count, edition->epoch };
	int r = client_sign_director(core->signer, role, &basis, json, out, bytes, err);

	if (r == CLIENT_NOT_SHOWN || (r == -EPERM && core->shown != image_number(core->image))) {
		if (show_publication(core, err) < 0)
			return -(err->code = EAGAIN);
		r = client_sign_director(core->signer, role, &basis, json, out, bytes, err);
	}
	return r == CLIENT_NOT_SHOWN
		   ? err_set(err, EAGAIN, "ota-signd forgot what is published: is it starting?")
		   : r;
}

static int
sign(struct core *core, enum role role, const struct edition *edition, json_t *signed_part, char **out,
    size_t *bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *json = signed_part;
	int r;

	if (!json)
		return err_set(err, ENOMEM, "no memory for %s", role_name(role));
	r = sign_as_shown(core, role, edition, json, out, bytes, err);
	if (r != CLIENT_NEW_ROOT)
		return r;
	if ((r = core_follow_root(core, err)) < 0)
		return r;
	return err_set(err, EAGAIN, "the director has a new root: the documents have another version now");
}

/*
 * The signer holds targets against the image repository. What it refuses there would be refused for ever, and
 * the device hear nothing: the update ends. withdrawn_follow() has ended most before.
 */
static int
sign_targets(struct core *core, const struct device *device, const struct edition *edition, char **out,
    size_t *bytes, struct err *err)
{
	AUTO(free_p) struct assignment *list = NULL;
	char why[ERR_TEXT_MAX];
	size_t count;
	int r;

	if ((r = state_assignments(core->state, device->id, &list, &count, err)) < 0)
		return r;
	r = sign(core, ROLE_TARGETS, edition, make_targets(device, edition, list, count), out, bytes, err);
	if (r != -EPERM || count == 0)
		return r;
	snprintf(why, sizeof(why), "%s", err->text);
	if ((r = withdrawn_end(core, device->id, why, utc_now(), err)) < 0)
		return r;
	core->is_forgetting_due = true;
	return err_set(err, EAGAIN, "%.480s; the update has ended", why);
}

int
director_document(
    struct core *core, const struct device *device, enum role role, char **out, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *targets = NULL;
	AUTO(free_p) char *snapshot = NULL;
	struct edition edition;
	size_t n;
	int r;

	if (core->roots.count == 0)
		return err_set(err, EAGAIN, "the director's root is not known yet: is ota-signd running?");
	if ((r = read_edition(core, device, &edition, err)) < 0 ||
	    (r = sign_targets(core, device, &edition, &targets, &n, err)) < 0)
		return r;
	if (role == ROLE_TARGETS) {
		*out = MOVE(targets);
		*bytes = n;
		return 0;
	}
	if ((r = sign(core, ROLE_SNAPSHOT, &edition, make_snapshot(core, device, &edition, targets, n),
		 &snapshot, &n, err)) < 0)
		return r;
	if (role == ROLE_SNAPSHOT) {
		*out = MOVE(snapshot);
		*bytes = n;
		return 0;
	}
	return sign(
	    core, ROLE_TIMESTAMP, &edition, make_timestamp(device, &edition, snapshot, n), out, bytes, err);
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
