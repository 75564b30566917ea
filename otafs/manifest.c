#include "otafs/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/settle.h"
#include "otafs/silence.h"
#include "otafs/standing.h"
#include "sign/envelope.h"

/* What is registered. */
struct ecus {
	struct ecu *list;
	size_t count;
};

struct work {
	struct told *told;
	struct ecus ecus; /* whose keys have signed it */
};

static void
ecus_done(struct ecus *ecus)
{
	free(ecus->list);
}

static void
work_freep(struct work **work)
{
	if (!*work)
		return;
	told_free((*work)->told);
	ecus_done(&(*work)->ecus);
	free(*work);
}

/* -- signatures -- */

/* What is wrong: a reply that is kept, 1 as the answer. */
static int
refuse(struct reply *reply, const char *code, const char *text)
{
	reply_refuse(reply, 400, code, text);
	return 1;
}

/* What cannot be read. */
static int
refuse_form(int r, struct reply *reply, const struct err *err)
{
	return r == -EBADMSG ? refuse(reply, "invalid_manifest", err->text) : r;
}

/** Signatures that a device may put on what it tells; clients put one. Each is checked, so that a device could
 * have thousands checked at each poll. */
#define SIGNATURES_MAX 4

static int
check_signature(
    const json_t *envelope, const struct ecu *ecu, const char *what, struct reply *reply, struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	int r = envelope_check(envelope, what, err);

	if (r < 0)
		return r == -ENOMEM ? r : refuse(reply, "invalid_manifest", err->text);
	if (json_array_size(json_object_get(envelope, "signatures")) > SIGNATURES_MAX) {
		err_set(err, EBADMSG, "%s: has more than %d signatures", what, SIGNATURES_MAX);
		return refuse(reply, "invalid_manifest", err->text);
	}
	if ((r = json_read(ecu->key, strlen(ecu->key), ecu->serial, &json, err)) < 0 ||
	    (r = public_key_read(json, ecu->serial, &key, err)) < 0 ||
	    (r = envelope_verify_key(envelope, key, what, err)) < 0)
		return r == -ENOMEM ? r : refuse(reply, "signature_not_valid", err->text);
	return 0;
}

static const struct ecu *
find_ecu(const struct ecus *ecus, const char *serial)
{
	for (size_t i = 0; i < ecus->count; i++)
		if (!strcmp(ecus->list[i].serial, serial))
			return &ecus->list[i];
	return NULL;
}

static int
check_ecu(const struct device *device, const struct ecus *ecus, const struct told_ecu *told,
    struct reply *reply, struct err *err)
{
	const struct ecu *ecu = find_ecu(ecus, told->serial);
	char what[NAME_DEVICE_MAX + NAME_ECU_MAX + 32];
	int r;

	name_printable(told->serial, what, NAME_ECU_MAX);
	if (!ecu) {
		err_set(err, EINVAL, "ECU \"%s\" is not registered for this device", what);
		return refuse(reply, "ecu_unknown", err->text);
	}
	snprintf(what, sizeof(what), "%s: ECU %s", device->id, ecu->serial);
	if ((r = check_signature(told->envelope, ecu, what, reply, err)) != 0)
		return r;
	if (strcmp(told->named, ecu->serial) != 0)
		return refuse(reply, "invalid_manifest", "an ECU's report stands under another ECU's name");
	return 0;
}

static int
check_whole(const struct device *device, const struct ecus *ecus, const struct told *told, struct reply *reply,
    struct err *err)
{
	if (ecus->count == 0)
		return refuse(reply, "device_not_registered", "the device has not registered its ECUs");
	return check_signature(told->json, &ecus->list[0], device->id, reply, err);
}

static int
check_parts(const struct device *device, const struct ecus *ecus, const struct told *told, struct reply *reply,
    struct err *err)
{
	int r;

	if (strcmp(told->primary, ecus->list[0].serial) != 0)
		return refuse(reply, "ecu_not_primary", "primary_ecu_serial is not the registered primary");
	for (size_t i = 0; i < told->count; i++)
		if ((r = check_ecu(device, ecus, &told->ecus[i], reply, err)) != 0)
			return r;
	return 0;
}

int
manifest_look(struct core *core, const struct device *device, void **work, struct err *err)
{
	AUTO(work_freep) struct work *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return err_set(err, ENOMEM, "no memory for a manifest");
	if ((r = state_ecus(core->state, device->id, &new->ecus.list, &new->ecus.count, err)) < 0)
		return r;
	*work = MOVE(new);
	return 0;
}

