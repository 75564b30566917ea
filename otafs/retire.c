#include "otafs/retire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "lib/uuid.h"
#include "otafs/fleet.h"
#include "otafs/text.h"

/** A request is one file name in JSON. */
#define REQUEST_BYTES_MAX 4096

struct retirement {
	char id[UUID_SIZE];
	char file[NAME_TARGET_MAX + 1];
	char path[NAME_PACKAGE_MAX + NAME_VERSION_MAX +
		  16]; /* packages/NAME/VERSION; empty: not known any more */
};

struct retirements {
	struct retirement *list;
	size_t count;
};

static void
path_of(const struct target *target, char *path, size_t room)
{
	if (target)
		snprintf(path, room, "packages/%s/%s", target->package, target->version);
	else
		path[0] = '\0';
}

static int
add(struct core *core, const char *id, const char *file, struct err *err)
{
	struct retirements *all = core->retirements;
	struct retirement *list = realloc(all->list, (all->count + 1) * sizeof(*list)), *one;

	if (!list)
		return err_set(err, ENOMEM, "no memory for a request");
	all->list = list;
	one = &list[all->count++];
	snprintf(one->id, sizeof(one->id), "%s", id);
	snprintf(one->file, sizeof(one->file), "%s", file);
	path_of(image_target(core->image, file), one->path, sizeof(one->path));
	image_hide(core->image, file, true);
	return 0;
}

static void
name_request(const char *id, char *name, size_t room)
{
	snprintf(name, room, "requests/%s.json", id);
}

/* ---- at start */

static int
read_request(struct core *core, const char *name, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char path[256], id[UUID_SIZE];
	const char *file;
	size_t bytes;
	int r;

	if (strlen(name) != UUID_SIZE - 1 + strlen(".json") || strcmp(name + UUID_SIZE - 1, ".json") != 0)
		return 0; /* a temporary file of a write that was cut short */
	snprintf(id, sizeof(id), "%.36s", name);
	name_request(id, path, sizeof(path));
	if ((r = file_read(fleet_folder(core), path, REQUEST_BYTES_MAX, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, name, &json, err)) < 0)
		return r;
	file = json_text(json, "retire");
	return file ? add(core, id, file, err) : 0;
}

static int
read_requests(struct core *core, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(fleet_folder(core), "requests", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_sys(err, "%s/requests", core->config->fleet);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, "%s/requests", core->config->fleet);
	}
	while ((entry = readdir(dir)) && core->retirements->count < RETIRE_MAX) {
		struct err why = { 0 };

		if (entry->d_name[0] != '.')
			r = read_request(core, entry->d_name, &why);
		if (r < 0)
			log_line(
			    LOG_WARNING, "request not read name=%s reason=\"%s\"", entry->d_name, why.text);
	}
	return 0;
}

int
retire_open(struct core *core, struct err *err)
{
	int folder = fleet_folder(core);

	if (folder < 0)
		return 0;
	/* Who may read is decided by the folder above. */
	if ((mkdirat(folder, "requests", 0755) < 0 && errno != EEXIST) ||
	    fchmodat(folder, "requests", 0755, 0) < 0)
		return err_sys(err, "%s/requests", core->config->fleet);
	core->retirements = calloc(1, sizeof(*core->retirements));
	if (!core->retirements)
		return err_set(err, ENOMEM, "no memory for requests");
	return read_requests(core, err);
}

void
retire_close(struct core *core)
{
	if (!core->retirements)
		return;
	free(core->retirements->list);
	free(core->retirements);
	core->retirements = NULL;
}

/* ---- asking */

struct users {
	char first[NAME_DEVICE_MAX + 1];
	size_t count;
};

static int
count_user(const char *device, void *context)
{
	struct users *users = context;

	if (users->count++ == 0)
		snprintf(users->first, sizeof(users->first), "%s", device);
	return 0;
}

static int
check_unused(struct core *core, const struct target *target, struct err *err)
{
	struct users users = { 0 };
	int r = state_assigned_devices(core->state, target->file, count_user, &users, err);

	if (r < 0)
		return r;
	if (users.count)
		return err_set(err, EBUSY,
		    "%s is assigned to %zu device%s, %s is one; cancel that, or \"echo force > retire\", and "
		    "the "
		    "update ends as failed",
		    target->file, users.count, users.count == 1 ? "" : "s", users.first);
	return 0;
}

/* Takes the last one back. */
static void
take_back(struct core *core)
{
	image_hide(core->image, core->retirements->list[--core->retirements->count].file, false);
}

static int
ask(struct core *core, const char *file, struct err *err)
{
	AUTO(json_decref_p) json_t *json = json_pack("{s:s}", "retire", file);
	AUTO(free_p) char *text = json ? json_write(json) : NULL;
	char id[UUID_SIZE], name[64];
	int r;

	if (!text)
		return err_set(err, ENOMEM, "no memory for a request");
	uuid_make(id);
	name_request(id, name, sizeof(name));
	if ((r = add(core, id, file, err)) < 0)
		return r;
	/* The watcher refuses what fleet.json names as assigned, and that may be older than the last cancel. */
	if ((r = fleet_write(core, err)) == 0)
		r = file_replace(fleet_folder(core), name, text, strlen(text), 0644, err);
	if (r < 0) {
		unlinkat(fleet_folder(core), name, 0);
		take_back(core);
		return err_context(err, r, "%s", core->config->fleet);
	}
	return 0;
}

