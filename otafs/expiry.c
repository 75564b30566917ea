#include "otafs/expiry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "otafs/lifetime.h"

#define DAY_SECONDS 86400
#define HOUR_SECONDS 3600
#define SOON_DAYS 30
#define DUE_DAYS 7

enum expiry_state { FINE, SOON, DUE, EXPIRED, NOT_KNOWN, STATES };

static const char *const state_names[STATES] = { "fine", "soon", "due", "EXPIRED", "not known" };

/* What the log has said of one thing. */
struct told {
	char what[sizeof(((struct lifetime *)0)->what)];
	int64_t expires_at, at;
	int64_t late_at; /* when it was first seen that the programs have not renewed it; 0: they have */
	int level;
};

struct expiry {
	struct sources sources;
	int64_t read_at; /* 0: never */
	struct lifetime_devices devices;
	int64_t device_changes; /* state_certificate_changes() when they were counted */
	bool is_counted;
	struct told *told;
	size_t told_count;
};

int
expiry_open(struct core *core, struct err *err)
{
	core->expiry = calloc(1, sizeof(*core->expiry));
	return core->expiry ? 0 : err_set(err, ENOMEM, "no memory for what expires");
}

void
expiry_close(struct core *core)
{
	struct expiry *expiry = core->expiry;

	if (!expiry)
		return;
	sources_free(&expiry->sources);
	free(expiry->told);
	free(expiry);
	core->expiry = NULL;
}

/* ---- the list at this moment */

/* Whether the devices' certificates are as they were counted. */
static bool
is_fresh(const struct core *core, int64_t now)
{
	const struct expiry *expiry = core->expiry;
	const struct lifetime_devices *devices = &expiry->devices;

	return expiry->is_counted && state_certificate_changes(core->state) == expiry->device_changes &&
	       now >= devices->at && now < devices->at + EXPIRY_COUNT_SECONDS &&
	       (!devices->count || now < devices->first[0].expires_at);
}

/* Who asks holds the lock, and is told what the last look counted where counting takes long. */
static bool
is_fresh_enough(const struct core *core, int64_t now)
{
	const struct expiry *expiry = core->expiry;

	return is_fresh(core, now) ||
	       (expiry->is_counted && expiry->devices.counts.certificates >= EXPIRY_MANY &&
		   now >= expiry->devices.at && now < expiry->devices.at + EXPIRY_MANY_SECONDS);
}

static void
take_count(struct expiry *expiry, const struct lifetime_devices *devices, int64_t changes)
{
	expiry->devices = *devices;
	expiry->device_changes = changes;
	expiry->is_counted = true;
}

static int
list_now(struct core *core, int64_t now, struct lifetimes *out, struct err *err)
{
	struct lifetime_devices devices;
	int r;

	*out = (struct lifetimes){ 0 };
	if (!is_fresh_enough(core, now)) {
		if ((r = lifetimes_count_devices(core->state, now, &devices, err)) < 0)
			return r;
		take_count(core->expiry, &devices, state_certificate_changes(core->state));
	}
	return lifetimes_list(core, &core->expiry->sources, &core->expiry->devices, out, err);
}

static bool
is_overdue(const struct lifetime *entry, int64_t now)
{
	return entry->care == LIFETIME_ITSELF && entry->expires_at &&
	       now > entry->renew_at + EXPIRY_OVERDUE_SECONDS;
}

static enum expiry_state
state_of(const struct lifetime *entry, int64_t now)
{
	int64_t left = entry->expires_at - now;

	if (entry->trouble[0])
		return NOT_KNOWN;
	if (entry->is_replaced)
		return FINE;
	if (left <= 0)
		return EXPIRED;
	if (entry->care != LIFETIME_PERSON)
		return is_overdue(entry, now) || entry->care == LIFETIME_LOST ? DUE : FINE;
	return left <= DUE_DAYS * DAY_SECONDS ? DUE : left <= SOON_DAYS * DAY_SECONDS ? SOON : FINE;
}