static int
prepare(const struct device *device, const char *body, size_t bytes, struct work *work, struct reply *reply,
    struct err *err)
{
	int r;

	reply->status = 200;
	if ((r = told_read(body, bytes, &work->told, err)) < 0)
		return refuse_form(r, reply, err);
	if ((r = check_whole(device, &work->ecus, work->told, reply, err)) != 0)
		return r;
	if ((r = told_parse(work->told, err)) < 0)
		return refuse_form(r, reply, err);
	return check_parts(device, &work->ecus, work->told, reply, err);
}

/* -- polls -- */

/* Polls without a sign of the open update. */
static int
count_poll(struct settling *s, int64_t *polls, struct err *err)
{
	int r;

	*polls = s->ended || s->open_count == 0 ? 0 : s->device->polls + 1;
	s->is_changed |= silence_is_over(s->core, s->device, *polls);
	if (*polls == 0 || !silence_is_due(s->core, s->device, *polls))
		return 0;
	/* Before the status, which asks for them. */
	if ((r = state_polls(s->core->state, s->device->id, *polls, err)) < 0)
		return r;
	s->is_changed = true;
	return silence_tell(s->core, s->device, s->open, s->open_count, *polls, s->now, err);
}

/* -- refusals -- */

/* An old manifest, or one that cannot be taken, comes with every poll: people are told once, as long as the
 * first
 * @same bytes of why are the same. And it is a poll without a sign of the open update. */
static int
tell_refusal(struct settling *s, struct happening about, const char *why, size_t same, struct err *err)
{
	struct state *state = s->core->state;
	bool is_told = !strncmp(s->device->why, why, same);
	int64_t polls;
	int r;

	if ((r = count_poll(s, &polls, err)) < 0 ||
	    (r = state_manifest_noted(state, s->device->id, polls, -1, "", s->now, err)) < 0)
		return r;
	about.is_chatter = true;
	if (!is_told && (r = settle_tell(s, about, err, "%s", about.text)) < 0)
		return r;
	if (!s->is_changed)
		return 0;
	/* After the alarm, which has its own words there. */
	if ((r = state_device_why(state, s->device->id, why, s->now, err)) < 0)
		return r;
	return standing_update(s->core, s->device->id, err);
}

static int
tell_unreadable(struct settling *s, const struct reply *reply, struct err *err)
{
	char why[ERR_TEXT_MAX];
	int r, same;

	/* Reasons are as many as there are ways to spoil a text: of each code one is enough. */
	same = snprintf(why, sizeof(why), SILENCE_REFUSED "%s: ", reply->code);
	snprintf(why + same, sizeof(why) - (size_t)same, "%.400s", reply->description);
	if ((r = state_begin(s->core->state, err)) < 0)
		return r;
	r = tell_refusal(
	    s, (struct happening){ .what = "manifest_refused", .text = why }, why, (size_t)same, err);
	return state_end(s->core->state, r, err);
}

/* With the lock. */
static int
note_unreadable(struct core *core, const char *device, const struct reply *reply, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct device now = { 0 };
	struct settling s = { .core = core, .device = &now, .now = utc_now() };
	int r;

	if ((r = state_device(core->state, device, &now, err)) != 0)
		return r < 0 ? r : 0;
	if ((r = state_assignments(core->state, device, &open, &s.open_count, err)) < 0)
		return r;
	s.open = open;
	return tell_unreadable(&s, reply, err);
}

int
manifest_prepare(struct core *core, const struct device *device, const char *body, size_t bytes, void *work,
    struct reply *reply, struct err *err)
{
	int r = prepare(device, body, bytes, work, reply, err), noted;

	if (r <= 0)
		return r;
	core_lock(core);
	noted = note_unreadable(core, device->id, reply, err);
	core_unlock(core);
	return noted < 0 ? noted : r;
}

void
manifest_finish(void *work)
{
	struct work *done = work;

	work_freep(&done);
}

/* -- replays -- */

static bool
is_same_keys(const struct ecus *a, const struct ecus *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->list[i].serial, b->list[i].serial) || strcmp(a->list[i].key, b->list[i].key))
			return false;
	return true;
}

static int64_t
counter_of(const struct told *told)
{
	const struct told_ecu *primary = told_of(told, told->primary);

	return primary ? primary->counter : -1;
}

