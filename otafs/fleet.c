#include "otafs/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

#define NAME "fleet.json"

struct fleet {
	int folder;
	json_t *told;       /* what the file says; NULL: not known */
	json_t *promised;   /* entries of "assigned" that came since the fleet was begun to be looked through */
	int64_t needs;      /* state_needs() when it was made */
	int64_t written_at; /* or tried */
};

/* ---- what the fleet needs, as the database has it */

struct needs {
	json_t *assigned, *running;
};

static void
needs_done(struct needs *needs)
{
	json_decref(needs->assigned);
	json_decref(needs->running);
}

static int
append(json_t *list, json_t *entry)
{
	if (json_array_size(list) == FLEET_ENTRIES_MAX) {
		json_decref(entry);
		return -E2BIG;
	}
	return json_array_append_new(list, entry) < 0 ? -ENOMEM : 0;
}

static int
add_assigned(const char *target, const char *sha256, int64_t count, void *list)
{
	(void)count;
	return append(list, json_pack("{s:s,s:s}", "target", target, "sha256", sha256));
}

static int
add_running(const char *sha256, const char *hardware, int64_t devices, void *list)
{
	return append(list,
	    json_pack("{s:s,s:s,s:I}", "sha256", sha256, "hardware", hardware, "devices", (json_int_t)devices));
}

/* Both of one moment. */
static int
look_apart(struct reader *reader, struct needs *out, struct err *err)
{
	int r = reader_begin(reader, err);

	if (r < 0)
		return r;
	if ((r = reader_running(reader, add_running, out->running, err)) == 0)
		r = reader_assigned(reader, add_assigned, out->assigned, err);
	reader_end(reader);
	return r;
}

static int
look(struct state *state, struct needs *out, struct err *err)
{
	int r = state_running(state, add_running, out->running, err);

	return r < 0 ? r : state_assigned(state, add_assigned, out->assigned, err);
}

/* ---- the document */

/* Of what is not published any more the store still knows what it is. */
static const char *
format_of(const struct core *core, const char *sha256)
{
	const struct target *targets;
	size_t count;

	targets = image_targets(core->image, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(targets[i].sha256, sha256))
			return targets[i].format;
	return image_has_commit(core->image, sha256) ? "OSTREE" : "BINARY";
}

static bool
is_in(const json_t *assigned, const char *target, const char *sha256)
{
	const json_t *one;
	size_t i;

	json_array_foreach(assigned, i, one)
	{
		if (!strcmp(json_text(one, "target"), target) && !strcmp(json_text(one, "sha256"), sha256))
			return true;
	}
	return false;
}

/* What is being retired is to go. */
static bool
is_hidden(const struct core *core, const json_t *entry)
{
	const struct target *target = image_target(core->image, json_text(entry, "target"));

	return target && target->is_hidden;
}

/* @promised: of what may not have been found; NULL: all was. */
static int
make(struct core *core, const struct needs *needs, const json_t *promised, json_t **out)
{
	AUTO(json_decref_p) json_t *assigned = json_array();
	json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach(needs->running, i, entry)
	{
		const char *format = format_of(core, json_text(entry, "sha256"));

		json_object_set_new(entry, "format", json_string(format));
	}
	json_array_foreach(needs->assigned, i, entry)
	{
		if (!is_hidden(core, entry) && json_array_append(assigned, entry) < 0)
			return -ENOMEM;
	}
	json_array_foreach(promised, i, entry)
	{
		if (r == 0 && !is_hidden(core, entry) &&
		    !is_in(assigned, json_text(entry, "target"), json_text(entry, "sha256")))
			r = append(assigned, json_incref(entry));
	}
	*out = r < 0 ? NULL : json_pack("{s:O,s:O}", "assigned", assigned, "running", needs->running);
	return r < 0 ? r : *out ? 0 : -ENOMEM;
}

/* ---- the file */

/* Takes @json when the file says it. */
static int
tell(struct core *core, json_t *json, struct err *err)
{
	struct fleet *fleet = core->fleet;
	AUTO(free_p) char *text = json_write(json);
	int r;

	if (!text)
		return err_set(err, ENOMEM, "no memory for " NAME);
	if ((r = file_replace(fleet->folder, NAME, text, strlen(text), 0644, err)) < 0)
		return err_context(err, r, "%s", core->config->fleet);
	json_decref(fleet->told);
	fleet->told = json_incref(json);
	return 0;
}

static int
fail(struct core *core, int r, struct err *err)
{
	if (r == -E2BIG) {
		unlinkat(core->fleet->folder, NAME, 0);
		/* Or the next promise would tell of that, and of less than is needed. */
		json_decref(MOVE(core->fleet->told));
		return err_set(err, E2BIG, "the fleet runs or is assigned more than %d different things",
		    FLEET_ENTRIES_MAX);
	}
	return r == -ENOMEM ? err_set(err, ENOMEM, "no memory for " NAME) : r;
}