static int
note(
    struct core *core, const char *target, const char *who, const char *what, const char *text, struct err *err)
{
	return state_happened(core->state,
	    &(struct happening){
		.device = "", .at = utc_now(), .who = who, .what = what, .text = text, .target = target },
	    err);
}

/* The request and its line of history: both or none. */
static int
ask_as(struct core *core, const char *file, bool is_forced, const char *who, struct err *err)
{
	char text[NAME_TARGET_MAX + STATE_WHO_MAX + 64];
	int r;

	snprintf(text, sizeof(text), "%s is to be retired%s, says %s", file, is_forced ? " by force" : "", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = note(core, file, who, "retire_asked", text, err)) == 0)
		r = ask(core, file, err);
	return state_end(core->state, r, err);
}

int
retire_target(struct core *core, const struct target *target, bool is_forced, const char *who, struct err *err)
{
	int r;

	if (target->delegation)
		return err_set(err, EPERM, "%s is of the delegation %s: only who signs that can take it out",
		    target->file, target->delegation);
	if (!is_forced && (r = check_unused(core, target, err)) < 0)
		return r;
	if (!core->retirements)
		return err_set(
		    err, ENOTSUP, "%s: no such folder, so ota-watcher cannot be asked", core->config->fleet);
	if (core->retirements->count >= RETIRE_MAX)
		return err_set(
		    err, EAGAIN, "%d versions wait for being retired: is ota-watcher running?", RETIRE_MAX);
	if ((r = ask_as(core, target->file, is_forced, who, err)) < 0)
		return r;
	log_line(LOG_NOTICE, "retire asked for target=%s by=\"%s\" forced=%s", target->file, who,
	    is_forced ? "yes" : "no");
	return 0;
}

int
retire_write(struct core *core, const struct target *target, const char *text, const char *who, struct err *err)
{
	const char *word = text + strspn(text, " \t\r\n");
	size_t n = strcspn(word, " \t\r\n");

	if (n != 5 || strncmp(word, "force", n) != 0 || word[n + strspn(word + n, " \t\r\n")] != '\0')
		return err_set(err, EINVAL, "expected \"force\"; without force it is rmdir");
	return retire_target(core, target, true, who, err);
}

int
retire_print(struct core *core, const struct target *target, FILE *out, struct err *err)
{
	return state_assigned_devices(core->state, target->file, text_line, out, err);
}

/* ---- what has become of it */

/* @text: what has become of it. */
static void
end(struct core *core, size_t i, const char *what, const char *text)
{
	struct retirements *all = core->retirements;
	struct err err;
	char name[64];

	if (note(core, all->list[i].file, "ota-watcher", what, text, &err) < 0)
		log_line(LOG_ERR, "history not written reason=\"%s\"", err.text);
	name_request(all->list[i].id, name, sizeof(name));
	if (unlinkat(fleet_folder(core), name, 0) < 0 && errno != ENOENT)
		log_line(LOG_ERR, "request not removed name=%s reason=\"%s\"", name, strerror(errno));
	all->list[i] = all->list[--all->count];
}

static bool
is_refused(struct core *core, const struct retirement *one, char words[static ERR_TEXT_MAX])
{
	AUTO(free_p) char *text = NULL;
	char name[64], printable[ERR_TEXT_MAX - 16];
	struct err err = { 0 };
	size_t bytes;

	snprintf(name, sizeof(name), "refused/%s", one->id);
	if (image_report(core->image, name, &text, &bytes, &err) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	snprintf(words, ERR_TEXT_MAX, "not retired: %s", name_printable(text, printable, sizeof(printable)));
	core_refused(core, one->path[0] ? one->path : one->file, "ota-watcher", words);
	return true;
}

void
retire_follow(struct core *core)
{
	struct retirements *all = core->retirements;

	for (size_t i = 0; all && i < all->count;) {
		const struct retirement *one = &all->list[i];
		char words[ERR_TEXT_MAX];

		if (!image_target(core->image, one->file) && image_number(core->image)) {
			log_line(LOG_NOTICE, "retired target=%s", one->file);
			snprintf(words, sizeof(words), "%s is retired", one->file);
			end(core, i, "retired", words);
		} else if (is_refused(core, one, words)) {
			struct err err;

			image_hide(core->image, one->file, false);
			end(core, i, "retire_refused", words);
			if (fleet_write(core, &err) < 0) /* it may name it again */
				log_line(LOG_ERR, "fleet.json not written reason=\"%s\"", err.text);
		} else {
			image_hide(core->image, one->file, true); /* in what was loaded since, too */
			i++;
		}
	}
}
