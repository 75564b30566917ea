#include "otafs/assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "lib/uuid.h"
#include "otafs/director.h"
#include "otafs/fleet.h"

#define WORDS " \t\r"

/* What one write is about. */
struct order {
	struct core *core;
	const struct device *device;
	struct ecu *ecus;
	size_t ecu_count;
	struct assignment *list; /* what is to be stored */
	size_t count;
	char correlation[STATE_CORRELATION_MAX];
	int64_t now;
};

static void
list_hardware(const struct order *order, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < order->ecu_count && n + 1 < room; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%s (%s)", i ? ", " : "", order->ecus[i].serial,
		    order->ecus[i].hardware);
}

static int
refuse_hardware(const struct order *order, const struct target *target, struct err *err)
{
	AUTO(free_p) char *ids = json_write_as(target->hardware, JSON_COMPACT | JSON_ENSURE_ASCII);
	char ecus[256];

	list_hardware(order, ecus, sizeof(ecus));
	return err_set(
	    err, EINVAL, "%s is for hardware %.128s; this device has %s", target->file, ids ? ids : "?", ecus);
}

/* What a device would pass over in silence: secondaries know no delegations, and nobody looks into an expired
 * one.  (aktualizr-wire 2.9) */
static int
check_delegation(const struct order *order, const struct ecu *ecu, const struct target *target, struct err *err)
{
	char since[UTC_TEXT_SIZE];

	if (!target->delegation)
		return 0;
	if (strcmp(ecu->serial, order->device->primary_ecu) != 0)
		return err_set(err, EINVAL,
		    "%s is of the delegation %s, and only primary ECUs look into delegations; %s is none",
		    target->file, target->delegation, ecu->serial);
	if (target->expires_at > order->now)
		return 0;
	utc_format(target->expires_at, since);
	return err_set(err, EINVAL,
	    "%s is of the delegation %s, which has expired at %s: its supplier has to sign anew", target->file,
	    target->delegation, since);
}

static int
add_line(struct order *order, const struct ecu *ecu, const struct target *target, struct err *err)
{
	struct assignment *a;
	int r = check_delegation(order, ecu, target, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < order->count; i++)
		if (!strcmp(order->list[i].ecu, ecu->serial))
			return err_set(err, EINVAL, "ECU %s is named twice", ecu->serial);
	if (!strcmp(ecu->installed, target->file))
		return err_set(err, EEXIST, "ECU %s runs %s already", ecu->serial, target->file);
	a = &order->list[order->count++];
	snprintf(a->ecu, sizeof(a->ecu), "%s", ecu->serial);
	snprintf(a->hardware, sizeof(a->hardware), "%s", ecu->hardware);
	snprintf(a->target, sizeof(a->target), "%s", target->file);
	snprintf(a->sha256, sizeof(a->sha256), "%s", target->sha256);
	snprintf(a->format, sizeof(a->format), "%s", target->format);
	snprintf(a->correlation, sizeof(a->correlation), "%s", order->correlation);
	a->length = target->length;
	a->created_at = order->now;
	return 0;
}

static int
add_to_ecu(struct order *order, const char *serial, const struct target *target, struct err *err)
{
	char ecus[256];

	for (size_t i = 0; i < order->ecu_count; i++) {
		if (strcmp(order->ecus[i].serial, serial))
			continue;
		if (!target_fits(target, order->ecus[i].hardware))
			return refuse_hardware(order, target, err);
		return add_line(order, &order->ecus[i], target, err);
	}
	list_hardware(order, ecus, sizeof(ecus));
	return err_set(err, ENOENT, "no ECU \"%.64s\"; this device has %s", serial, ecus);
}

static int
add_to_fitting(struct order *order, const struct target *target, struct err *err)
{
	size_t before = order->count;

	for (size_t i = 0; i < order->ecu_count; i++) {
		int r = target_fits(target, order->ecus[i].hardware)
			    ? add_line(order, &order->ecus[i], target, err)
			    : 0;

		if (r < 0)
			return r;
	}
	return order->count > before ? 0 : refuse_hardware(order, target, err);
}

