#include "otafs/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "lib/uuid.h"
#include "otafs/fleet.h"
#include "otafs/standing.h"
#include "otafs/text.h"

#define WORDS " \t\r"
#define EXPECTED                                                                                               \
	"expected \"PACKAGE VERSION [ECU]\", \"at TIME ...\", \"cancel\", \"cancel!\", \"follow PACKAGE\" or " \
	"\"unfollow PACKAGE\""

void
update_correlation(const char *kind, char out[static STATE_CORRELATION_MAX])
{
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	snprintf(out, STATE_CORRELATION_MAX, "urn:here-ota:%s:%s", kind, uuid);
}

int
update_open(struct core *core, const struct device *device, const char *correlation, struct update *out,
    struct err *err)
{
	int r;

	*out = (struct update){ .core = core, .device = device, .now = utc_now() };
	if (correlation)
		snprintf(out->correlation, sizeof(out->correlation), "%s", correlation);
	else
		update_correlation(UPDATE_BY_HAND, out->correlation);
	if ((r = state_ecus(core->state, device->id, &out->ecus, &out->ecu_count, err)) < 0)
		return r;
	out->list = calloc(out->ecu_count ? out->ecu_count : 1, sizeof(*out->list));
	return out->list ? 0 : err_set(err, ENOMEM, "no memory for assignments");
}

void
update_close(struct update *update)
{
	free(update->ecus);
	free(update->list);
	*update = (struct update){ 0 };
}

/* -- what it is made of -- */

int
update_add(struct update *update, const struct ecu *ecu, const struct target *target, struct err *err)
{
	struct assignment *a;
	int r = update_check_target(update, ecu, target, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < update->count; i++)
		if (!strcmp(update->list[i].ecu, ecu->serial))
			return err_set(err, EINVAL, "ECU %s is named twice", ecu->serial);
	a = &update->list[update->count++];
	snprintf(a->ecu, sizeof(a->ecu), "%s", ecu->serial);
	snprintf(a->hardware, sizeof(a->hardware), "%s", ecu->hardware);
	snprintf(a->target, sizeof(a->target), "%s", target->file);
	snprintf(a->sha256, sizeof(a->sha256), "%s", target->sha256);
	snprintf(a->format, sizeof(a->format), "%s", target->format);
	snprintf(a->correlation, sizeof(a->correlation), "%s", update->correlation);
	a->length = target->length;
	a->created_at = update->now;
	return 0;
}

static int
add_to_ecu(struct update *update, const char *serial, const struct target *target, struct err *err)
{
	const struct ecu *ecu;
	int r = update_find_ecu(update, serial, &ecu, err);

	if (r < 0)
		return r;
	if (!target_fits(target, ecu->hardware))
		return update_refuse_hardware(update, target, err);
	return update_add(update, ecu, target, err);
}

static int
add_to_fitting(struct update *update, const struct target *target, struct err *err)
{
	size_t before = update->count;

	for (size_t i = 0; i < update->ecu_count; i++) {
		int r = target_fits(target, update->ecus[i].hardware)
			    ? update_add(update, &update->ecus[i], target, err)
			    : 0;

		if (r < 0)
			return r;
	}
	return update->count > before ? 0 : update_refuse_hardware(update, target, err);
}

char *
update_rest(char *rest)
{
	rest = rest ? text_trim(rest) : NULL;
	return rest && *rest ? rest : NULL;
}

static int
parse_line(struct update *update, char *line, struct err *err)
{
	char *rest = NULL, *package = strtok_r(line, WORDS, &rest), *version = strtok_r(NULL, WORDS, &rest);
	char *ecu = update_rest(rest), shown[64];
	const struct target *target;
	int r;

	if (!package)
		return 0;
	if (!version)
		return err_set(err, EINVAL, "\"%s\": " EXPECTED, name_printable(package, shown, sizeof(shown)));
	if ((r = name_check_package(package, err)) < 0 || (r = name_check_version(version, err)) < 0 ||
	    (ecu && (r = name_check_ecu(ecu, err)) < 0))
		return r;
	if (image_find(update->core->image, package, version, &target) == IMAGE_NO_TARGET)
		return update_refuse_package(update->core, package, version, err);
	if ((r = update_check_registered(update, err)) < 0)
		return r;
	return ecu ? add_to_ecu(update, ecu, target, err) : add_to_fitting(update, target, err);
}

int
update_parse(struct update *update, const char *text, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char *rest = copy, *line;
	int r;

	if (!copy)
		return err_set(err, ENOMEM, "no memory for a command");
	while ((line = strsep(&rest, "\n")))
		if ((r = parse_line(update, line, err)) < 0)
			return r;
	return update->count ? 0 : err_set(err, EINVAL, "empty: " EXPECTED);
}

/* -- storing -- */

int
update_note(struct core *core, const char *device, int64_t now, struct err *err)
{
	int r = state_device_bump(core->state, device, now, err);

	if (r != 0)
		return r < 0 ? r : err_set(err, ENOENT, "%s: was deleted meanwhile", device);
	if ((r = standing_update(core, device, err)) < 0)
		return r;
	return core_device_changed(core, device, err);
}

static int
store_row(const struct update *update, const struct assignment *a, const char *who, struct err *err)
{
	struct state *state = update->core->state;
	char text[1024];
	int r = state_assignment_add(state, update->device->id, a, err);

	snprintf(text, sizeof(text), "assigned %s to ECU %s by %s, %s", a->target, a->ecu, who, a->correlation);
	return r ? r
		 : state_happened(state,
		       &(struct happening){ .device = update->device->id,
			   .at = update->now,
			   .who = who,
			   .what = "assigned",
			   .text = text,
			   .ecu = a->ecu,
			   .target = a->target,
			   .correlation = a->correlation },
		       err);
}

int
update_store(const struct update *update, const char *who, struct err *err)
{
	struct core *core = update->core;
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if (update->device->failure[0])
		r = state_device_failure(core->state, update->device->id, "", err);
	for (size_t i = 0; i < update->count && r == 0; i++)
		r = store_row(update, &update->list[i], who, err);
	if (r == 0)
		r = update_note(core, update->device->id, update->now, err);
	if (r == 0)
		r = fleet_promise(core, update->list, update->count, err);
	return state_end(core->state, r, err);
}

void
update_print(const struct update *update, const char *verb, FILE *out)
{
	for (size_t i = 0; i < update->count; i++) {
		const struct assignment *a = &update->list[i];
		const char *runs = "?";

		for (size_t k = 0; k < update->ecu_count; k++)
			if (!strcmp(update->ecus[k].serial, a->ecu))
				runs = update->ecus[k].installed;
		fprintf(out, "%s %s to ECU %s, which runs %s\n", verb, a->target, a->ecu,
		    *runs ? runs : "nothing known");
	}
}
