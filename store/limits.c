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
#define REPORT_MAX 4096

struct report {
	char text[REPORT_MAX];
	size_t used;
	char warning[256]; /* the first */
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
add_expiry(struct report *report, const char *name, int64_t expires, int64_t lifetime)
{
	int64_t left = expires - utc_now(), soon = lifetime / 4 < WARN_SECONDS ? lifetime / 4 : WARN_SECONDS;
	char text[UTC_TEXT_SIZE];

	utc_format(expires, text);
	if (left >= soon) {
		add(report, "%s: expires %s, ok\n", name, text);
		return;
	}
	add(report, "%s: expires %s, warning: %s; devices take no updates then\n", name, text,
	    left < 0 ? "it has expired" : "soon, and is not renewed by itself");
	if (!*report->warning)
		snprintf(report->warning, sizeof(report->warning), "%s %s %s", name,
		    left < 0 ? "has expired at" : "expires", text);
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
	add_expiry(report, "targets.json", image->expires[ROLE_TARGETS], state_lifetime(image, ROLE_TARGETS));
	add_expiry(report, "root.json", image->expires[ROLE_ROOT], WARN_SECONDS * 4);
}

void
limits_report(struct image *image)
{
	struct report report = { .used = 0 };
	struct err err;

	if (!image->version[ROLE_TARGETS])
		return;
	write_report(image, &report);
	if (file_replace(image->repository, "report/limits", report.text, report.used, 0640, &err) < 0)
		log_line(LOG_WARNING, "report/limits reason=\"%s\"", err.text);
	if (*report.warning && !image->is_warned)
		log_line(LOG_WARNING, "limit reason=\"%s\"", report.warning);
	image->is_warned = *report.warning;
}
