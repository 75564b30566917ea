#include "otafs/credential.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "lib/log.h"
#include "lib/utc.h"
#include "state/revoked.h"

#define DAY_SECONDS 86400
/** That go in one transaction. */
#define GO_AT_ONCE 64

int
credential_add(
    struct core *core, const struct credential *credential, const char *done, const char *who, struct err *err)
{
	const char *device = credential->device, *serial = credential->serial;
	char text[512], end[UTC_TEXT_SIZE];
	int r;

	if ((r = name_check_serial(serial, err)) < 0)
		return r;
	r = state_certificate_add(core->state, device, serial, utc_now(), err);
	if (r == STATE_EXISTS)
		return err_set(err, EEXIST, "%s: certificate %s is known", device, serial);
	if (r < 0 ||
	    (r = state_certificate_expires(core->state, device, serial, credential->expires_at, err)) < 0 ||
	    (r = state_certificate_source(core->state, device, serial, credential->source, err)) < 0)
		return r;
	utc_format(credential->expires_at, end);
	snprintf(text, sizeof(text), "certificate %s %s, expires at %s", serial, done, end);
	core_certificate_changed(core, device, serial);
	return core_tell(core, device, who, "certificate_made", text, err);
}

/* Serial numbers of one device. */
struct serials {
	char list[GO_AT_ONCE][NAME_SERIAL_MAX + 1];
	size_t count;
};

/* What finds no room stays: devices that renew have a few. */
static int
note_serial(const char *serial, void *context)
{
	struct serials *serials = context;

	if (serials->count < GO_AT_ONCE)
		snprintf(serials->list[serials->count++], sizeof(serials->list[0]), "%s", serial);
	return 0;
}

/* ---- how they go */

static int
let_go(struct core *core, const char *device, const char *serial, const char *why, struct err *err)
{
	struct certificate_row row;
	char text[256];
	int r = state_certificate_row(core->state, device, serial, &row, err);

	if (r)
		return r < 0 ? r : 0;
	/* Else the CA of the fleet would bring it back. */
	if (!strncmp(row.source, CREDENTIAL_FLEET, strlen(CREDENTIAL_FLEET)))
		r = state_revoked_add(core->state, device, serial, STATE_WHO_OTAFS, utc_now(), err);
	if (r < 0 || (r = state_certificate_remove(core->state, device, serial, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "certificate %s ended: %s", serial, why);
	core_certificate_changed(core, device, serial);
	return core_tell(core, device, STATE_WHO_OTAFS, "certificate_ended", text, err);
}

int
credential_pending(struct core *core, const char *device, const char *source, const char *asker,
    char out[static NAME_SERIAL_MAX + 1], struct err *err)
{
	struct serials pending = { .count = 0 };
	int r = state_certificates_pending(core->state, device, source, note_serial, &pending, err);

	out[0] = '\0';
	for (size_t i = 0; !out[0] && i < pending.count; i++)
		if (strcmp(pending.list[i], asker) != 0)
			strcpy(out, pending.list[i]);
	return r;
}

int
credential_drop_pending(struct core *core, const char *device, const char *source, struct err *err)
{
	struct serials pending = { .count = 0 };
	int r = state_certificates_pending(core->state, device, source, note_serial, &pending, err);

	for (size_t i = 0; r == 0 && i < pending.count; i++)
		r = let_go(
		    core, device, pending.list[i], "it was never used, and another one was asked for", err);
	return r;
}

struct ended {
	struct serials serials;
	char devices[GO_AT_ONCE][NAME_DEVICE_MAX + 1];
};

static int
note_ended(const char *device, const char *serial, int64_t ends_at, void *context)
{
	struct ended *ended = context;

	(void)ends_at;
	snprintf(ended->devices[ended->serials.count], sizeof(ended->devices[0]), "%s", device);
	return note_serial(serial, &ended->serials);
}

static int
let_all_go(struct core *core, const struct ended *ended, struct err *err)
{
	int r = state_begin(core->state, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ended->serials.count; i++)
		r = let_go(
		    core, ended->devices[i], ended->serials.list[i], "a newer one has taken its place", err);
	return state_end(core->state, r, err);
}

void
credential_run(struct core *core, int64_t now)
{
	struct ended ended = { .serials.count = 0 };
	struct err err = { 0 };
	int r = state_certificates_ended(core->state, now, GO_AT_ONCE, note_ended, &ended, &err);

	if (r == 0 && ended.serials.count)
		r = let_all_go(core, &ended, &err);
	if (r < 0)
		log_line(LOG_ERR, "certificates not ended reason=\"%s\"", err.text);
}

/* ---- how they follow one another */

static int
tell_replaced(
    struct core *core, const char *device, const char *serial, const char *by, int64_t ends_at, struct err *err)
{
	char text[256], end[UTC_TEXT_SIZE];

	utc_format(ends_at, end);
	snprintf(text, sizeof(text), "certificate %s ends at %s: %s is in use", serial, end, by);
	return core_tell(core, device, STATE_WHO_OTAFS, "certificate_replaced", text, err);
}

static int
replace_older(struct core *core, const char *device, const char *serial, const struct certificate_row *row,
    int64_t now, struct err *err)
{
	int64_t ends_at = now + core->config->certificate_overlap_days * DAY_SECONDS;
	struct serials older = { .count = 0 };
	int r = state_certificates_older(core->state, device, serial, row, ends_at, note_serial, &older, err);

	for (size_t i = 0; r == 0 && i < older.count; i++)
		if ((r = state_certificate_ends(core->state, device, older.list[i], ends_at, err)) == 0)
			r = tell_replaced(core, device, older.list[i], serial, ends_at, err);
	return r;
}

int
credential_use(struct core *core, const char *device, const char *serial, const struct certificate_row *row,
    int64_t now, struct err *err)
{
	int r;

	if (row->used_at)
		return 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_certificate_used(core->state, device, serial, now, err);
	if (r == 0 && row->source[0])
		r = replace_older(core, device, serial, row, now, err);
	return state_end(core->state, r == STATE_EXISTS ? 0 : r, err);
}

/* ---- what is told of one */

static void
print_time(const char *name, int64_t at, const char *without, FILE *out)
{
	char text[UTC_TEXT_SIZE];

	utc_format(at, text);
	fprintf(out, "%s: %s\n", name, at ? text : without);
}

int
credential_print(struct core *core, const char *device, const char *serial, FILE *out, struct err *err)
{
	struct certificate_row row;
	int r = state_certificate_row(core->state, device, serial, &row, err);

	if (r)
		return r < 0 ? r : err_set(err, ENOENT, "%s: no certificate %s", device, serial);
	fprintf(out, "source: %s\n", row.source[0] ? row.source : "accepted by its serial number");
	print_time("since", row.added_at, "", out);
	print_time("used", row.used_at, "not yet", out);
	print_time("expires", row.expires_at, "not known", out);
	print_time("goes", row.ends_at, "-", out);
	return 0;
}