/* Whether devices suffer from it, or will without anybody being able to help. */
static bool
is_problem(const struct lifetime *entry, int64_t now)
{
	enum expiry_state state = state_of(entry, now);

	return entry->is_needed && (state == EXPIRED || entry->care == LIFETIME_LOST || is_overdue(entry, now));
}

/* "3 days", "5 hours", "3 days ago" */
static void
print_left(const struct lifetime *entry, int64_t now, char out[static 32])
{
	int64_t left = entry->expires_at - now, size = left < 0 ? -left : left;
	bool is_days = size >= 2 * DAY_SECONDS;
	long long n = size / (is_days ? DAY_SECONDS : HOUR_SECONDS);

	if (!entry->expires_at)
		strcpy(out, "-");
	else
		snprintf(out, 32, "%lld %s%s%s", n, is_days ? "day" : "hour", n == 1 ? "" : "s",
		    left < 0 ? " ago" : "");
}

static void
print_end(const struct lifetime *entry, char out[static UTC_TEXT_SIZE])
{
	if (entry->expires_at)
		utc_format(entry->expires_at, out);
	else
		strcpy(out, "-");
}

/* ---- the log */

enum {
	LEVEL_NONE,
	LEVEL_NOT_KNOWN,
	LEVEL_30,
	LEVEL_14,
	LEVEL_7,
	LEVEL_3,
	LEVEL_1,
	LEVEL_OVERDUE,
	LEVEL_EXPIRED
};

static int
level_of(const struct lifetime *entry, int64_t now)
{
	static const int days[] = { 1, 3, 7, 14, 30 };
	int64_t left = entry->expires_at - now;

	switch (state_of(entry, now)) {
	case FINE:
		return LEVEL_NONE;
	case NOT_KNOWN:
		return entry->is_summary ? LEVEL_NONE : LEVEL_NOT_KNOWN;
	case EXPIRED:
		return LEVEL_EXPIRED;
	default:
		break;
	}
	if (entry->care != LIFETIME_PERSON)
		return LEVEL_OVERDUE;
	for (int i = 0; i < 5; i++)
		if (left <= days[i] * DAY_SECONDS)
			return LEVEL_1 - i;
	return LEVEL_NONE;
}

static void
log_entry(const struct lifetime *entry, int level, int64_t now)
{
	bool is_over = level == LEVEL_EXPIRED;
	char end[UTC_TEXT_SIZE], left[32];

	print_end(entry, end);
	print_left(entry, now, left);
	if (level == LEVEL_NOT_KNOWN)
		log_line(
		    LOG_WARNING, "expiry not known what=\"%s\" reason=\"%.500s\"", entry->what, entry->trouble);
	else if (entry->care == LIFETIME_ITSELF)
		log_line(LOG_ERR, "%s what=\"%s\" expires=%s left=\"%s\" reason=\"its renewal is overdue\"",
		    is_over ? "expired" : "not renewed", entry->what, end, left);
	else
		log_line(level >= LEVEL_3 ? LOG_ERR : LOG_WARNING,
		    "%s what=\"%s\" expires=%s left=\"%s\" command=\"%s\" renewed_by=\"%.400s\"",
		    is_over ? "expired" : "expires", entry->what, end, left, entry->command, entry->who);
}

static const struct told *
find_told(const struct expiry *expiry, const struct lifetime *entry)
{
	for (size_t i = 0; i < expiry->told_count; i++)
		if (!strcmp(expiry->told[i].what, entry->what))
			return &expiry->told[i];
	return NULL;
}

/* What the log has said of it already: of something renewed nothing. The next of many devices comes soon
 * enough: those are told of once a day. */
static int
level_told(const struct told *before, const struct lifetime *entry, int level, int64_t now)
{
	char end[UTC_TEXT_SIZE];

	if (!before)
		return LEVEL_NONE;
	if (entry->is_summary)
		return now < before->at + DAY_SECONDS ? before->level : LEVEL_NONE;
	if (before->expires_at == entry->expires_at)
		return before->level;
	print_end(entry, end);
	if (before->level > LEVEL_NOT_KNOWN && level == LEVEL_NONE)
		log_line(LOG_NOTICE, "renewed what=\"%s\" expires=%s", entry->what, end);
	return LEVEL_NONE;
}

