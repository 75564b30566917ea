#include "tests/device/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/canonical.h"

/** SHA-256 of nothing: what aktualizr reports for an ECU of which nothing is known. */
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/** aktualizr has no time server, so both times stand still. */
#define NO_TIME "1970-01-01T00:00:00Z"

static json_t *
describe_ecus(const struct ecus *ecus)
{
	AUTO(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; i < ecus->count; i++) {
		const struct ecu *ecu = &ecus->ecu[i];
		json_t *one =
		    json_pack("{s:o,s:s,s:s}", "clientKey", public_key_json(key_pair_public(ecu->key)),
			"ecu_serial", ecu->serial, "hardware_identifier", ecu->hardware);

		if (json_array_append_new(list, one) < 0)
			return NULL;
	}
	return json_pack("{s:O,s:s}", "ecus", list, "primary_ecu_serial", ecus->ecu[0].serial);
}

/* Sends @text and has any good status mean that the server took it. */
static int
hand_in(const struct device *device, const char *method, const char *path, const char *text, size_t bytes,
    struct err *err)
{
	struct http_answer answer = { 0 };
	int r = http_send(&device->http, method, path, "application/json", text, bytes, &answer, err);

	if (r == 0 && !http_is_ok(answer.status))
		r = err_set(err, ECOMM, "%s %s: status %ld: %.256s", method, path, answer.status,
		    answer.body ? answer.body : "");
	http_answer_done(&answer);
	return r;
}

int
manifest_register(struct device *device, struct err *err)
{
	AUTO(json_decref_p) json_t *list = describe_ecus(&device->ecus);
	json_t *state = store_state(device->store);
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if (!list)
		return err_set(err, ENOMEM, "ECU list: no memory");
	if (json_equal(list, json_object_get(state, "registered")))
		return 0;
	if ((r = canonical_write(list, &text, &bytes, err)) < 0 ||
	    (r = hand_in(device, "POST", "/director/ecus", text, bytes, err)) < 0)
		return r;
	if (json_object_set(state, "registered", list) < 0)
		return err_set(err, ENOMEM, "ECU list: no memory");
	return store_save(device->store, err);
}

/* {"signatures":[...],"signed":@stolen}; @stolen belongs to us. */
static int
sign_part(const struct key_pair *key, json_t *stolen, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *part = stolen, *signature = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if (!part)
		return err_set(err, ENOMEM, "manifest: no memory");
	if ((r = canonical_write(part, &text, &bytes, err)) < 0 ||
	    (r = key_pair_sign(key, text, bytes, &signature, err)) < 0)
		return r;
	*out = json_pack("{s:[O],s:O}", "signatures", signature, "signed", part);
	return *out ? 0 : err_set(err, ENOMEM, "manifest: no memory");
}

static json_t *
installed_image(const struct ecu *ecu, bool is_primary)
{
	const json_t *target = json_object_get(ecu->installed, "target");
	const char *name = json_text(ecu->installed, "name");
	const char *sha256 = json_text(json_object_get(target, "hashes"), "sha256");
	char hex[DIGEST_HEX_SIZE] = SHA256_OF_NOTHING;

	for (size_t i = 0; sha256 && sha256[i] && i < sizeof(hex) - 1; i++)
		hex[i] = (char)tolower((unsigned char)sha256[i]);
	if (!name)
		name = is_primary ? "unknown" : "noimage";
	return json_pack("{s:s,s:{s:I,s:{s:s}}}", "filepath", name, "fileinfo", "length",
	    json_integer_value(json_object_get(target, "length")), "hashes", "sha256", hex);
}

/* @counter 0: the secondaries count nothing. @operation: how the last one went, NULL: nothing is said. */
static int
ecu_manifest(const struct ecu *ecu, long long counter, const json_t *operation, json_t **out, struct err *err)
{
	json_t *part = json_pack("{s:s,s:s,s:o,s:s,s:s}", "attacks_detected", "", "ecu_serial", ecu->serial,
	    "installed_image", installed_image(ecu, counter > 0), "previous_timeserver_time", NO_TIME,
	    "timeserver_time", NO_TIME);

	if (counter > 0 && json_object_set_new(part, "report_counter", json_sprintf("%lld", counter)) < 0) {
		json_decref(part);
		part = NULL;
	}
	if (part && operation)
		json_object_set_new(part, "custom", json_pack("{s:O}", "operation_result", operation));
	return sign_part(ecu->key, part, out, err);
}

