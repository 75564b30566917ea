#include "store/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"

static int
copy_text(const json_t *object, const char *name, char *to, size_t room, struct err *err)
{
	const char *text;
	int r = json_need_text(object, name, "fleet.json", &text, err);

	if (r < 0)
		return r;
	if ((size_t)snprintf(to, room, "%s", text) >= room)
		return err_set(err, EBADMSG, "fleet.json: member \"%s\" is too long", name);
	return 0;
}

static int
copy_sha256(const json_t *object, char to[static DIGEST_HEX_SIZE], struct err *err)
{
	const char *text;
	int r = json_need_text(object, "sha256", "fleet.json", &text, err);

	if (r < 0)
		return r;
	if (!digest_is_sha256_hex(text))
		return err_set(err, EBADMSG, "fleet.json: a sha256 is not 64 lower-case hex digits");
	memcpy(to, text, DIGEST_HEX_SIZE);
	return 0;
}

static int
read_running(const json_t *json, struct fleet_running *running, struct err *err)
{
	char format[16];
	int r;

	if ((r = copy_sha256(json, running->sha256, err)) < 0 ||
	    (r = copy_text(json, "format", format, sizeof(format), err)) < 0 ||
	    (r = copy_text(json, "hardware", running->hardware, sizeof(running->hardware), err)) < 0)
		return r;
	running->is_binary = !strcmp(format, "BINARY");
	return json_need_integer(json, "devices", "fleet.json", INT64_MAX, &running->devices, err);
}

static int
read_assigned(const json_t *json, struct fleet_assigned *assigned, struct err *err)
{
	int r = copy_sha256(json, assigned->sha256, err);

	return r < 0 ? r : copy_text(json, "target", assigned->target, sizeof(assigned->target), err);
}

static int
by_devices(const void *a, const void *b)
{
	const struct fleet_running *x = a, *y = b;

	if (x->devices != y->devices)
		return x->devices < y->devices ? 1 : -1;
	return strcmp(x->sha256, y->sha256);
}

static int
read_lists(const json_t *json, struct fleet *fleet, struct err *err)
{
	const json_t *running = json_object_get(json, "running"), *assigned = json_object_get(json, "assigned");
	int r = 0;

	if (!json_is_array(running) || !json_is_array(assigned))
		return err_set(err, EBADMSG, "fleet.json: \"running\" or \"assigned\" is no array");
	fleet->running = calloc(json_array_size(running) + 1, sizeof(*fleet->running));
	fleet->assigned = calloc(json_array_size(assigned) + 1, sizeof(*fleet->assigned));
	if (!fleet->running || !fleet->assigned)
		return err_set(err, ENOMEM, "fleet.json: no memory");
	for (size_t i = 0; r == 0 && i < json_array_size(running); i++)
		r = read_running(json_array_get(running, i), &fleet->running[fleet->running_count++], err);
	for (size_t i = 0; r == 0 && i < json_array_size(assigned); i++)
		r = read_assigned(json_array_get(assigned, i), &fleet->assigned[fleet->assigned_count++], err);
	qsort(fleet->running, fleet->running_count, sizeof(*fleet->running), by_devices);
	return r;
}

int
fleet_read(const char *folder, struct fleet *fleet, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char path[4096];
	size_t bytes;
	int r;

	*fleet = (struct fleet){ 0 };
	snprintf(path, sizeof(path), "%s/fleet.json", folder);
	r = file_read(AT_FDCWD, path, FLEET_BYTES_MAX, &text, &bytes, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = json_read(text, bytes, path, &json, err);
	if (r == 0)
		r = read_lists(json, fleet, err);
	if (r < 0)
		fleet_done(fleet);
	else
		fleet->is_known = true;
	return r;
}

void
fleet_done(struct fleet *fleet)
{
	free(fleet->running);
	free(fleet->assigned);
	*fleet = (struct fleet){ 0 };
}