/* Tells a wrong version from a wrong name. */
static int
refuse_package(const struct order *order, const char *package, const char *version, struct err *err)
{
	const struct target *targets;
	size_t count;

	targets = image_targets(order->core->image, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(targets[i].package, package) && target_is_shown(&targets[i]))
			return err_set(err, ENOENT, "package %s has no version %.128s: ls packages/%s", package,
			    version, package);
	return err_set(err, ENOENT, "%.128s: not in the image repository: ls packages", package);
}

/* A serial may have spaces in it. NULL: there is nothing more. */
static char *
rest_of_line(char *rest)
{
	size_t n;

	if (!rest)
		return NULL;
	rest += strspn(rest, WORDS);
	for (n = strlen(rest); n && strchr(WORDS, rest[n - 1]); n--)
		rest[n - 1] = '\0';
	return *rest ? rest : NULL;
}

static int
parse_line(struct order *order, char *line, struct err *err)
{
	char *rest = NULL, *package = strtok_r(line, WORDS, &rest), *version = strtok_r(NULL, WORDS, &rest);
	char *ecu = rest_of_line(rest);
	const struct target *target;
	int r;

	if (!package)
		return 0;
	if (!version)
		return err_set(
		    err, EINVAL, "\"%.64s\": expected \"PACKAGE VERSION [ECU]\" or \"cancel\"", package);
	if ((r = name_check_package(package, err)) < 0 || (r = name_check_version(version, err)) < 0 ||
	    (ecu && (r = name_check_ecu(ecu, err)) < 0))
		return r;
	if (image_find(order->core->image, package, version, &target) == IMAGE_NO_TARGET)
		return refuse_package(order, package, version, err);
	return ecu ? add_to_ecu(order, ecu, target, err) : add_to_fitting(order, target, err);
}

static int
parse(struct order *order, const char *text, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char *rest = copy, *line;
	int r;

	if (!copy)
		return err_set(err, ENOMEM, "no memory for a command");
	while ((line = strsep(&rest, "\n")))
		if ((r = parse_line(order, line, err)) < 0)
			return r;
	return order->count ? 0
			    : err_set(err, EINVAL, "empty: expected \"PACKAGE VERSION [ECU]\" or \"cancel\"");
}

static int
check_size(const struct order *order, struct err *err)
{
	int64_t bytes = director_size(order->core, order->device, order->list, order->count, err);

	if (bytes <= DIRECTOR_BYTES_MAX)
		return bytes < 0 ? (int)bytes : 0;
	return err_set(err, EFBIG, "the director's targets.json would have %lld bytes, devices read %d",
	    (long long)bytes, DIRECTOR_BYTES_MAX);
}

