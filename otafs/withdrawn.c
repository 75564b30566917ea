#include "otafs/withdrawn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "otafs/assign.h"
#include "otafs/flight.h"
#include "otafs/ids.h"
#include "otafs/order.h"
#include "otafs/standing.h"

/** With more devices than that all names are forgotten instead of each. */
#define DEVICES_NAMED_MAX 1000

/* -- one device -- */

static int
end_row(struct core *core, const char *device, const struct assignment *a, const char *why, int64_t now,
    struct err *err)
{
	char text[STATE_CORRELATION_MAX + NAME_TARGET_MAX + NAME_ECU_MAX + ERR_TEXT_MAX];
	int r;

	snprintf(text, sizeof(text), "failed %s on ECU %s, %s: %s", a->target, a->ecu, a->correlation, why);
	r = assign_finish(core, device, a, INSTALLATION_FAILED, INSTALLATION_WITHDRAWN, why, now, err);
	return r ? r
		 : state_happened(core->state,
		       &(struct happening){ .device = device,
			   .at = now,
			   .who = STATE_WHO_OTAFS,
			   .what = "failed",
			   .text = text,
			   .ecu = a->ecu,
			   .target = a->target,
			   .correlation = a->correlation },
		       err);
}

/* Within a transaction. The rows of an update belong together: none is left to be installed alone. */
static int
end_update(struct core *core, const char *device, const char *why, int64_t now, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count = 0;
	int r = order_catch_up(core, device, ORDER_CHANGE, err);

	flight_store(core, device);
	if (r == 0)
		r = state_assignments(core->state, device, &open, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = end_row(core, device, &open[i], why, now, err);
	if (r || count == 0)
		return r;
	if ((r = state_device_failure(core->state, device, why, err)) == 0 &&
	    (r = state_device_why(core->state, device, why, now, err)) == 0 &&
	    (r = state_device_bump(core->state, device, now, err)) == 0)
		r = standing_update(core, device, err);
	if (r == 0)
		log_line(LOG_WARNING, "update ended device=%s reason=\"%s\"", device, why);
	return r;
}

int
withdrawn_end(struct core *core, const char *device, const char *why, int64_t now, struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = end_update(core, device, why, now, err)) == 0)
		r = core_device_changed(core, device, err);
	return state_end(core->state, r, err);
}

/* -- one target -- */

static int
end_all(struct core *core, const struct ids *ids, const char *why, int64_t now, struct err *err)
{
	bool is_many = ids->count > DEVICES_NAMED_MAX;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ids->count; i++) {
		r = end_update(core, ids->list[i], why, now, err);
		if (r == 0 && !is_many)
			r = core_device_changed(core, ids->list[i], err);
	}
	core->changes.is_all |= is_many;
	return r;
}

static int
end_target(struct core *core, const char *target, const char *why, int64_t now, struct err *err)
{
	AUTO(ids_done) struct ids ids = { .err = err };
	int r;

	/* One transaction, however many they are. */
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_assigned_devices(core->state, target, ids_add, &ids, err);
	if (r == 0)
		r = end_all(core, &ids, why, now, err);
	return state_end(core->state, r, err);
}

/* -- all that is assigned -- */

struct lost {
	char target[NAME_TARGET_MAX + 1];
	char why[ERR_TEXT_MAX];
};

struct look {
	const struct core *core;
	struct lost *list; /* what is to end; not while the assignments are being read */
	size_t count;
	int64_t now;
	int64_t next; /* when the next delegation expires that something assigned is of; 0: none */
};

static bool
is_offered(struct look *look, const char *file, const char *sha256, char why[static ERR_TEXT_MAX])
{
	const struct target *target = image_target(look->core->image, file);

	if (!target || strcmp(target->sha256, sha256) != 0) {
		snprintf(why, ERR_TEXT_MAX, "%s %s: publish it again and assign it again", file,
		    target ? "has other content now in the image repository"
			   : "is not in the image repository any more");
		return false;
	}
	if (!target->delegation)
		return true;
	if (target->expires_at <= look->now) {
		snprintf(why, ERR_TEXT_MAX,
		    "%s is of the delegation %s, which has expired: when its supplier has signed anew, assign "
		    "it again",
		    file, target->delegation);
		return false;
	}
	if (look->next == 0 || target->expires_at < look->next)
		look->next = target->expires_at;
	return true;
}

static int
look_at(const char *file, const char *sha256, int64_t count, void *context)
{
	struct look *look = context;
	char why[ERR_TEXT_MAX];
	struct lost *list;

	(void)count;
	if (is_offered(look, file, sha256, why))
		return 0;
	list = realloc(look->list, (look->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	look->list = list;
	list += look->count++;
	snprintf(list->target, sizeof(list->target), "%s", file);
	snprintf(list->why, sizeof(list->why), "%s", why);
	return 0;
}

static bool
is_due(const struct core *core, int64_t now)
{
	return core->followed != image_number(core->image) || (core->follow_at && now >= core->follow_at);
}

void
withdrawn_follow(struct core *core, int64_t now)
{
	struct look look = { .core = core, .now = now };
	struct err err = { 0 };
	int r;

	if (!is_due(core, now))
		return;
	r = state_assigned(core->state, look_at, &look, &err);
	if (r == -ENOMEM)
		err_set(&err, ENOMEM, "no memory for what is assigned");
	for (size_t i = 0; r == 0 && i < look.count; i++)
		r = end_target(core, look.list[i].target, look.list[i].why, now, &err);
	free(look.list);
	if (r < 0) {
		log_line(LOG_ERR, "assignments not looked at reason=\"%s\"", err.text);
		return;
	}
	core->followed = image_number(core->image);
	core->follow_at = look.next;
}
