/* report/limits: how near the published documents are to what clients read, in words for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "store/state.h"

/** From this part of a limit on it is a warning. */
#define WARN_PERCENT 75
/** A document signed elsewhere is announced this long before it expires. */
#define WARN_SECONDS (14 * 86400)
/** What ota-signd has the keys for: it expires only when that was away for long. */
#define RENEWED "ota-watcher renews it as soon as ota-signd signs"
/** A line for each of TRUST_NODES_MAX delegations. */
#define REPORT_MAX (32 * 1024)

struct report {
	char text[REPORT_MAX];
	size_t used;
	char warning[IMAGE_WARNING_SIZE]; /* the most urgent */
	bool is_expired;                  /* something has expired; the warning says what */
};

static void add(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct report *report, const char *format, ...)
{
	size_t room = sizeof(report->text) - report->used;
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(report->text + report->used, room, format, list);
	va_end(list);
	report->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void
add_size(struct report *report, const char *name, size_t bytes, size_t max, const char *advice)
{
	int percent = (int)(bytes * 100 / max);

	if (percent < WARN_PERCENT) {
		add(report, "%s: %zu of %zu bytes, ok\n", name, bytes, max);
		return;
	}
	add(report, "%s: %zu of %zu bytes, warning: %d %% of what clients read; %s\n", name, bytes, max,
	    percent, advice);
	if (!*report->warning)
		snprintf(report->warning, sizeof(report->warning),
		    "%s has %d %% of the bytes that clients read", name, percent);
}

static void
add_expiry(struct report *report, const char *name, int64_t expires, int64_t lifetime, const char *advice)
{
	int64_t left = expires - utc_now(), soon = lifetime / 4 < WARN_SECONDS ? lifetime / 4 : WARN_SECONDS;
	char text[UTC_TEXT_SIZE];

	utc_format(expires, text);
	if (left >= soon) {
		add(report, "%s: expires %s, ok\n", name, text);
		return;
	}
	add(report, "%s: expires %s, warning: %s; devices take no updates then: %s\n", name, text,
	    left < 0 ? "it has expired" : "soon, and is not renewed by itself", advice);
	/* What has expired comes before what is going to. */
	if (!*report->warning || (left < 0 && !report->is_expired))
		snprintf(report->warning, sizeof(report->warning), "%s %s %s: %s", name,
		    left < 0 ? "has expired at" : "expires", text, advice);
	report->is_expired |= left < 0;
}

/* Clients skip a delegation that has expired, and with it all that its supplier offers. */
static void
add_delegations(const struct image *image, struct report *report)
{
	const char *name;
	json_t *document;

	json_object_foreach(image->delegations, name, document)
	{
		const char *text = json_text(document, "expires");
		char what[NAME_DELEGATION_MAX + 32];
		int64_t expires;

		snprintf(what, sizeof(what), "delegation %.50s", name);
		if (text && utc_parse(text, &expires) == 0)
			add_expiry(report, what, expires, WARN_SECONDS * 4, "its supplier has to sign it anew");
	}
}

static void
write_report(const struct image *image, struct report *report)
{
	add_size(report, "targets.json", image->bytes[ROLE_TARGETS], IMAGE_TARGETS_MAX,
	    "retire old packages, or set keep_versions");
	add_size(
	    report, "snapshot.json", image->bytes[ROLE_SNAPSHOT], STATE_SMALL_MAX, "have fewer delegations");
	add_size(report, "root.json", image->bytes[ROLE_ROOT], STATE_SMALL_MAX, "have fewer keys");
	add(report, "targets: %zu\n", json_object_size(json_object_get(image->targets, "targets")));
	add(report, "delegations: %zu\n", json_object_size(image->delegations));
	/* Who signs elsewhere decides how long it lives. */
	add_expiry(report, "targets.json", image->expires[ROLE_TARGETS],
	    image->is_offline ? WARN_SECONDS * 4 : state_lifetime(image, ROLE_TARGETS),
	    image->is_offline ? "the holders of its keys have to sign it anew" : RENEWED);
	add_expiry(report, "snapshot.json", image->expires[ROLE_SNAPSHOT], state_lifetime(image, ROLE_SNAPSHOT),
	    RENEWED);
	add_expiry(report, "timestamp.json", image->expires[ROLE_TIMESTAMP],
	    state_lifetime(image, ROLE_TIMESTAMP), RENEWED);
	add_expiry(report, "root.json", image->expires[ROLE_ROOT], WARN_SECONDS * 4,
	    "the holders of root keys have to sign the next one");
	add_delegations(image, report);
}

/* Once for each thing that is said. */
static void
tell(struct image *image, const struct report *report)
{
	if (*report->warning && strcmp(report->warning, image->warned))
		log_line(report->is_expired ? LOG_ERR : LOG_WARNING, "limit reason=\"%s\"", report->warning);
	snprintf(image->warned, sizeof(image->warned), "%s", report->warning);
}

void
limits_report(struct image *image)
{
	struct report report = { .used = 0 };
	char digest[DIGEST_HEX_SIZE];
	struct err err;

	if (!image->version[ROLE_TARGETS])
		return;
	write_report(image, &report);
	tell(image, &report);
	digest_sha256_hex(report.text, report.used, digest);
	if (!strcmp(digest, image->reported))
		return;
	if (file_replace(image->repository, "report/limits", report.text, report.used, 0640, &err) < 0)
		log_line(LOG_WARNING, "report/limits reason=\"%s\"", err.text);
	else
		strcpy(image->reported, digest);
}

bool
image_warning(struct image *image, char text[static IMAGE_WARNING_SIZE])
{
	AUTO(state_unlock) struct image *locked = state_lock(image);

	limits_report(locked);
	snprintf(text, IMAGE_WARNING_SIZE, "%s", locked->warned);
	return *text;
}
