#include "otafs/enroll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/standing.h"
#include "otafs/update.h"
#include "sign/key.h"
#include "state/seen.h"

struct list {
	struct ecu *ecus;
	size_t count;
};

/* One registration: what was registered, what is to be. */
struct enrolment {
	struct core *core;
	const struct device *device;
	struct list old, new;
	const char *primary;
	int64_t now;
	bool is_ended; /* an assignment was */
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

static int
note(const struct enrolment *e, struct happening *happening, struct err *err)
{
	happening->device = e->device->id;
	happening->at = e->now;
	happening->who = STATE_WHO_DEVICE;
	return state_happened(e->core->state, happening, err);
}

/* What has become of the ECU @was; "" when nothing has. */
static const char *
change_of(const struct ecu *was, const struct ecu *is)
{
	if (!is)
		return "removed";
	if (strcmp(was->key, is->key))
		return "replaced, other key";
	return strcmp(was->hardware, is->hardware) ? "replaced, other hardware id" : "";
}

static int
end_assignment(struct enrolment *e, const struct assignment *open, const char *change, struct err *err)
{
	char text[STATE_CORRELATION_MAX + NAME_TARGET_MAX + NAME_ECU_MAX + 64], words[64], why[ERR_TEXT_MAX];
	struct happening ended = { .what = "ended",
		.text = text,
		.ecu = open->ecu,
		.target = open->target,
		.correlation = open->correlation };
	int r;

	snprintf(words, sizeof(words), "the ECU was %s", change);
	snprintf(text, sizeof(text), "ended %s for ECU %s, which was %s, %s", open->target, open->ecu, change,
	    open->correlation);
	snprintf(why, sizeof(why),
	    "the update of ECU %s to %s has ended, since the device registered it as %s: assign it again",
	    open->ecu, open->target, change);
	e->is_ended = true;
	if ((r = assign_finish(e->core, e->device->id, open, INSTALLATION_ENDED, "", words, e->now, err)) < 0 ||
	    (r = note(e, &ended, err)) < 0)
		return r;
	return state_device_why(e->core->state, e->device->id, why, e->now, err);
}

/* An assignment stands only as long as the very ECU it was checked against. */
static int
end_assignments(struct enrolment *e, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r = state_assignments(e->core->state, e->device->id, &open, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct ecu *was = find(&e->old, open[i].ecu), *is = find(&e->new, open[i].ecu);
		const char *change = was ? change_of(was, is) : "removed";

		if (*change)
			r = end_assignment(e, &open[i], change, err);
	}
	return r;
}

static int
store_list(const struct enrolment *e, struct err *err)
{
	struct state *state = e->core->state;
	const char *device = e->device->id;
	int r = 0, position = 1;

	for (size_t i = 0; r == 0 && i < e->old.count; i++)
		if (!find(&e->new, e->old.ecus[i].serial))
			r = state_ecu_remove(state, device, e->old.ecus[i].serial, err);
	for (size_t i = 0; r == 0 && i < e->new.count; i++)
		r = state_ecu_put(state, device, &e->new.ecus[i],
		    strcmp(e->new.ecus[i].serial, e->primary) ? position++ : 0, err);
	return r ? r : state_device_primary(state, device, e->primary, err);
}

static int
tell_one(
    const struct enrolment *e, const struct ecu *ecu, const char *what, const char *change, struct err *err)
{
	char text[NAME_ECU_MAX + NAME_HARDWARE_MAX + 64];

	snprintf(text, sizeof(text), "ECU %s (%s) %s", ecu->serial, ecu->hardware, change);
	return note(e, &(struct happening){ .what = what, .text = text, .ecu = ecu->serial }, err);
}

static int
tell_primary(const struct enrolment *e, struct err *err)
{
	char text[NAME_ECU_MAX * 2 + 64];

	if (!e->device->primary_ecu[0] || !strcmp(e->device->primary_ecu, e->primary))
		return 0;
	snprintf(
	    text, sizeof(text), "ECU %s is the primary now instead of %s", e->primary, e->device->primary_ecu);
	return note(e, &(struct happening){ .what = "primary_changed", .text = text, .ecu = e->primary }, err);
}

static int
tell(const struct enrolment *e, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->new.count; i++) {
		const struct ecu *is = &e->new.ecus[i], *was = find(&e->old, is->serial);
		const char *change = was ? change_of(was, is) : "registered";

		if (*change)
			r = tell_one(e, is, was ? "ecu_replaced" : "ecu_registered", change, err);
	}
	for (size_t i = 0; r == 0 && i < e->old.count; i++)
		if (!find(&e->new, e->old.ecus[i].serial))
			r = tell_one(e, &e->old.ecus[i], "ecu_removed", "removed", err);
	return r ? r : tell_primary(e, err);
}

static bool
is_same(const struct enrolment *e)
{
	if (e->old.count != e->new.count || strcmp(e->device->primary_ecu, e->primary))
		return false;
	for (size_t i = 0; i < e->old.count; i++)
		if (*change_of(&e->old.ecus[i], find(&e->new, e->old.ecus[i].serial)))
			return false;
	return true;
}