/* Writes what was found when state_needs() was @when, with the core's lock held. */
static int
write_found(struct core *core, const struct needs *needs, const json_t *promised, int64_t when, struct err *err)
{
	struct fleet *fleet = core->fleet;
	AUTO(json_decref_p) json_t *json = NULL;
	int r = make(core, needs, promised, &json);

	if (r < 0)
		return fail(core, r, err);
	if (!(fleet->told && json_equal(fleet->told, json)) && (r = tell(core, json, err)) < 0)
		return r;
	fleet->needs = when;
	return 0;
}

int
fleet_write(struct core *core, struct err *err)
{
	AUTO(needs_done) struct needs needs = { json_array(), json_array() };
	int64_t when = state_needs(core->state);
	int r;

	if (!core->fleet)
		return 0;
	r = look(core->state, &needs, err);
	return r < 0 ? fail(core, r, err) : write_found(core, &needs, NULL, when, err);
}

static bool
is_due(struct fleet *fleet, int64_t needs, int64_t now)
{
	if (fleet->told && fleet->needs == needs)
		return false;
	return now < fleet->written_at || now >= fleet->written_at + FLEET_SECONDS;
}

/* What is promised from here on may not be found. */
static bool
begin_look(struct core *core, int64_t now, int64_t *needs)
{
	struct fleet *fleet = core->fleet;
	bool is;

	core_lock(core);
	*needs = state_needs(core->state);
	is = is_due(fleet, *needs, now);
	if (is) {
		fleet->written_at = now;
		json_array_clear(fleet->promised);
	}
	core_unlock(core);
	return is;
}

void
fleet_keep(struct core *core, int64_t now)
{
	AUTO(needs_done) struct needs needs = { json_array(), json_array() };
	struct err err = { 0 };
	int64_t when;
	int r;

	if (!core->fleet || !begin_look(core, now, &when))
		return;
	r = look_apart(core->reader, &needs, &err);
	core_lock(core);
	r = r < 0 ? fail(core, r, &err) : write_found(core, &needs, core->fleet->promised, when, &err);
	core_unlock(core);
	if (r < 0)
		log_line(LOG_ERR, NAME " not written reason=\"%s\"", err.text);
}

/* ---- promises */

/* Adds what is not in there yet; -E2BIG when it does not fit. */
static int
add_new(json_t *assigned, const struct assignment *list, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_in(assigned, list[i].target, list[i].sha256))
			r = add_assigned(list[i].target, list[i].sha256, 1, assigned);
	return r;
}

/* Without the whole fleet being looked through, unless it has to be. */
int
fleet_promise(struct core *core, const struct assignment *list, size_t count, struct err *err)
{
	struct fleet *fleet = core->fleet;
	json_t *told = fleet && fleet->told ? json_object_get(fleet->told, "assigned") : NULL;
	AUTO(json_decref_p) json_t *assigned = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	size_t known = 0;

	if (!fleet)
		return 0;
	/* Also what is told: who looks just now may have found that it is not needed any more. */
	if (add_new(fleet->promised, list, count) < 0)
		return fleet_write(core, err);
	while (known < count && told && is_in(told, list[known].target, list[known].sha256))
		known++;
	if (known == count)
		return 0;
	assigned = told ? json_array() : NULL;
	if (!assigned || json_array_extend(assigned, told) < 0 || add_new(assigned, list, count) < 0)
		return fleet_write(core, err);
	json = json_pack("{s:O,s:O}", "assigned", assigned, "running", json_object_get(fleet->told, "running"));
	if (!json)
		return err_set(err, ENOMEM, "no memory for " NAME);
	return tell(core, json, err);
}

int
fleet_open(struct core *core, struct err *err)
{
	struct fleet *fleet;
	int folder = open(core->config->fleet, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0) {
		log_line(LOG_WARNING, "the watcher is not told what the fleet needs path=%s reason=\"%s\"",
		    core->config->fleet, strerror(errno));
		return 0;
	}
	fleet = calloc(1, sizeof(*fleet));
	if (!fleet) {
		close(folder);
		return err_set(err, ENOMEM, "no memory for the fleet");
	}
	fleet->folder = folder;
	fleet->promised = json_array();
	core->fleet = fleet;
	return 0;
}

void
fleet_close(struct core *core)
{
	if (!core->fleet)
		return;
	close(core->fleet->folder);
	json_decref(core->fleet->told);
	json_decref(core->fleet->promised);
	free(core->fleet);
	core->fleet = NULL;
}

int
fleet_folder(const struct core *core)
{
	return core->fleet ? core->fleet->folder : -1;
}
