/* What the device would not take. */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/director.h"
#include "otafs/update.h"

static void
list_hardware(const struct update *update, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < update->ecu_count && n + 1 < room; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%s (%s)", i ? ", " : "", update->ecus[i].serial,
		    update->ecus[i].hardware);
}

int
update_refuse_hardware(const struct update *update, const struct target *target, struct err *err)
{
	AUTO(free_p) char *ids = json_write_as(target->hardware, JSON_COMPACT | JSON_ENSURE_ASCII);
	char ecus[256];

	list_hardware(update, ecus, sizeof(ecus));
	return err_set(
	    err, EINVAL, "%s is for hardware %.128s; this device has %s", target->file, ids ? ids : "?", ecus);
}

int
update_find_ecu(const struct update *update, const char *serial, const struct ecu **out, struct err *err)
{
	char ecus[256];

	for (size_t i = 0; i < update->ecu_count; i++) {
		*out = &update->ecus[i];
		if (!strcmp(update->ecus[i].serial, serial))
			return 0;
	}
	list_hardware(update, ecus, sizeof(ecus));
	return err_set(err, ENOENT, "no ECU \"%.64s\"; this device has %s", serial, ecus);
}

/* Tells a wrong version from a wrong name. */
int
update_refuse_package(const struct core *core, const char *package, const char *version, struct err *err)
{
	const struct target *targets;
	size_t count;

	targets = image_targets(core->image, &count);
	for (size_t i = 0; version && i < count; i++)
		if (!strcmp(targets[i].package, package) && target_is_shown(&targets[i]))
			return err_set(err, ENOENT, "package %s has no version %.128s: ls packages/%s", package,
			    version, package);
	return err_set(err, ENOENT, "%.128s: not in the image repository: ls packages", package);
}

static bool
is_primary(const struct update *update, const struct ecu *ecu)
{
	return !strcmp(ecu->serial, update->device->primary_ecu);
}

/* What a device would pass over in silence: secondaries know no delegations, and nobody looks into an expired
 * one.  (aktualizr-wire 2.9) */
static int
check_delegation(
    const struct update *update, const struct ecu *ecu, const struct target *target, struct err *err)
{
	char since[UTC_TEXT_SIZE];

	if (!target->delegation)
		return 0;
	if (!is_primary(update, ecu))
		return err_set(err, EINVAL,
		    "%s is of the delegation %s, and only primary ECUs look into delegations; %s is none",
		    target->file, target->delegation, ecu->serial);
	if (target->expires_at > update->now)
		return 0;
	utc_format(target->expires_at, since);
	return err_set(err, EINVAL,
	    "%s is of the delegation %s, which has expired at %s: its supplier has to sign anew", target->file,
	    target->delegation, since);
}

/* A director document says OSTREE or BINARY, and OSTree commits have no length.  (aktualizr-wire 2.7) */
static int
check_format(const struct target *target, struct err *err)
{
	bool is_ostree = !strcmp(target->format, "OSTREE");

	if (!is_ostree && strcmp(target->format, "BINARY") != 0)
		return err_set(err, EINVAL, "%s has the targetFormat %.32s; devices know OSTREE and BINARY",
		    target->file, target->format);
	if (is_ostree && target->length != 0)
		return err_set(err, EINVAL, "%s is an OSTree commit with a length of %lld, which has to be 0",
		    target->file, (long long)target->length);
	return 0;
}

/* The value of "type" in the table [pacman] of a configuration as aktualizr writes it; empty: it is not there.
 */
static void
read_pacman(char *text, char out[static 32])
{
	bool is_inside = false;
	char *line;

	out[0] = '\0';
	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		if (*line == '[')
			is_inside = !strncmp(line, "[pacman]", 8);
		else if (is_inside && sscanf(line, "type = \"%31[a-z]\"", out) == 1)
			return;
	}
}

/* A primary with OSTree takes nothing else, and ends its whole check without a report. It told its package
 * manager when it started; if it did not, nobody knows. */
static int
check_pacman(const struct update *update, const struct ecu *ecu, const struct target *target, struct err *err)
{
	AUTO(free_p) char *body = NULL;
	char type[32];
	int64_t received_at;
	size_t bytes;
	int r;

	if (!is_primary(update, ecu) || strcmp(target->format, "BINARY") != 0)
		return 0;
	r = state_report(update->core->state, update->device->id, "config", &body, &bytes, &received_at, err);
	if (r != 0)
		return r < 0 ? r : 0;
	read_pacman(body, type);
	if (strcmp(type, "ostree") != 0)
		return 0;
	return err_set(err, EINVAL,
	    "%s is a BINARY, and the package manager of %s is ostree: it would take nothing at all",
	    target->file, ecu->serial);
}

/* A device that can fetch it nowhere fails in each poll anew. What has an address of its own is elsewhere. */
static int
check_bytes(const struct core *core, const struct target *target, struct err *err)
{
	AUTO(close_p) int fd = -1;

	if (target->uri)
		return 0;
	if (!strcmp(target->format, "OSTREE"))
		return image_has_commit(core->image, target->sha256)
			   ? 0
			   : err_set(err, EINVAL, "%s: its commit %.16s... is not in treehub", target->file,
				 target->sha256);
	if ((fd = image_binary(core->image, target->sha256, err)) >= 0)
		return 0;
	return err_set(err, EINVAL, "%s: its bytes are not here, and it has no address of its own: push them",
	    target->file);
}

/* aktualizr takes a name for the content: what it runs under the same name with another hash ends its whole
 * check, and it reports nothing.  (aktualizr-wire 2.7, the same-file trap) */
static int
check_running(const struct ecu *ecu, const struct target *target, struct err *err)
{
	if (strcmp(ecu->installed, target->file) != 0)
		return 0;
	if (!strcmp(ecu->installed_sha256, target->sha256))
		return err_set(err, EEXIST, "ECU %s runs %s already", ecu->serial, target->file);
	return err_set(err, EINVAL,
	    "ECU %s runs a file of the name %s with other content (sha256 %.16s...): it would take nothing at "
	    "all; publish it under another version",
	    ecu->serial, target->file, ecu->installed_sha256);
}

int
update_check_target(
    const struct update *update, const struct ecu *ecu, const struct target *target, struct err *err)
{
	int r;

	if ((r = check_delegation(update, ecu, target, err)) < 0 || (r = check_format(target, err)) < 0 ||
	    (r = check_bytes(update->core, target, err)) < 0 ||
	    (r = check_pacman(update, ecu, target, err)) < 0)
		return r;
	return update->is_later ? 0 : check_running(ecu, target, err);
}

int
update_check_size(const struct update *update, struct err *err)
{
	int64_t bytes = director_size(update->core, update->device, update->list, update->count, err);

	if (bytes <= DIRECTOR_BYTES_MAX)
		return bytes < 0 ? (int)bytes : 0;
	return err_set(err, EFBIG, "the director's targets.json would have %lld bytes, devices read %d",
	    (long long)bytes, DIRECTOR_BYTES_MAX);
}

int
update_check_registered(const struct update *update, struct err *err)
{
	if (update->ecu_count)
		return 0;
	return err_set(err, ENXIO, "has not registered its ECUs yet, so it is not known what fits it");
}

int
update_check_idle(const struct update *update, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r = state_assignments(update->core->state, update->device->id, &open, &count, err);

	if (r < 0)
		return r;
	if (count)
		return err_set(err, EBUSY, "update %s (%s) is open; write \"%s\" first", open[0].correlation,
		    open[0].target, open[0].in_flight_at ? "cancel!" : "cancel");
	return 0;
}
