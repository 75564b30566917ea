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
	int64_t needs;      /* state_needs() when it was made */
	int64_t written_at; /* or tried */
};

/* ---- the document */

struct making {
	struct core *core;
	json_t *list;
	size_t count;
};

static int
append(struct making *making, json_t *entry)
{
	if (++making->count > FLEET_ENTRIES_MAX) {
		json_decref(entry);
		return -E2BIG;
	}
	return json_array_append_new(making->list, entry) < 0 ? -ENOMEM : 0;
}

static int
add_assigned(const char *target, const char *sha256, int64_t count, void *context)
{
	struct making *making = context;
	const struct target *found = image_target(making->core->image, target);

	(void)count;
	if (found && found->is_hidden)
		return 0;
	return append(making, json_pack("{s:s,s:s}", "target", target, "sha256", sha256));
}

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

static int
add_running(const char *sha256, const char *hardware, int64_t devices, void *context)
{
	struct making *making = context;

	return append(
	    making, json_pack("{s:s,s:s,s:s,s:I}", "sha256", sha256, "format", format_of(making->core, sha256),
			"hardware", hardware, "devices", (json_int_t)devices));
}

static int
make(struct core *core, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *running = json_array();
	AUTO(json_decref_p) json_t *assigned = json_array();
	struct making run = { core, running, 0 }, assign = { core, assigned, 0 };
	int r;

	if ((r = state_running(core->state, add_running, &run, err)) == 0)
		r = state_assigned(core->state, add_assigned, &assign, err);
	if (r == -E2BIG)
		return err_set(err, E2BIG, "the fleet runs or is assigned more than %d different things",
		    FLEET_ENTRIES_MAX);
	if (r < 0)
		return r;
	*out = json_pack("{s:O,s:O}", "assigned", assigned, "running", running);
	return *out ? 0 : err_set(err, ENOMEM, "no memory for " NAME);
}

/* ---- the file */

static int
write_file(struct core *core, int64_t now, struct err *err)
{
	struct fleet *fleet = core->fleet;
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	int64_t needs = state_needs(core->state);
	int r = make(core, &json, err);

	fleet->written_at = now;
	if (r == -E2BIG)
		unlinkat(fleet->folder, NAME, 0);
	if (r < 0)
		return r;
	if (fleet->told && json_equal(fleet->told, json)) {
		fleet->needs = needs;
		return 0;
	}
	text = json_write(json);
	if (!text)
		return err_set(err, ENOMEM, "no memory for " NAME);
	if ((r = file_replace(fleet->folder, NAME, text, strlen(text), 0644, err)) < 0)
		return err_context(err, r, "%s", core->config->fleet);
	json_decref(fleet->told);
	fleet->told = MOVE(json);
	fleet->needs = needs;
	return 0;
}

int
fleet_write(struct core *core, struct err *err)
{
	/* written_at is left in the past: a write that can wait is not put off by this one. */
	return core->fleet ? write_file(core, core->fleet->written_at, err) : 0;
}

void
fleet_keep(struct core *core, int64_t now)
{
	struct fleet *fleet = core->fleet;
	struct err err = { 0 };

	if (!fleet || (fleet->told && fleet->needs == state_needs(core->state)))
		return;
	if (now >= fleet->written_at && now < fleet->written_at + FLEET_SECONDS)
		return;
	if (write_file(core, now, &err) < 0)
		log_line(LOG_ERR, NAME " not written reason=\"%s\"", err.text);
}

static bool
is_told(const struct fleet *fleet, const struct assignment *a)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(fleet->told, "assigned"), i, one)
	{
		const char *target = json_text(one, "target"), *sha256 = json_text(one, "sha256");

		if (target && sha256 && !strcmp(target, a->target) && !strcmp(sha256, a->sha256))
			return true;
	}
	return false;
}

int
fleet_promise(struct core *core, const struct assignment *list, size_t count, struct err *err)
{
	struct fleet *fleet = core->fleet;

	for (size_t i = 0; fleet && i < count; i++)
		if (!is_told(fleet, &list[i]))
			return fleet_write(core, err);
	return 0;
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
	free(core->fleet);
	core->fleet = NULL;
}

int
fleet_folder(const struct core *core)
{
	return core->fleet ? core->fleet->folder : -1;
}
