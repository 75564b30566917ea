#include "otafs/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/envelope.h"

/** A manifest that tells nothing new is noted as a sign of life at most this often, to spare the disk. */
#define SEEN_SECONDS 60
/** Free text of a device that is kept in the history. */
#define REPORT_TEXT_MAX 200

struct visit {
	struct core *core;
	const struct device *device;
	struct ecu *ecus;
	size_t ecu_count;
	struct assignment *open;
	size_t open_count;
	int64_t now;
	bool is_changed;     /* something is to be written */
	bool is_bumped;      /* what the device should install changed */
	struct reply *reply; /* the refusal, when check() gives one */
};

static struct ecu *
find_ecu(const struct visit *visit, const char *serial)
{
	for (size_t i = 0; i < visit->ecu_count; i++)
		if (!strcmp(visit->ecus[i].serial, serial))
			return &visit->ecus[i];
	return NULL;
}

/* Each check returns false and has set the refusal when the manifest is not to be taken. */
static bool
refuse(struct visit *visit, const char *code, const char *text)
{
	reply_refuse(visit->reply, 400, code, text);
	return false;
}

static bool
check_signature(
    struct visit *visit, const json_t *envelope, const struct ecu *ecu, const char *what, struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;

	if (json_read(ecu->key, strlen(ecu->key), ecu->serial, &json, err) < 0 ||
	    public_key_read(json, ecu->serial, &key, err) < 0 ||
	    envelope_verify_key(envelope, key, what, err) < 0)
		return refuse(visit, "signature_not_valid", err->text);
	return true;
}

static bool
check_ecu(struct visit *visit, const char *serial, const json_t *envelope, struct err *err)
{
	const json_t *body = json_object_get(envelope, "signed"), *info;
	const char *named, *file, *sha256;
	const struct ecu *ecu = find_ecu(visit, serial);
	unsigned char hash[DIGEST_SHA256_BYTES];
	char what[NAME_DEVICE_MAX + NAME_ECU_MAX + 32];

	name_printable(serial, what, NAME_ECU_MAX);
	if (!ecu) {
		err_set(err, EINVAL, "ECU \"%s\" is not registered for this device", what);
		return refuse(visit, "ecu_unknown", err->text);
	}
	snprintf(what, sizeof(what), "%s: ECU %s", visit->device->id, ecu->serial);
	if (!check_signature(visit, envelope, ecu, what, err))
		return false;
	info = json_object_get(body, "installed_image");
	if (json_need_text(body, "ecu_serial", what, &named, err) < 0 ||
	    json_need_text(info, "filepath", what, &file, err) < 0 ||
	    json_need_text(
		json_object_get(json_object_get(info, "fileinfo"), "hashes"), "sha256", what, &sha256, err) < 0)
		return refuse(visit, "invalid_manifest", err->text);
	if (strcmp(named, ecu->serial))
		return refuse(visit, "invalid_manifest", "an ECU's report stands under another ECU's name");
	if (strlen(file) > NAME_TARGET_MAX || digest_unhex(sha256, hash, sizeof(hash)) < 0)
		return refuse(visit, "invalid_manifest", "filepath is too long, or sha256 is not 64 digits");
	return true;
}

static bool
check(struct visit *visit, json_t *manifest, struct err *err)
{
	json_t *body = json_object_get(manifest, "signed"),
	       *reports = json_object_get(body, "ecu_version_manifests"), *one;
	const char *primary, *serial;

	if (envelope_check(manifest, visit->device->id, err) < 0)
		return refuse(visit, "invalid_manifest", err->text);
	if (visit->ecu_count == 0)
		return refuse(visit, "device_not_registered", "the device has not registered its ECUs");
	if (!check_signature(visit, manifest, &visit->ecus[0], visit->device->id, err))
		return false;
	if (json_need_text(body, "primary_ecu_serial", visit->device->id, &primary, err) < 0)
		return refuse(visit, "invalid_manifest", err->text);
	if (strcmp(primary, visit->device->primary_ecu))
		return refuse(visit, "ecu_not_primary", "primary_ecu_serial is not the registered primary");
	if (!json_is_object(reports))
		return refuse(visit, "invalid_manifest", "ecu_version_manifests is missing");
	json_object_foreach(reports, serial, one) if (!check_ecu(visit, serial, one, err)) return false;
	return true;
}

