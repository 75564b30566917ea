#include "tests/device/poll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "tests/device/apply.h"
#include "tests/device/install.h"
#include "tests/device/manifest.h"
#include "tests/device/meta.h"
#include "tests/device/report.h"
#include "tests/device/target.h"

/* One cycle. */
struct cycle {
	struct device *device;
	struct trust trust[REPOSITORY_COUNT];
	int64_t now;
	json_t *plan; /* file name to {"target","uri"}: what is to be installed */
};

static void
cycle_done(struct cycle *cycle)
{
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		trust_done(&cycle->trust[i]);
	json_decref(cycle->plan);
}

static const char *
correlation_of(const struct cycle *cycle)
{
	return trust_correlation(&cycle->trust[REPOSITORY_DIRECTOR]);
}

/* Leaves a failure for the next manifest, and forgets the targets so that the server is listened to again.
 * Without a correlation id nobody could tell what failed, so nothing is said then. */
static int
note_failure(struct cycle *cycle, const char *code, const char *description, struct err *err)
{
	int r;

	if (!*correlation_of(cycle))
		return 0;
	r = manifest_set_report(cycle->device, correlation_of(cycle), code, description, "", json_array(), err);
	return r < 0 ? r : store_forget_metadata(cycle->device->store, REPOSITORY_DIRECTOR, err);
}

/* Finds each new target in the image repository and where it is to be had. */
static int
match_images(struct cycle *cycle, json_t *targets, struct err *err)
{
	const char *name;
	json_t *target;

	json_object_foreach(targets, name, target)
	{
		AUTO(json_decref_p) json_t *image = NULL;
		const char *uri = target_uri(target);
		int r = meta_find_image(
		    cycle->device, &cycle->trust[REPOSITORY_IMAGE], name, target, cycle->now, &image, err);

		if (r < 0)
			return r;
		if (!*uri)
			uri = target_uri(image);
		if (json_object_set_new(
			cycle->plan, name, json_pack("{s:O,s:s}", "target", target, "uri", uri)) < 0)
			return err_set(err, ENOMEM, "no memory for a plan");
	}
	return 0;
}

static int
match(struct cycle *cycle, json_t *targets, struct err *err)
{
	int r = match_images(cycle, targets, err);
	struct err lost;

	if (r < 0)
		note_failure(cycle, "VERIFICATION_FAILED", "Metadata verification failed.", &lost);
	/* The real client stores no second document of a version, then looks for the update in the stored one
	 * and ends without a word. */
	if (r == 0 && cycle->trust[REPOSITORY_DIRECTOR].is_unstorable)
		r = err_set(err, EBADMSG, "director targets.json: version %d is stored with other content",
		    trust_version(&cycle->trust[REPOSITORY_DIRECTOR], ROLE_TARGETS));
	return r;
}

/* The image repository is asked only if the director names something new. */
static int
check(struct cycle *cycle, struct err *err)
{
	struct trust *director = &cycle->trust[REPOSITORY_DIRECTOR];
	AUTO(json_decref_p) json_t *targets = NULL;
	int r;

	if ((r = meta_update(cycle->device, director, cycle->now, err)) < 0 ||
	    (r = target_find_new(trust_targets(director), &cycle->device->ecus, &targets, err)) < 0)
		return r;
	if (json_object_size(targets) == 0)
		return 0;
	r = meta_update(cycle->device, &cycle->trust[REPOSITORY_IMAGE], cycle->now, err);
	return r < 0 ? r : match(cycle, targets, err);
}

/* Tells an event for each ECU of @target. */
static int
tell(struct cycle *cycle, const char *type, json_t *target, enum report_success success, struct err *err)
{
	const char *serial;
	json_t *ecu;

	json_object_foreach(target_ecus(target), serial, ecu)
	{
		int r = report_event(cycle->device, type, serial, correlation_of(cycle), success, err);

		if (r < 0)
			return r;
	}
	return report_flush(cycle->device, err);
}

static int
download(struct cycle *cycle, const char *name, const json_t *step, struct err *err)
{
	json_t *target = json_object_get(step, "target");
	struct err lost;
	int r, told = tell(cycle, "EcuDownloadStarted", target, REPORT_NO_SUCCESS, err);

	if (told < 0)
		return told;
	r = install_fetch(cycle->device, name, target, json_text(step, "uri"), err);
	told = tell(cycle, "EcuDownloadCompleted", target, r < 0 ? REPORT_FAILED : REPORT_SUCCEEDED, &lost);
	return r < 0 ? r : told;
}

/* Everything is fetched before anything is installed. */
static int
download_all(struct cycle *cycle, struct err *err)
{
	const char *name;
	json_t *step;
	struct err lost;
	int first = 0;

	json_object_foreach(cycle->plan, name, step)
	{
		int r = download(cycle, name, step, first < 0 ? &lost : err);

		if (r < 0 && first == 0)
			first = r;
	}
	if (first < 0)
		note_failure(cycle, "DOWNLOAD_FAILED", "Target download failed.", &lost);
	return first;
}

static int
update(struct cycle *cycle, struct err *err)
{
	int r = download_all(cycle, err);

	return r < 0 ? r : apply_plan(cycle->device, cycle->plan, correlation_of(cycle), err);
}

/* What aktualizr does when it starts. */
static int
start(struct device *device, struct err *err)
{
	int r;

	if ((r = report_flush(device, err)) < 0 || (r = manifest_register(device, err)) < 0 ||
	    (r = report_facts(device, err)) < 0)
		return r;
	return report_network(device, err);
}

/* A manifest after the cycle: the result of an installation, or just a sign of life after a failure @r, whose
 * reason stays in @err. */
static int
finish(struct device *device, int r, struct err *err)
{
	struct err second;
	int sent = manifest_send(device, r < 0 ? &second : err);

	if (r < 0 && sent < 0)
		log_line(LOG_WARNING, "manifest=refused reason=\"%s\"", second.text);
	return r < 0 ? r : sent;
}

int
poll_run(struct device *device, bool is_check, struct err *err)
{
	AUTO(cycle_done) struct cycle cycle = { .device = device, .now = utc_now(), .plan = json_object() };
	struct err first;
	int r, sent;

	for (int i = 0; i < REPOSITORY_COUNT; i++)
		trust_init(&cycle.trust[i], (enum repository)i);
	if (apply_is_waiting(device))
		return 0; /* nobody hears of it until then */
	if ((r = start(device, err)) < 0)
		return r;
	/* A manifest that is not taken does not keep the real client from looking for updates. */
	sent = manifest_send(device, &first);
	if ((r = check(&cycle, err)) < 0)
		return finish(device, r, err);
	if (json_object_size(cycle.plan) == 0) {
		if (sent < 0)
			*err = first;
		return sent;
	}
	if (is_check)
		return POLL_AVAILABLE;
	r = update(&cycle, err);
	if (apply_is_waiting(device))
		return r;
	return finish(device, r, err);
}
