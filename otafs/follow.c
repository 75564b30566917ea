#include "otafs/follow.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/text.h"
#include "otafs/update.h"

/* -- which version -- */

static bool
is_for(const struct follow *f, const struct ecu *ecu)
{
	return !f->ecu[0] || !strcmp(f->ecu, ecu->serial);
}

/* Whether anything of the package fits. */
static bool
has_package(const struct core *core, const char *package, const struct ecu *ecu)
{
	size_t count;
	const struct target *list = image_targets(core->image, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i].package, package) && target_is_shown(&list[i]) &&
		    (!ecu || target_fits(&list[i], ecu->hardware)))
			return true;
	return false;
}

/* What the ECU runs was a version of the package by its name, and is not published any more: which versions are
 * older is not known, but for those that were made after it was heard of. */
static bool
is_lost(const struct update *update, const char *package, const struct ecu *ecu)
{
	size_t n = strlen(package);

	return !image_target(update->core->image, ecu->installed) && !strncmp(ecu->installed, package, n) &&
	       ecu->installed[n] == '-';
}

/* The newest first, down to what the ECU runs. If that is of another kind only the newest counts. */
static int
find_newest(const struct update *update, const char *package, const struct ecu *ecu, const struct target **out,
    struct err *err)
{
	const struct target *runs = image_target(update->core->image, ecu->installed);
	bool is_known = runs && !strcmp(runs->package, package), is_blind = is_lost(update, package, ecu);
	size_t count;
	const struct target *list = image_targets(update->core->image, &count);

	*out = NULL;
	while (count-- > 0) {
		const struct target *one = &list[count];
		bool was;
		int r;

		if (strcmp(one->package, package) != 0)
			continue;
		if (one == runs || (is_blind && one->created_at <= ecu->installed_at))
			return 0;
		if (!target_is_shown(one) || !target_fits(one, ecu->hardware))
			continue;
		r = state_installation_was_refused(
		    update->core->state, update->device->id, ecu->serial, one->file, one->sha256, &was, err);
		if (r < 0)
			return r;
		if (!was)
			*out = one;
		if (!was || !is_known)
			return 0;
	}
	return 0;
}

/* -- one device -- */

/* What an ECU cannot have is no reason to keep the others waiting: the first refusal goes to @refused. */
static int
add_one(struct update *update, const struct ecu *ecu, const struct target *target, struct err *refused,
    struct err *err)
{
	int r = update_add(update, ecu, target, err);

	if (r != -EINVAL)
		return r;
	if (!refused->code)
		*refused = *err;
	return 0;
}

static int
add_package(struct update *update, const struct follow *f, bool claimed[static STATE_ECUS_MAX],
    struct err *refused, struct err *err)
{
	for (size_t i = 0; i < update->ecu_count && i < STATE_ECUS_MAX; i++) {
		const struct ecu *ecu = &update->ecus[i];
		const struct target *target;
		int r;

		/* The first package that fits has the ECU, or two would take turns for ever. */
		if (claimed[i] || !is_for(f, ecu) || !has_package(update->core, f->package, ecu))
			continue;
		claimed[i] = true;
		if (!ecu->installed[0])
			continue;
		if ((r = find_newest(update, f->package, ecu, &target, err)) < 0 ||
		    (target && (r = add_one(update, ecu, target, refused, err)) < 0))
			return r;
	}
	return 0;
}

/* Refused when nothing is left. Else the refusal comes again when this update is over, and is told then. */
static int
add_all(struct update *update, const struct follow *more, struct err *err)
{
	AUTO(free_p) struct follow *list = NULL;
	bool claimed[STATE_ECUS_MAX] = { false };
	struct err refused = { 0 };
	size_t count;
	int r = state_follows(update->core->state, update->device->id, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_package(update, &list[i], claimed, &refused, err);
	if (r == 0 && more)
		r = add_package(update, more, claimed, &refused, err);
	if (r < 0 || update->count || !refused.code)
		return r;
	*err = refused;
	return -EINVAL;
}

int
follow_begin(struct core *core, const struct device *device, const struct follow *more,
    const struct assign_how *how, struct err *err)
{
	char correlation[STATE_CORRELATION_MAX];
	struct update update;
	int r;

	update_correlation(UPDATE_FOLLOWED, correlation);
	r = update_open(core, device, correlation, &update, err);
	if (r == 0 && (r = update_check_idle(&update, err)) == 0 && (r = add_all(&update, more, err)) == 0 &&
	    update.count > 0 && (r = update_check_size(&update, err)) == 0) {
		if (how->told)
			update_print(&update, how->is_check ? "would assign" : "assigned", how->told);
		r = how->is_check ? 0 : update_store(&update, how->who, err);
	}
	update_close(&update);
	return r == -ENXIO || r == -EBUSY ? 0 : r;
}

/* -- commands -- */

/* "PACKAGE [ECU]" */
static int
parse(const char *text, const char *command, struct follow *out, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char *rest = NULL, *package, *ecu;
	int r;

	if (!copy)
		return err_set(err, ENOMEM, "no memory for a command");
	package = strtok_r(copy, TEXT_BLANKS, &rest);
	ecu = package ? update_rest(rest) : NULL;
	if (!package)
		return err_set(err, EINVAL, "expected \"%s PACKAGE [ECU]\"", command);
	if ((r = name_check_package(package, err)) < 0 || (ecu && (r = name_check_ecu(ecu, err)) < 0))
		return r;
	snprintf(out->package, sizeof(out->package), "%s", package);
	snprintf(out->ecu, sizeof(out->ecu), "%s", ecu ? ecu : "");
	return 0;
}

static int
check_ecu(const struct update *update, const struct follow *f, const struct ecu *ecu, const struct follow *list,
    size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].package, f->package) != 0 && is_for(&list[i], ecu) &&
		    has_package(update->core, list[i].package, ecu))
			return err_set(err, EINVAL,
			    "ECU %s follows %s already, and cannot follow two packages; write \"unfollow %s\" "
			    "first",
			    ecu->serial, list[i].package, list[i].package);
	return 0;
}