/* A machine that wakes up, or whose clock was set, renews at once, but not before it is looked at. */
static int64_t
late_since(const struct told *before, const struct lifetime *entry, int level, int64_t now)
{
	if (entry->care != LIFETIME_ITSELF || level == LEVEL_NONE)
		return 0;
	return before && before->late_at && before->late_at <= now ? before->late_at : now;
}

static struct told
tell(const struct told *before, const struct lifetime *entry, int64_t now)
{
	int level = level_of(entry, now), was = level_told(before, entry, level, now);
	struct told told = { .expires_at = entry->expires_at,
		.at = before ? before->at : now,
		.late_at = late_since(before, entry, level, now) };

	strcpy(told.what, entry->what);
	if (told.late_at && now < told.late_at + EXPIRY_SECONDS)
		level = was;
	if (level > was) {
		log_entry(entry, level, now);
		told.at = now;
	}
	/* A clock that goes back and forth says nothing twice. */
	told.level = level > was ? level : was;
	return told;
}

static int
tell_all(struct expiry *expiry, const struct lifetimes *list, int64_t now, struct err *err)
{
	struct told *told = calloc(list->count + 1, sizeof(*told));

	if (!told)
		return err_set(err, ENOMEM, "no memory for what expires");
	for (size_t i = 0; i < list->count; i++)
		told[i] = tell(find_told(expiry, &list->list[i]), &list->list[i], now);
	free(expiry->told);
	expiry->told = told;
	expiry->told_count = list->count;
	return 0;
}

/* What the signer does not tell now it has told before. */
static void
keep_answers(struct sources *next, struct sources *last)
{
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if (!next->keys[i])
			next->keys[i] = MOVE(last->keys[i]);
	if (!next->image_root)
		next->image_root = MOVE(last->image_root);
}

static int
read_sources(struct core *core, int64_t now, struct err *err)
{
	struct expiry *expiry = core->expiry;
	struct sources sources = { 0 };
	int r;

	if (expiry->read_at && now >= expiry->read_at && now < expiry->read_at + EXPIRY_SECONDS)
		return 0;
	r = sources_read(core->config, core->signer, &sources, err);
	core_lock(core);
	if (r == 0) {
		keep_answers(&sources, &expiry->sources);
		sources_free(&expiry->sources);
		expiry->sources = sources;
		sources = (struct sources){ 0 };
		expiry->read_at = now;
	}
	core_unlock(core);
	sources_free(&sources);
	return r;
}

/* Without the lock: of a million it takes a tenth of a second, and much longer when the disk has to be read.
 * What changes meanwhile is counted the next time. */
static int
count_apart(struct core *core, int64_t now, struct err *err)
{
	struct lifetime_devices devices;
	int64_t changes;
	bool is_due;
	int r;

	core_lock(core);
	is_due = !is_fresh(core, now);
	changes = state_certificate_changes(core->state);
	core_unlock(core);
	if (!is_due)
		return 0;
	if ((r = lifetimes_count_apart(core->reader, now, &devices, err)) < 0)
		return r;
	core_lock(core);
	take_count(core->expiry, &devices, changes);
	core_unlock(core);
	return 0;
}

static int
tell_now(struct core *core, int64_t now, struct err *err)
{
	AUTO(lifetimes_free) struct lifetimes list = { 0 };
	int r;

	core_lock(core);
	if ((r = list_now(core, now, &list, err)) == 0)
		r = tell_all(core->expiry, &list, now, err);
	core_unlock(core);
	return r;
}

void
expiry_begin(struct core *core, int64_t now)
{
	struct err err;

	if (read_sources(core, now, &err) < 0)
		log_line(LOG_ERR, "expiry not looked at reason=\"%s\"", err.text);
}

void
expiry_look(struct core *core, int64_t now)
{
	struct err err;

	if (read_sources(core, now, &err) < 0 || count_apart(core, now, &err) < 0 ||
	    tell_now(core, now, &err) < 0)
		log_line(LOG_ERR, "expiry not looked at reason=\"%s\"", err.text);
}