/* @about: what, and what of ecu, target and correlation is known. */
static int __attribute__((format(printf, 4, 5)))
tell(struct visit *visit, struct happening about, struct err *err, const char *format, ...)
{
	char text[1024], shown[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	name_printable(text, shown, sizeof(shown));
	about.device = visit->device->id;
	about.at = visit->now;
	about.who = STATE_WHO_DEVICE;
	about.text = shown;
	return state_happened(visit->core->state, &about, err);
}

static struct happening
of_assignment(const char *what, const struct assignment *a)
{
	return (struct happening){
		.what = what, .ecu = a->ecu, .target = a->target, .correlation = a->correlation
	};
}

/* Ends one assignment. */
static int
close_assignment(struct visit *visit, struct assignment *a, struct err *err)
{
	int r = state_assignment_close(visit->core->state, visit->device->id, a->ecu, err);

	a->target[0] = '\0';
	visit->is_bumped = true;
	return r < 0 ? r : 0;
}

/* Files and hashes are compared as they are stored: printable, and in lower case. */
static void
read_installed(
    const json_t *envelope, char file[static NAME_TARGET_MAX + 1], char sha256[static DIGEST_HEX_SIZE])
{
	const json_t *info = json_object_get(json_object_get(envelope, "signed"), "installed_image");
	const json_t *hashes = json_object_get(json_object_get(info, "fileinfo"), "hashes");
	unsigned char hash[DIGEST_SHA256_BYTES] = { 0 };

	name_printable(json_text(info, "filepath"), file, NAME_TARGET_MAX + 1);
	digest_unhex(json_text(hashes, "sha256"), hash, sizeof(hash));
	digest_hex(hash, sizeof(hash), sha256);
}

static int
take_installed(struct visit *visit, const char *serial, const json_t *envelope, struct err *err)
{
	char file[NAME_TARGET_MAX + 1], sha256[DIGEST_HEX_SIZE];
	struct ecu *ecu = find_ecu(visit, serial);
	int r = 0;

	read_installed(envelope, file, sha256);
	if (strcmp(ecu->installed, file) || strcmp(ecu->installed_sha256, sha256)) {
		snprintf(ecu->installed, sizeof(ecu->installed), "%s", file);
		snprintf(ecu->installed_sha256, sizeof(ecu->installed_sha256), "%s", sha256);
		ecu->installed_at = visit->now;
		visit->is_changed = true;
		if ((r = state_ecu_installed(visit->core->state, visit->device->id, ecu, err)) == 0)
			r = tell(visit,
			    (struct happening){ .what = "runs", .ecu = ecu->serial, .target = file }, err,
			    "ECU %s runs %s, sha256 %s", ecu->serial, file, sha256);
	}
	for (size_t i = 0; r == 0 && i < visit->open_count; i++) {
		struct assignment *a = &visit->open[i];

		if (strcmp(a->ecu, serial) || strcmp(a->target, file) || strcmp(a->sha256, sha256))
			continue;
		visit->is_changed = true;
		if ((r = tell(visit, of_assignment("installed", a), err, "installed %s on ECU %s, %s",
			 a->target, serial, a->correlation)) == 0)
			r = close_assignment(visit, a, err);
	}
	return r;
}

static const char *
text_or(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = json_text(object, name);

	return text ? text : otherwise;
}

/* What the report says of one ECU; of all of them when it does not say. */
static const json_t *
result_of(const json_t *report, const char *ecu)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(report, "items"), i,
	    one) if (!strcmp(text_or(one, "ecu", ""), ecu)) return json_object_get(one, "result");
	return json_object_get(report, "result");
}

static int
fail_assignment(struct visit *visit, struct assignment *a, const json_t *report, struct err *err)
{
	const json_t *result = result_of(report, a->ecu);
	char text[ERR_TEXT_MAX], shown[ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "the update of ECU %s to %s failed: %.64s: %.*s", a->ecu, a->target,
	    text_or(result, "code", "?"), REPORT_TEXT_MAX, text_or(result, "description", ""));
	name_printable(text, shown, sizeof(shown));
	if ((r = tell(visit, of_assignment("failed", a), err, "failed %s on ECU %s, %s", a->target, a->ecu,
		 a->correlation)) == 0 &&
	    (r = state_device_failure(visit->core->state, visit->device->id, shown, err)) == 0)
		r = close_assignment(visit, a, err);
	return r;
}