static int
tell_replay(struct settling *s, int64_t highest, struct err *err)
{
	char why[ERR_TEXT_MAX], told[128];

	snprintf(why, sizeof(why),
	    SILENCE_REFUSED "its report_counter is not above %lld, which was taken: it is an old one; if the "
			    "device was set back, write \"reset\" into devices/%s/counter",
	    (long long)highest, s->device->id);
	snprintf(told, sizeof(told), "replayed manifest refused: report_counter %lld, %lld was taken",
	    (long long)counter_of(s->told), (long long)highest);
	return tell_refusal(s,
	    (struct happening){ .what = "replayed", .ecu = s->device->primary_ecu, .text = told }, why,
	    sizeof(why), err);
}

/* 1: it is answered already. */
static int
check_replay(struct settling *s, struct reply *reply, struct err *err)
{
	int64_t counter = counter_of(s->told), highest = s->ecus[0].report_counter;
	int r;

	if (counter < 0 || counter > highest)
		return 0;
	/* The answer got lost. */
	if (!strcmp(s->told->digest, s->device->manifest_digest))
		return (r = state_device_seen(s->core->state, s->device->id, s->now, err)) < 0 ? r : 1;
	err_set(err, EEXIST, "%s: report_counter %lld is not above %lld, which was taken", s->device->id,
	    (long long)counter, (long long)highest);
	reply_refuse(reply, 409, "replayed_manifest", err->text);
	return (r = tell_replay(s, highest, err)) < 0 ? r : 1;
}

/* What tells nothing new is no durable write. */
static int
note(struct settling *s, int64_t polls, struct err *err)
{
	struct state *state = s->core->state;
	const char *id = s->device->id;
	int64_t counter = counter_of(s->told);
	int r;

	if (!s->is_changed)
		return state_manifest_noted(state, id, polls, counter, s->told->digest, s->now, err);
	/* With what the primary itself told it is stored already. */
	if (counter <= s->ecus[0].report_counter)
		counter = -1;
	if ((r = state_manifest_taken(state, id, s->device->primary_ecu, counter, s->told->digest, err)) < 0 ||
	    (r = state_manifest_noted(state, id, polls, -1, "", s->now, err)) < 0)
		return r;
	return standing_update(s->core, id, err);
}

/* -- all of it -- */

/* Manifests are taken again: what was said of that is over. */
static int
end_refusal(struct settling *s, struct err *err)
{
	int r;

	if (!silence_refusal(s->device)[0])
		return 0;
	s->is_changed = true;
	r = state_device_why(s->core->state, s->device->id, "", s->now, err);
	return r < 0 ? r : 0;
}

static int
take(struct settling *s, struct err *err)
{
	int64_t polls;
	int r;

	if ((r = end_refusal(s, err)) < 0 || (r = settle(s, err)) < 0 || (r = count_poll(s, &polls, err)) < 0 ||
	    (r = standing_seen(s->core, s->device, s->now, err)) < 0)
		return r;
	return note(s, polls, err);
}

/* Within a transaction, with what is stored now. */
static int
take_work(struct settling *s, const struct work *work, struct reply *reply, struct err *err)
{
	const struct ecus now = { s->ecus, s->ecu_count };
	int r;

	if (!is_same_keys(&now, &work->ecus) &&
	    ((r = check_whole(s->device, &now, s->told, reply, err)) != 0 ||
		(r = check_parts(s->device, &now, s->told, reply, err)) != 0))
		return r < 0 ? r : 0;
	r = check_replay(s, reply, err);
	return r < 0 ? r : r > 0 ? 0 : take(s, err);
}

int
manifest_take(struct core *core, const struct device *device, void *work, struct reply *reply, struct err *err)
{
	const struct work *ready = work;
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	struct settling s = { .core = core, .device = device, .told = ready->told, .now = utc_now() };
	int r;

	if ((r = state_ecus(core->state, device->id, &ecus, &s.ecu_count, err)) < 0 ||
	    (r = state_assignments(core->state, device->id, &open, &s.open_count, err)) < 0)
		return r;
	s.ecus = ecus;
	s.open = open;
	return take_work(&s, ready, reply, err);
}

int
manifest_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err)
{
	void *work = NULL;
	int r = manifest_look(core, device, &work, err);

	if (r == 0)
		r = manifest_prepare(core, device, body, bytes, work, reply, err);
	if (r == 0 && (r = state_begin(core->state, err)) == 0)
		r = state_end(core->state, manifest_take(core, device, work, reply, err), err);
	manifest_finish(work);
	return r < 0 ? r : 0;
}