/* ---- status/expiring */

/* Who renews it and how, below it. */
static void
print_renewal(const struct lifetime *entry, int64_t now, FILE *out)
{
	char from[UTC_TEXT_SIZE];

	if (entry->care == LIFETIME_ITSELF) {
		utc_format(entry->renew_at, from);
		fprintf(out, "           renewed by itself from %s on%s\n", from,
		    is_overdue(entry, now) ? ", which is overdue: see the logs of ota-signd and ota-watcher"
					   : "");
		return;
	}
	if (!entry->trouble[0])
		fprintf(out, "           renewed by %s\n", entry->who);
	if (!entry->is_replaced)
		fprintf(out, "           %s\n", entry->command);
}

static void
print_entry(const struct lifetime *entry, int64_t now, FILE *out)
{
	char end[UTC_TEXT_SIZE], left[32];

	print_end(entry, end);
	print_left(entry, now, left);
	fprintf(out, "%-9s  %-20s  %12s  %s\n", state_names[state_of(entry, now)], end, left, entry->what);
	if (entry->trouble[0])
		fprintf(out, "           %s\n", entry->trouble);
	print_renewal(entry, now, out);
}

int
expiry_print(struct core *core, int64_t now, FILE *out, struct err *err)
{
	AUTO(lifetimes_free) struct lifetimes list;
	const struct lifetime_devices *devices = &core->expiry->devices;
	int r = list_now(core, now, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		print_entry(&list.list[i], now, out);
	if (devices->count)
		fputs("\nDevice certificates that expire next:\n", out);
	for (size_t i = 0; i < devices->count; i++) {
		char end[UTC_TEXT_SIZE];

		utc_format(devices->first[i].expires_at, end);
		fprintf(out, "           %s  %s %s\n", end, devices->first[i].device, devices->first[i].serial);
	}
	return 0;
}

static json_t *
json_end(int64_t expires_at)
{
	char end[UTC_TEXT_SIZE];

	utc_format(expires_at, end);
	return expires_at ? json_string(end) : json_null();
}

static json_t *
json_entry(const struct lifetime *entry, int64_t now)
{
	static const char *const cares[] = { "itself", "person", "nobody" };
	json_t *json = json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:b,s:b}", "what", entry->what, "expires",
	    json_end(entry->expires_at), "state", state_names[state_of(entry, now)], "renewedBy",
	    cares[entry->care], "who", entry->who, "command", entry->command, "needed", entry->is_needed,
	    "overdue", is_overdue(entry, now));

	if (entry->expires_at) {
		int64_t left = entry->expires_at - now;

		json_object_set_new(json, "secondsLeft", json_integer(left));
		json_object_set_new(
		    json, "daysLeft", json_integer((left - (left < 0 ? DAY_SECONDS - 1 : 0)) / DAY_SECONDS));
	}
	if (entry->trouble[0])
		json_object_set_new(json, "trouble", json_string(entry->trouble));
	if (entry->keys)
		json_object_set(json, "keys", entry->keys);
	return json;
}

static json_t *
json_devices(const struct lifetime_devices *devices)
{
	json_t *first = json_array();

	for (size_t i = 0; i < devices->count; i++)
		json_array_append_new(
		    first, json_pack("{s:s,s:s,s:o}", "device", devices->first[i].device, "serial",
			       devices->first[i].serial, "expires", json_end(devices->first[i].expires_at)));
	return json_pack("{s:I,s:I,s:I,s:I,s:i,s:o}", "certificates", (json_int_t)devices->counts.certificates,
	    "expired", (json_int_t)devices->counts.expired, "expiring", (json_int_t)devices->counts.expiring,
	    "notKnown", (json_int_t)devices->counts.not_known, "days", LIFETIME_DEVICE_DAYS, "next", first);
}