/* A report of an older update must not end a newer one: only its own correlation id counts. */
static int
fail_assignments(struct visit *visit, const char *correlation, const json_t *report, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < visit->open_count; i++)
		if (visit->open[i].target[0] && !strcmp(visit->open[i].correlation, correlation))
			r = fail_assignment(visit, &visit->open[i], report, err);
	return r;
}

/* One line of history for a result, whole report or one ECU of it. */
static int
tell_result(
    struct visit *visit, const char *who, const json_t *result, const char *correlation, struct err *err)
{
	return tell(visit, (struct happening){ .what = "reported", .correlation = correlation }, err,
	    "reported %s%s %.64s: %.*s%s%.127s", who,
	    json_is_true(json_object_get(result, "success")) ? "success" : "failure",
	    text_or(result, "code", "?"), REPORT_TEXT_MAX, text_or(result, "description", ""),
	    *correlation ? ", " : "", correlation);
}

static int
tell_items(struct visit *visit, const json_t *report, struct err *err)
{
	const json_t *one;
	size_t i;
	int r;

	json_array_foreach(json_object_get(report, "items"), i, one)
	{
		char who[NAME_ECU_MAX + 16];

		if (i == STATE_ECUS_MAX)
			break;
		snprintf(who, sizeof(who), "for ECU %.64s ", text_or(one, "ecu", "?"));
		if ((r = tell_result(visit, who, json_object_get(one, "result"), "", err)) < 0)
			return r;
	}
	return 0;
}

static int
take_report(struct visit *visit, const json_t *manifest, struct err *err)
{
	const json_t *report = json_object_get(
	    json_object_get(json_object_get(manifest, "signed"), "installation_report"), "report");
	const json_t *result = json_object_get(report, "result");
	const char *correlation = text_or(report, "correlation_id", "");
	int r;

	if (!result)
		return 0;
	visit->is_changed = true;
	if ((r = tell_result(visit, "", result, correlation, err)) < 0 ||
	    (r = tell_items(visit, report, err)) < 0)
		return r;
	if (!json_is_true(json_object_get(result, "success")))
		return fail_assignments(visit, correlation, report, err);
	return visit->device->failure[0] ? state_device_failure(visit->core->state, visit->device->id, "", err)
					 : 0;
}

/* Called within a transaction. */
static int
take(struct visit *visit, const json_t *manifest, struct err *err)
{
	json_t *reports = json_object_get(json_object_get(manifest, "signed"), "ecu_version_manifests"), *one;
	struct state *state = visit->core->state;
	const char *id = visit->device->id, *serial;
	int r = 0;

	json_object_foreach(
	    reports, serial, one) if ((r = take_installed(visit, serial, one, err)) < 0) return r;
	if ((r = take_report(visit, manifest, err)) < 0)
		return r;
	if (visit->is_bumped && ((r = state_device_bump(state, id, visit->now, err)) < 0 ||
				    (r = core_device_changed(visit->core, id, err)) < 0))
		return r;
	/* Seen in the future: the clock was ahead. */
	if (visit->is_changed || visit->now >= visit->device->seen_at + SEEN_SECONDS ||
	    visit->now < visit->device->seen_at)
		r = state_device_seen(state, id, visit->now, err);
	return r < 0 ? r : 0;
}

int
manifest_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	AUTO(json_decref_p) json_t *manifest = NULL;
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	struct visit visit = { .core = core, .device = device, .now = utc_now(), .reply = reply };
	int r;

	reply->status = 200;
	if (json_read(body, bytes, "manifest", &manifest, err) < 0)
		return reply_refuse(reply, 400, "invalid_manifest", err->text);
	if ((r = state_ecus(core->state, device->id, &ecus, &visit.ecu_count, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &open, &visit.open_count, err)) < 0)
		return r;
	visit.ecus = ecus;
	visit.open = open;
	if (!check(&visit, manifest, err))
		return 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	return state_end(core->state, take(&visit, manifest, err), err);
}