/* Whoever registers begins to count anew: a device that was set back is not taken for a recording of itself. */
static int
forget_counters(const struct enrolment *e, struct err *err)
{
	bool is_counted = e->device->manifest_digest[0] != '\0';

	for (size_t i = 0; i < e->old.count; i++)
		is_counted |= e->old.ecus[i].report_counter >= 0;
	return is_counted ? state_counters_reset(e->core->state, e->device->id, err) : 0;
}

static int
replace(struct enrolment *e, struct err *err)
{
	int r;

	if ((r = end_assignments(e, err)) != 0 || (r = store_list(e, err)) != 0 || (r = tell(e, err)) != 0)
		return r;
	return e->is_ended ? update_note(e->core, e->device->id, e->now, err)
			   : standing_update(e->core, e->device->id, err);
}

/* Within a transaction. */
static int
take(struct enrolment *e, struct err *err)
{
	int r = standing_seen(e->core, e->device, e->now, err);

	if (r == 0)
		r = forget_counters(e, err);
	return r || is_same(e) ? r : replace(e, err);
}

/* -- when other ECUs are not wanted -- */

/* The first difference to what is registered, in words. */
static void
find_difference(const struct enrolment *e, char *out, size_t room)
{
	for (size_t i = 0; i < e->old.count; i++) {
		const struct ecu *was = &e->old.ecus[i];
		const char *change = change_of(was, find(&e->new, was->serial));

		if (*change) {
			snprintf(out, room, "ECU %s would be %s", was->serial, change);
			return;
		}
	}
	for (size_t i = 0; i < e->new.count; i++)
		if (!find(&e->old, e->new.ecus[i].serial)) {
			snprintf(out, room, "ECU %s is new", e->new.ecus[i].serial);
			return;
		}
	snprintf(out, room, "ECU %s would be the primary", e->primary);
}

/* Within a transaction. The device asks again at each poll: it is told once. */
static int
tell_refusal(struct enrolment *e, const char *why, struct err *err)
{
	int r = standing_seen(e->core, e->device, e->now, err);

	if (r || !strcmp(e->device->why, why))
		return r;
	if ((r = state_device_why(e->core->state, e->device->id, why, e->now, err)) != 0)
		return r;
	return note(
	    e, &(struct happening){ .what = "registration_refused", .text = why, .is_chatter = true }, err);
}

static int
refuse_replacement(struct enrolment *e, struct reply *reply, struct err *err)
{
	char difference[NAME_ECU_MAX + 64], why[ERR_TEXT_MAX];
	int r;

	find_difference(e, difference, sizeof(difference));
	snprintf(why, sizeof(why), "registration refused: %s, and ecu_replacement is 0", difference);
	reply_refuse(reply, 409, "ecu_replacement_disabled", why);
	if ((r = state_begin(e->core->state, err)) < 0)
		return r;
	return state_end(e->core->state, tell_refusal(e, why, err), err);
}

/* -- all of it -- */

/* 0, or the refusal is set. */
static int
read_body(const char *body, size_t bytes, struct list *list, json_t **json, const char **primary,
    struct reply *reply, struct err *err)
{
	if (json_read(body, bytes, "ECU registration", json, err) < 0 || read_list(*json, list, err) < 0 ||
	    json_need_text(*json, "primary_ecu_serial", "ECU registration", primary, err) < 0) {
		reply_refuse(reply, 400, "invalid_ecus", err->text);
		return -EINVAL;
	}
	if (find(list, *primary))
		return 0;
	reply_refuse(reply, 400, "primary_is_not_listed_for_device", "the primary is not among the ECUs");
	return -EINVAL;
}

static int
commit(struct enrolment *e, struct reply *reply, struct err *err)
{
	int r;

	reply->status = e->old.count ? 200 : 201;
	if (e->old.count && !e->core->config->ecu_replacement && !is_same(e))
		return refuse_replacement(e, reply, err);
	if ((r = state_begin(e->core->state, err)) < 0)
		return r;
	return state_end(e->core->state, take(e, err), err);
}

/* A body that was read. */
struct work {
	json_t *json;
	struct list list;
	const char *primary; /* in json */
};

void
enroll_finish(void *work)
{
	struct work *done = work;

	if (!done)
		return;
	json_decref(done->json);
	free(done->list.ecus);
	free(done);
}

int
enroll_prepare(const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	struct work *new = calloc(1, sizeof(*new));

	if (!new)
		return err_set(err, ENOMEM, "no memory for ECUs");
	if (read_body(body, bytes, &new->list, &new->json, &new->primary, reply, err) < 0) {
		enroll_finish(new);
		return 1;
	}
	*work = new;
	return 0;
}

int
enroll_take(
    struct core *core, const struct device *device, const void *work, struct reply *reply, struct err *err)
{
	const struct work *ready = work;
	struct enrolment e = {
		.core = core, .device = device, .new = ready->list, .primary = ready->primary, .now = utc_now()
	};
	int r = state_ecus(core->state, device->id, &e.old.ecus, &e.old.count, err);

	if (r == 0)
		r = commit(&e, reply, err);
	free(e.old.ecus);
	return r;
}

int
enroll_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	void *work = NULL;
	int r = enroll_prepare(body, bytes, &work, reply, err);

	if (r)
		return r < 0 ? r : 0;
	r = enroll_take(core, device, work, reply, err);
	enroll_finish(work);
	return r;
}