/* Counts one more; a number is used up even if the manifest never arrives. */
static int
next_counter(struct device *device, long long *out, struct err *err)
{
	json_t *state = store_state(device->store);

	*out = json_integer_value(json_object_get(state, "report_counter")) + 1;
	if (json_object_set_new(state, "report_counter", json_integer(*out)) < 0)
		return err_set(err, ENOMEM, "report_counter: no memory");
	return store_save(device->store, err);
}

static bool
is_form(const struct device *device, const char *form)
{
	return !strcmp(device->form, form);
}

/* By serial; without names in the oldest form. */
static json_t *
add_names(const struct device *device, json_t *by_serial)
{
	json_t *list, *one;
	const char *serial;

	if (!is_form(device, "v1"))
		return json_incref(by_serial);
	list = json_array();
	json_object_foreach(by_serial, serial, one) json_array_append(list, one);
	return list;
}

static int
ecu_manifests(struct device *device, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *all = json_object();
	const json_t *operations =
	    is_form(device, "v3") ? NULL : json_object_get(store_state(device->store), "operations");
	long long counter;
	int r = next_counter(device, &counter, err);

	for (size_t i = 0; r == 0 && i < device->ecus.count; i++) {
		json_t *one;

		r = ecu_manifest(&device->ecus.ecu[i], i == 0 ? counter : 0,
		    json_object_get(operations, device->ecus.ecu[i].serial), &one, err);
		if (r == 0 && json_object_set_new(all, device->ecus.ecu[i].serial, one) < 0)
			r = err_set(err, ENOMEM, "manifest: no memory");
	}
	if (r == 0)
		*out = add_names(device, all);
	return r;
}

static int
build(struct device *device, json_t **out, struct err *err)
{
	json_t *report = json_object_get(store_state(device->store), "report");
	const struct ecu *primary = &device->ecus.ecu[0];
	AUTO(json_decref_p) json_t *part = NULL;
	json_t *versions = NULL;
	int r = ecu_manifests(device, &versions, err);

	if (r < 0)
		return r;
	part = json_pack("{s:s,s:o}", "primary_ecu_serial", primary->serial,
	    is_form(device, "v1") ? "ecu_version_manifest" : "ecu_version_manifests", versions);
	if (report && is_form(device, "v3") &&
	    json_object_set_new(part, "installation_report",
		json_pack("{s:s,s:O}", "content_type", "application/vnd.com.here.otac.installationReport.v1",
		    "report", report)) < 0)
		return err_set(err, ENOMEM, "manifest: no memory");
	return sign_part(primary->key, MOVE(part), out, err);
}

/* For those who want to hand it in once more. */
static int
record(const struct device *device, const char *text, size_t bytes, struct err *err)
{
	return device->record ? file_replace(AT_FDCWD, device->record, text, bytes, 0600, err) : 0;
}

int
manifest_send(struct device *device, struct err *err)
{
	AUTO(json_decref_p) json_t *manifest = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = build(device, &manifest, err)) < 0 ||
	    (r = canonical_write(manifest, &text, &bytes, err)) < 0 ||
	    (r = record(device, text, bytes, err)) < 0 ||
	    (r = hand_in(device, "PUT", "/director/manifest", text, bytes, err)) < 0)
		return r;
	json_object_del(store_state(device->store), "operations");
	if (json_object_del(store_state(device->store), "report") < 0)
		return 0; /* there was none */
	return store_save(device->store, err);
}

json_t *
manifest_result(const char *code, const char *description)
{
	return json_pack(
	    "{s:b,s:s,s:s}", "success", !strcmp(code, "OK"), "code", code, "description", description);
}

int
manifest_set_report(struct device *device, const char *correlation, const char *code, const char *description,
    const char *raw, json_t *items, struct err *err)
{
	json_t *report = json_pack("{s:s,s:s,s:o,s:o}", "correlation_id", correlation, "raw_report", raw,
	    "result", manifest_result(code, description), "items", items);

	if (!report || json_object_set_new(store_state(device->store), "report", report) < 0)
		return err_set(err, ENOMEM, "installation report: no memory");
	return store_save(device->store, err);
}

int
manifest_set_installed(struct device *device, size_t i, const char *name, json_t *target, struct err *err)
{
	json_t *section = store_section(device->store, "installed");
	struct ecu *ecu = &device->ecus.ecu[i];
	json_t *version = json_pack("{s:s,s:O}", "name", name, "target", target);

	if (!version || json_object_set_new(section, ecu->serial, version) < 0)
		return err_set(err, ENOMEM, "%s: no memory", ecu->serial);
	ecu->installed = version;
	return 0;
}
