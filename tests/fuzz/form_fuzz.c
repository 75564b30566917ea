/*
 * Documents of the director: what is taken is canonical JSON, says the same as JSON, and has what it has to
 * have. The first byte of the input is the role.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
check_target(const struct form_target *target, const json_t *targets)
{
	const json_t *json = json_object_get(targets, target->file), *custom = json_object_get(json, "custom");
	json_t *ecus = json_object_get(custom, "ecuIdentifiers"), *ecu;
	const char *serial;
	size_t i = 0;

	assert(json_integer_value(json_object_get(json, "length")) == target->length);
	assert(!strcmp(json_text(json_object_get(json, "hashes"), "sha256"), target->sha256));
	assert(!strcmp(json_text(custom, "targetFormat"), target->format));
	assert(target->ecus > 0 && json_object_size(ecus) == target->ecus);
	json_object_foreach(ecus, serial, ecu)
	    assert(!strcmp(json_text(ecu, "hardwareId"), target->hardware[i++]));
}

static void
check(enum role role, const char *text, const struct form *form)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *canonical = NULL;
	int64_t expires;
	struct err err;
	int version;

	assert(json_read(text, strlen(text), "text", &json, &err) == 0);
	assert(canonical_write(json, &canonical, NULL, &err) == 0 && !strcmp(canonical, text));
	assert(!strcmp(json_text(json, "_type"), role_type(role)));
	assert(!strcmp(json_text(json_object_get(json, "custom"), "deviceId"), form->device));
	assert(envelope_expires(json, "text", &expires, &err) == 0 && expires == form->expires);
	assert(envelope_version(json, "text", &version, &err) == 0 && version == form->version);
	assert(json_object_size(json_object_get(json, "targets")) == form->count);
	for (size_t i = 0; i < form->count; i++)
		check_target(&form->targets[i], json_object_get(json, "targets"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(free_p) char *text = bytes ? strndup((const char *)data + 1, bytes - 1) : NULL;
	AUTO(free_p) char *copy = text ? strdup(text) : NULL;
	enum role role = (enum role)(bytes ? data[0] % ROLE_COUNT : 0);
	static struct form form;
	struct err err = { 0 };

	if (!copy)
		return 0;
	if (form_read(role, copy, &form, &err) == 0)
		check(role, text, &form);
	else
		assert(*err.text);
	return 0;
}