/* Counter, history and the names that are no longer true: whatever changes assignments ends with this. */
static int
note_change(struct core *core, const struct device *device, const char *text, int64_t now, struct err *err)
{
	int r;

	if ((r = state_device_bump(core->state, device->id, now, err)) != 0 ||
	    (r = state_history_add(core->state, device->id, text, now, err)) != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: was deleted meanwhile", device->id);
	return core_device_changed(core, device->id, err);
}

static int
store(const struct order *order, const char *who, struct err *err)
{
	struct state *state = order->core->state;
	char text[1024];
	int r;

	if ((r = state_begin(state, err)) < 0)
		return r;
	if (order->device->failure[0])
		r = state_device_failure(state, order->device->id, "", err);
	for (size_t i = 0; i < order->count && r == 0; i++)
		r = state_assignment_add(state, order->device->id, &order->list[i], err);
	for (size_t i = 0; i < order->count && r == 0; i++) {
		const struct assignment *a = &order->list[i];

		snprintf(text, sizeof(text), "assigned %s to ECU %s by %s, %s", a->target, a->ecu, who,
		    a->correlation);
		r = i + 1 < order->count ? state_history_add(state, order->device->id, text, order->now, err)
					 : note_change(order->core, order->device, text, order->now, err);
	}
	if (r == 0)
		r = fleet_promise(order->core, order->list, order->count, err);
	return state_end(state, r, err);
}

static int
check_idle(struct core *core, const struct device *device, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r = state_assignments(core->state, device->id, &open, &count, err);

	if (r < 0)
		return r;
	if (count)
		return err_set(err, EBUSY, "update %s (%s) is open; write \"cancel\" first",
		    open[0].correlation, open[0].target);
	return 0;
}

static int
assign(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *list = NULL;
	struct order order = { .core = core, .device = device, .now = utc_now() };
	char uuid[UUID_SIZE];
	int r;

	uuid_make(uuid);
	if (how->correlation)
		snprintf(order.correlation, sizeof(order.correlation), "%s", how->correlation);
	else
		snprintf(order.correlation, sizeof(order.correlation), "urn:here-ota:mtu:%s", uuid);
	if ((r = check_idle(core, device, err)) < 0 ||
	    (r = state_ecus(core->state, device->id, &ecus, &order.ecu_count, err)) < 0)
		return r;
	if (order.ecu_count == 0)
		return err_set(err, ENXIO, "has not registered its ECUs yet, so it is not known what fits it");
	list = calloc(order.ecu_count, sizeof(*list));
	if (!list)
		return err_set(err, ENOMEM, "no memory for assignments");
	order.ecus = ecus;
	order.list = list;
	if ((r = parse(&order, text, err)) < 0 || (r = check_size(&order, err)) < 0)
		return r;
	for (size_t i = 0; how->told && i < order.count; i++)
		fprintf(how->told, "%s to ECU %s, %s\n", list[i].target, list[i].ecu, order.correlation);
	return how->is_check ? 0 : store(&order, how->who, err);
}

static int
cancel(struct core *core, const struct device *device, const struct assign_how *how, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	char text[512];
	size_t count;
	int r;

	if ((r = state_assignments(core->state, device->id, &open, &count, err)) < 0)
		return r;
	if (count == 0)
		return err_set(err, ENODATA, "nothing is open, nothing to cancel");
	if (how->told)
		fprintf(how->told, "cancels %s, %s\n", open[0].target, open[0].correlation);
	if (how->is_check)
		return 0;
	snprintf(text, sizeof(text), "cancelled %s by %s, %s", open[0].target, how->who, open[0].correlation);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++)
		r = assign_finish(
		    core, device->id, &open[i], INSTALLATION_CANCELLED, "", how->who, utc_now(), err);
	if (r == 0)
		r = note_change(core, device, text, utc_now(), err);
	return state_end(core->state, r, err);
}

int
assign_finish(struct core *core, const char *device, const struct assignment *a, const char *result,
    const char *code, const char *text, int64_t now, struct err *err)
{
	struct installation row = {
		.assigned_at = a->created_at, .in_flight_at = a->in_flight_at, .finished_at = now
	};
	int r;

	snprintf(row.correlation, sizeof(row.correlation), "%s", a->correlation);
	snprintf(row.ecu, sizeof(row.ecu), "%s", a->ecu);
	snprintf(row.target, sizeof(row.target), "%s", a->target);
	snprintf(row.sha256, sizeof(row.sha256), "%s", a->sha256);
	snprintf(row.result, sizeof(row.result), "%s", result);
	name_printable(code, row.code, sizeof(row.code));
	name_printable(text, row.text, sizeof(row.text));
	if ((r = state_assignment_close(core->state, device, a->ecu, err)) == STATE_NONE)
		return err_set(err, ENOENT, "%s: ECU %s has nothing open", device, a->ecu);
	return r ? r : state_installation_add(core->state, device, &row, err);
}

int
assign_do(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	const char *word = text + strspn(text, WORDS "\n");
	size_t length = strcspn(word, WORDS "\n");

	if (length == 6 && !strncmp(word, "cancel", length) &&
	    word[length + strspn(word + length, WORDS "\n")] == '\0')
		return cancel(core, device, how, err);
	return assign(core, device, text, how, err);
}

int
assign_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;
	int r = state_assignments(core->state, device->id, &open, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		char since[UTC_TEXT_SIZE];

		utc_format(open[i].created_at, since);
		fprintf(out, "%s to ECU %s, open since %s, %s\n", open[i].target, open[i].ecu, since,
		    open[i].correlation);
	}
	return r;
}