int
expiry_print_json(struct core *core, int64_t now, FILE *out, struct err *err)
{
	AUTO(lifetimes_free) struct lifetimes list;
	AUTO(json_decref_p) json_t *json = NULL;
	json_t *entries;
	int r = list_now(core, now, &list, err);

	if (r < 0)
		return r;
	entries = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(entries, json_entry(&list.list[i], now));
	json = json_pack("{s:o,s:o,s:o}", "now", json_end(now), "entries", entries, "devices",
	    json_devices(&core->expiry->devices));
	if (!json)
		return err_set(err, ENOMEM, "no memory for what expires");
	json_dumpf(json, out, JSON_INDENT(2));
	fputc('\n', out);
	return 0;
}

/* ---- metrics */

static void
print_label(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		fputc(*text, out);
	}
}

int
expiry_print_metrics(struct core *core, int64_t now, FILE *out, struct err *err)
{
	AUTO(lifetimes_free) struct lifetimes list;
	const struct state_expiry_counts *counts = &core->expiry->devices.counts;
	size_t in[STATES] = { 0 };
	int r = list_now(core, now, &list, err);

	if (r < 0)
		return r;
	fputs("# HELP otafs_expires_seconds When it expires, in seconds since 1970.\n"
	      "# TYPE otafs_expires_seconds gauge\n",
	    out);
	for (size_t i = 0; i < list.count; i++) {
		in[state_of(&list.list[i], now)]++;
		if (!list.list[i].expires_at)
			continue;
		fputs("otafs_expires_seconds{what=\"", out);
		print_label(list.list[i].what, out);
		fprintf(out, "\"} %lld\n", (long long)list.list[i].expires_at);
	}
	fputs("# HELP otafs_expiring What is in status/expiring, by its state.\n# TYPE otafs_expiring gauge\n",
	    out);
	for (int i = 0; i < STATES; i++)
		fprintf(out, "otafs_expiring{state=\"%s\"} %zu\n", state_names[i], in[i]);
	fprintf(out,
	    "# HELP otafs_device_certificates_expiring Device certificates that expire within so many days.\n"
	    "# TYPE otafs_device_certificates_expiring gauge\n"
	    "otafs_device_certificates_expiring{days=\"%d\"} %lld\n"
	    "# HELP otafs_device_certificates_expired Device certificates that have expired.\n"
	    "# TYPE otafs_device_certificates_expired gauge\n"
	    "otafs_device_certificates_expired %lld\n"
	    "# HELP otafs_device_certificates_unknown Device certificates of which it is not known when they "
	    "expire.\n"
	    "# TYPE otafs_device_certificates_unknown gauge\n"
	    "otafs_device_certificates_unknown %lld\n",
	    LIFETIME_DEVICE_DAYS, (long long)counts->expiring, (long long)counts->expired,
	    (long long)counts->not_known);
	return 0;
}

/* ---- health.json */

/* "image targets expired 2026-11-27T08:00:00Z (3 days ago); renewed by who has ...: ota-sign ..." */
static json_t *
sentence(const struct lifetime *entry, int64_t now)
{
	char end[UTC_TEXT_SIZE], left[32], text[2048], how[1600];
	enum expiry_state state = state_of(entry, now);

	print_end(entry, end);
	print_left(entry, now, left);
	if (entry->care == LIFETIME_ITSELF)
		strcpy(how, "its renewal is overdue: see the logs of ota-signd and ota-watcher");
	else
		snprintf(how, sizeof(how), "renewed by %s: %s", entry->who, entry->command);
	if (state == NOT_KNOWN)
		snprintf(
		    text, sizeof(text), "%s: it is not known when it expires: %s", entry->what, entry->trouble);
	else
		snprintf(text, sizeof(text), "%s %s %s (%s); %s", entry->what,
		    state == EXPIRED ? "expired" : "expires", end, left, how);
	return json_string(text);
}

int
expiry_tell(struct core *core, int64_t now, json_t *problems, json_t *warnings, struct err *err)
{
	AUTO(lifetimes_free) struct lifetimes list;
	int r = list_now(core, now, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct lifetime *entry = &list.list[i];

		if (is_problem(entry, now))
			json_array_append_new(problems, sentence(entry, now));
		else if (state_of(entry, now) != FINE && !(entry->is_summary && !entry->expires_at))
			json_array_append_new(warnings, sentence(entry, now));
	}
	return 0;
}
