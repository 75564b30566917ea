#include "tests/device/target.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/device/hash.h"

static json_t *
custom_of(const json_t *target)
{
	return json_object_get(target, "custom");
}

json_t *
target_ecus(const json_t *target)
{
	return json_object_get(custom_of(target), "ecuIdentifiers");
}

static const json_t *
hardware_ids(const json_t *target)
{
	return json_object_get(custom_of(target), "hardwareIds");
}

static json_int_t
length_of(const json_t *target)
{
	return json_integer_value(json_object_get(target, "length"));
}

bool
target_is_ostree(const json_t *target)
{
	const char *format = json_text(custom_of(target), "targetFormat");

	if (format && *format)
		return !strcmp(format, "OSTREE");
	return length_of(target) == 0;
}

const char *
target_uri(const json_t *target)
{
	const char *uri = json_text(custom_of(target), "uri");

	return uri && strcmp(uri, "https://example.com/") ? uri : "";
}

static bool
is_in(const json_t *array, const char *text)
{
	const json_t *one;

	for (size_t i = 0; (one = json_array_get(array, i)); i++)
		if (json_is_string(one) && !strcmp(json_string_value(one), text))
			return true;
	return false;
}

static const char *
hardware_of(const json_t *ecu)
{
	const char *hardware = json_text(ecu, "hardwareId");

	return hardware ? hardware : "";
}

static bool
fits_hardware(json_t *ecus, const json_t *hardware)
{
	const char *serial;
	json_t *ecu;

	json_object_foreach(ecus, serial, ecu)
	{
		if (!is_in(hardware, hardware_of(ecu)))
			return false;
	}
	return true;
}

static bool
has_same_hardware(const json_t *a, const json_t *b)
{
	size_t ecus_a = json_object_size(target_ecus(a)), ids_a = json_array_size(hardware_ids(a));
	size_t ecus_b = json_object_size(target_ecus(b)), ids_b = json_array_size(hardware_ids(b));

	if ((ids_a == 0 ? ids_b == 0 : json_equal(hardware_ids(a), hardware_ids(b))) &&
	    (ecus_a == 0 ? ecus_b == 0 : json_equal(target_ecus(a), target_ecus(b))))
		return true;
	if (ecus_a && !ids_a && !ecus_b && ids_b)
		return fits_hardware(target_ecus(a), hardware_ids(b));
	if (ecus_b && !ids_b && !ecus_a && ids_a)
		return fits_hardware(target_ecus(b), hardware_ids(a));
	return false;
}

bool
target_is_same(const char *name_a, const json_t *a, const char *name_b, const json_t *b)
{
	return !strcmp(name_a, name_b) && length_of(a) == length_of(b) && has_same_hardware(a, b) &&
	       hash_is_same(json_object_get(a, "hashes"), json_object_get(b, "hashes"));
}

static const struct ecu *
find_ecu(const struct ecus *ecus, const char *serial)
{
	for (size_t i = 0; i < ecus->count; i++)
		if (!strcmp(ecus->ecu[i].serial, serial))
			return &ecus->ecu[i];
	return NULL;
}

/* Sets *@is_new unless @ecu runs the target already. */
static int
compare_installed(const struct ecu *ecu, const char *name, const json_t *target, bool *is_new, struct err *err)
{
	const char *installed = json_text(ecu->installed, "name");

	if (installed && target_is_same(installed, json_object_get(ecu->installed, "target"), name, target))
		return 0;
	if (installed && !strcmp(installed, name))
		return err_set(err, EBADMSG,
		    "director targets.json: \"%.128s\": ECU %s runs a file of that name with other content",
		    name, ecu->serial);
	*is_new = true;
	return 0;
}

static int
check_target(const char *name, const json_t *target, const struct ecus *ecus, bool *is_new, struct err *err)
{
	const char *serial;
	json_t *entry;
	int r;

	json_object_foreach(target_ecus(target), serial, entry)
	{
		const struct ecu *ecu = find_ecu(ecus, serial);

		if (!ecu)
			return err_set(err, EBADMSG,
			    "director targets.json: \"%.128s\": ECU %.64s is not in this vehicle", name,
			    serial);
		if (strcmp(ecu->hardware, hardware_of(entry)))
			return err_set(err, EBADMSG,
			    "director targets.json: \"%.128s\": ECU %s has hardware id %s, not \"%.64s\"", name,
			    serial, ecu->hardware, hardware_of(entry));
		if ((r = compare_installed(ecu, name, target, is_new, err)) < 0)
			return r;
	}
	return 0;
}

int
target_find_new(json_t *targets, const struct ecus *ecus, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *found = json_object();
	const char *name;
	json_t *target;
	int r;

	json_object_foreach(targets, name, target)
	{
		bool is_new = false;

		if ((r = check_target(name, target, ecus, &is_new, err)) < 0)
			return r;
		if (is_new && json_object_set(found, name, target) < 0)
			return err_set(err, ENOMEM, "no memory for targets");
	}
	if (!found)
		return err_set(err, ENOMEM, "no memory for targets");
	*out = MOVE(found);
	return 0;
}

int
target_mismatch(const char *name, const json_t *target, const json_t *image, struct err *err)
{
	const char *why;

	if (!image)
		why = "is not in the image repository";
	else if (length_of(target) != length_of(image))
		why = "has another length in the image repository";
	else if (json_array_size(hardware_ids(target)))
		why = "has hardwareIds in the director's targets";
	else if (!has_same_hardware(target, image))
		why = "is for other hardware in the image repository";
	else
		why = "has no equal or another hash in the image repository";
	return err_set(err, EBADMSG, "director targets.json: \"%.128s\" %s", name, why);
}
