#include "otafs/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/key.h"

struct list {
	struct ecu *ecus;
	size_t count;
};

static int
read_ecu(const json_t *json, struct ecu *out, struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *key_json = NULL;
	AUTO(free_p) char *text = NULL;
	const char *serial, *hardware;
	int r;

	if ((r = json_need_text(json, "ecu_serial", "ECU", &serial, err)) < 0 ||
	    (r = name_check_ecu(serial, err)) < 0 ||
	    (r = json_need_text(json, "hardware_identifier", serial, &hardware, err)) < 0 ||
	    (r = name_check_hardware(hardware, err)) < 0 ||
	    (r = public_key_read(json_object_get(json, "clientKey"), serial, &key, err)) < 0)
		return r;
	key_json = public_key_json(key);
	text = json_write(key_json);
	if (!text)
		return err_set(err, ENOMEM, "%s: no memory", serial);
	if (strlen(text) >= sizeof(out->key))
		return err_set(
		    err, EINVAL, "%s: public key has more than %zu bytes", serial, sizeof(out->key) - 1);
	snprintf(out->serial, sizeof(out->serial), "%s", serial);
	snprintf(out->hardware, sizeof(out->hardware), "%s", hardware);
	snprintf(out->key, sizeof(out->key), "%s", text);
	return 0;
}

static struct ecu *
find(const struct list *list, const char *serial)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->ecus[i].serial, serial))
			return &list->ecus[i];
	return NULL;
}

static int
read_list(const json_t *json, struct list *out, struct err *err)
{
	const json_t *ecus = json_object_get(json, "ecus"), *one;
	size_t i, count = json_array_size(ecus);
	int r;

	if (count == 0 || count > STATE_ECUS_MAX)
		return err_set(err, EINVAL, "ecus: %zu ECUs, allowed are 1 to %d", count, STATE_ECUS_MAX);
	out->ecus = calloc(count, sizeof(*out->ecus));
	if (!out->ecus)
		return err_set(err, ENOMEM, "no memory for ECUs");
	json_array_foreach(ecus, i, one)
	{
		struct ecu ecu = { 0 };

		if ((r = read_ecu(one, &ecu, err)) < 0)
			return r;
		if (find(out, ecu.serial))
			return err_set(err, EINVAL, "ECU %s is listed twice", ecu.serial);
		out->ecus[out->count++] = ecu;
	}
	return 0;
}

static bool
is_same(const struct ecu *a, const struct ecu *b)
{
	return a && b && !strcmp(a->hardware, b->hardware) && !strcmp(a->key, b->key);
}

static bool
is_same_list(const struct list *old, const struct list *new)
{
	if (old->count != new->count)
		return false;
	for (size_t i = 0; i < new->count; i++)
		if (!is_same(find(old, new->ecus[i].serial), &new->ecus[i]))
			return false;
	return true;
}

static int
note(struct core *core, struct happening *happening, struct err *err)
{
	happening->at = utc_now();
	happening->who = STATE_WHO_DEVICE;
	return state_happened(core->state, happening, err);
}

/* An assignment stands only as long as the very ECU it was checked against. */
static int
close_assignments(struct core *core, const char *device, const struct list *old, const struct list *new,
    bool *is_changed, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	char text[512];
	size_t count;
	int r = state_assignments(core->state, device, &open, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *serial = open[i].ecu;

		if (is_same(find(old, serial), find(new, serial)))
			continue;
		snprintf(text, sizeof(text), "ended %s for ECU %s, which was %s, %s", open[i].target, serial,
		    find(new, serial) ? "replaced" : "removed", open[i].correlation);
		*is_changed = true;
		if ((r = state_assignment_close(core->state, device, serial, err)) == 0)
			r = note(core,
			    &(struct happening){ .device = device,
				.what = "ended",
				.text = text,
				.ecu = serial,
				.target = open[i].target,
				.correlation = open[i].correlation },
			    err);
	}
	return r;
}

static int
store_list(struct core *core, const char *device, const struct list *old, const struct list *new,
    const char *primary, struct err *err)
{
	int r = 0, position = 1;

	for (size_t i = 0; r == 0 && i < old->count; i++)
		if (!find(new, old->ecus[i].serial))
			r = state_ecu_remove(core->state, device, old->ecus[i].serial, err);
	for (size_t i = 0; r == 0 && i < new->count; i++)
		r = state_ecu_put(core->state, device, &new->ecus[i],
		    strcmp(new->ecus[i].serial, primary) ? position++ : 0, err);
	return r ? r : state_device_primary(core->state, device, primary, err);
}

static const char *
change_of(const struct ecu *was, const struct ecu *is)
{
	if (!was)
		return "registered";
	return strcmp(was->key, is->key) ? "replaced, other key" : "replaced, other hardware id";
}

static int
tell(struct core *core, const char *device, const struct list *old, const struct list *new, struct err *err)
{
	char text[512];
	int r = 0;

	for (size_t i = 0; r == 0 && i < new->count; i++) {
		const struct ecu *was = find(old, new->ecus[i].serial), *is = &new->ecus[i];

		if (is_same(was, is))
			continue;
		snprintf(text, sizeof(text), "ECU %s (%s) %s", is->serial, is->hardware, change_of(was, is));
		r = note(core,
		    &(struct happening){ .device = device,
			.what = was ? "ecu_replaced" : "ecu_registered",
			.text = text,
			.ecu = is->serial },
		    err);
	}
	for (size_t i = 0; r == 0 && i < old->count; i++) {
		if (find(new, old->ecus[i].serial))
			continue;
		snprintf(text, sizeof(text), "ECU %s (%s) removed", old->ecus[i].serial, old->ecus[i].hardware);
		r = note(core,
		    &(struct happening){
			.device = device, .what = "ecu_removed", .text = text, .ecu = old->ecus[i].serial },
		    err);
	}
	return r;
}

static int
replace(struct core *core, const struct device *device, const struct list *old, const struct list *new,
    const char *primary, struct err *err)
{
	bool is_changed = false;
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = close_assignments(core, device->id, old, new, &is_changed, err)) == 0 &&
	    (r = store_list(core, device->id, old, new, primary, err)) == 0)
		r = tell(core, device->id, old, new, err);
	if (r == 0 && is_changed)
		r = state_device_bump(core->state, device->id, utc_now(), err);
	if (r == 0 && is_changed)
		r = core_device_changed(core, device->id, err);
	return state_end(core->state, r, err);
}

int
enroll_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) struct ecu *old_ecus = NULL;
	AUTO(free_p) struct ecu *new_ecus = NULL;
	struct list old = { 0 }, new = { 0 };
	const char *primary;
	int r;

	if (json_read(body, bytes, "ECU registration", &json, err) < 0)
		return reply_refuse(reply, 400, "invalid_ecus", err->text);
	r = read_list(json, &new, err);
	new_ecus = new.ecus;
	if (r == 0)
		r = json_need_text(json, "primary_ecu_serial", "ECU registration", &primary, err);
	if (r < 0)
		return reply_refuse(reply, 400, "invalid_ecus", err->text);
	if (!find(&new, primary))
		return reply_refuse(
		    reply, 400, "primary_is_not_listed_for_device", "the primary is not among the ECUs");

	if ((r = state_ecus(core->state, device->id, &old_ecus, &old.count, err)) < 0)
		return r;
	old.ecus = old_ecus;
	reply->status = old.count ? 200 : 201;
	if (is_same_list(&old, &new) && !strcmp(device->primary_ecu, primary))
		return 0;
	return replace(core, device, &old, &new, primary, err);
}