/* The package is there and fits an ECU that follows nothing else. */
static int
check(const struct update *update, const struct follow *f, struct err *err)
{
	AUTO(free_p) struct follow *list = NULL;
	size_t count, fitting = 0;
	const struct ecu *named;
	int r = state_follows(update->core->state, update->device->id, &list, &count, err);

	if (r < 0)
		return r;
	if (!has_package(update->core, f->package, NULL))
		return update_refuse_package(update->core, f->package, NULL, err);
	if ((r = update_check_registered(update, err)) < 0)
		return r;
	if (f->ecu[0] && (r = update_find_ecu(update, f->ecu, &named, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < update->ecu_count; i++) {
		const struct ecu *ecu = &update->ecus[i];

		if (!is_for(f, ecu) || !has_package(update->core, f->package, ecu))
			continue;
		fitting++;
		r = check_ecu(update, f, ecu, list, count, err);
	}
	if (r == 0 && fitting == 0)
		return err_set(err, EINVAL, "no version of %s fits %s", f->package,
		    f->ecu[0] ? f->ecu : "any ECU of this device");
	return r;
}

static int
tell(struct core *core, const char *device, const struct follow *f, const char *what, const char *who,
    struct err *err)
{
	char text[512];

	snprintf(text, sizeof(text), "%s %s on %s%s by %s", what, f->package, f->ecu[0] ? "ECU " : "every ECU",
	    f->ecu, who);
	return state_happened(core->state,
	    &(struct happening){ .device = device,
		.at = utc_now(),
		.who = who,
		.what = what,
		.text = text,
		.ecu = f->ecu[0] ? f->ecu : NULL,
		.target = NULL },
	    err);
}

static int
store(struct core *core, const struct device *device, const struct follow *f, const struct assign_how *how,
    struct err *err)
{
	int r;

	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_follow_add(core->state, device->id, f, err);
	if (r == STATE_EXISTS)
		r = err_set(err, EEXIST, "follows %s already", f->package);
	if (r == 0 && (r = tell(core, device->id, f, "follows", how->who, err)) == 0)
		r = follow_begin(core, device, NULL, how, err);
	return state_end(core->state, r, err);
}

int
follow_write(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	struct follow f = { .created_at = utc_now() };
	struct update update;
	int r;

	if ((r = parse(text, "follow", &f, err)) < 0)
		return r;
	snprintf(f.who, sizeof(f.who), "%s", how->who);
	if ((r = update_open(core, device, NULL, &update, err)) == 0)
		r = check(&update, &f, err);
	update_close(&update);
	if (r < 0)
		return r;
	if (how->told)
		fprintf(how->told, "%s %s\n", how->is_check ? "would follow" : "follows", f.package);
	return how->is_check ? follow_begin(core, device, &f, how, err) : store(core, device, &f, how, err);
}

int
follow_end(struct core *core, const struct device *device, const char *text, const struct assign_how *how,
    struct err *err)
{
	struct follow f = { 0 };
	int r;

	if ((r = parse(text, "unfollow", &f, err)) < 0)
		return r;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	r = state_follow_remove(core->state, device->id, f.package, f.ecu[0] ? f.ecu : NULL, err);
	if (r == STATE_NONE)
		r = err_set(
		    err, ENODATA, "does not follow %s%s%s", f.package, f.ecu[0] ? " on ECU " : "", f.ecu);
	if (r == 0)
		r = tell(core, device->id, &f, "unfollows", how->who, err);
	if (r == 0 && how->told)
		fprintf(how->told, "%s %s\n", how->is_check ? "would unfollow" : "unfollows", f.package);
	if (r < 0 || !how->is_check)
		return state_end(core->state, r, err);
	/* A look: taken back. */
	state_end(core->state, -ECANCELED, err);
	return 0;
}

int
follow_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct follow *list = NULL;
	size_t count;
	int r = state_follows(core->state, device->id, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		char since[UTC_TEXT_SIZE];

		utc_format(list[i].created_at, since);
		fprintf(out, "follows %s on %s%s, since %s by %s\n", list[i].package,
		    list[i].ecu[0] ? "ECU " : "every ECU that it fits", list[i].ecu, since, list[i].who);
	}
	return r;
}
