#include "otafs/package.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "otafs/text.h"

const char *const package_files[] = { "comment", "created", "custom", "delegation", "deltas", "devices",
	"format", "hardware-ids", "hash", "length", "target", "uri", NULL };

/* Members of "custom" that have a file of their own, or a meaning for devices alone. */
static const char *const known[] = { "comment", "createdAt", "hardwareIds", "name", "targetFormat", "updatedAt",
	"uri", "version" };

static int
print_hardware(const struct target *target, FILE *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(target->hardware, i, one) fprintf(out, "%s\n", json_string_value(one));
	return 0;
}

/* What its publisher says of it beside what the system knows. */
static int
print_custom(const struct target *target, FILE *out, struct err *err)
{
	AUTO(json_decref_p) json_t *rest = json_copy((json_t *)(uintptr_t)target->custom);

	if (!rest)
		return err_set(err, ENOMEM, "no memory for custom");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		json_object_del(rest, known[i]);
	if (json_object_size(rest) == 0)
		return 0;
	json_dumpf(rest, out, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	fputc('\n', out);
	return 0;
}

/* Opens its bytes; -ENOENT when there are none here. */
static int
open_bytes(struct core *core, const char *package, const char *version, struct err *err)
{
	const struct target *target;
	int fd = -ENOENT;

	core_lock(core);
	if (image_find(core->image, package, version, &target) == 0)
		fd = image_binary(core->image, target->sha256, err);
	core_unlock(core);
	return fd;
}

int
package_print_sha512(struct core *core, const char *package, const char *version, FILE *out, struct err *err)
{
	AUTO(close_p) int fd = open_bytes(core, package, version, err);
	char hex[DIGEST_SHA512_HEX_SIZE];
	int64_t bytes;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = digest_sha512_fd(fd, hex, &bytes);
	return r < 0 ? err_set(err, -r, "%s %s: cannot be read", package, version) : text_line(hex, out);
}

/* ---- deltas */

static json_t *
read_deltas(struct core *core)
{
	AUTO(free_p) char *text = NULL;
	json_t *json = NULL;
	struct err err;
	size_t bytes;

	if (image_report(core->image, "deltas.json", &text, &bytes, &err) < 0 ||
	    json_read(text, bytes, "deltas.json", &json, &err) < 0)
		return NULL;
	return json;
}

/* A pair of 0 bytes was tried, and saved nothing. */
static bool
is_made(const json_t *delta)
{
	return json_integer_value(json_object_get(delta, "bytes")) > 0;
}

/* The version that a device comes from, if it is still published. */
static const char *
file_of(const struct core *core, const char *sha256)
{
	const struct target *targets;
	size_t count;

	targets = image_targets(core->image, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(targets[i].sha256, sha256))
			return targets[i].file;
	return sha256;
}

static void
print_deltas(struct core *core, const struct target *target, FILE *out)
{
	AUTO(json_decref_p) json_t *json = read_deltas(core);
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(json, target->sha256), i, one)
	{
		const char *from = json_text(one, "from");

		if (!is_made(one))
			continue;
		fprintf(out, "from %s: %lld bytes, saves %lld\n", from ? file_of(core, from) : "nothing",
		    (long long)json_integer_value(json_object_get(one, "bytes")),
		    (long long)json_integer_value(json_object_get(one, "saved")));
	}
}

void
package_count_deltas(struct core *core, int64_t *count, int64_t *bytes)
{
	AUTO(json_decref_p) json_t *json = read_deltas(core);
	const json_t *one;
	const char *to;
	json_t *list;
	size_t i;

	*count = *bytes = 0;
	json_object_foreach(json, to, list)
	{
		json_array_foreach(list, i, one)
		{
			*count += is_made(one);
			*bytes += json_integer_value(json_object_get(one, "bytes"));
		}
	}
}

int
package_print(struct core *core, const struct target *target, const char *file, FILE *out, struct err *err)
{
	char created[UTC_TEXT_SIZE];

	if (!strcmp(file, "devices"))
		return state_users(core->state, target->file, text_line, out, err);
	if (!strcmp(file, "hardware-ids"))
		return print_hardware(target, out);
	if (!strcmp(file, "length"))
		return fprintf(out, "%lld\n", (long long)target->length) < 0;
	if (!strcmp(file, "hash"))
		return text_line(target->sha256, out);
	if (!strcmp(file, "format"))
		return text_line(target->format, out);
	if (!strcmp(file, "target"))
		return text_line(target->file, out);
	if (!strcmp(file, "comment"))
		return target->comment ? text_line(target->comment, out) : 0;
	if (!strcmp(file, "uri"))
		return target->uri ? text_line(target->uri, out) : 0;
	if (!strcmp(file, "delegation"))
		return target->delegation ? text_line(target->delegation, out) : 0;
	if (!strcmp(file, "custom"))
		return print_custom(target, out, err);
	if (!strcmp(file, "deltas")) {
		print_deltas(core, target, out);
		return 0;
	}
	if (!strcmp(file, "created")) {
		if (!target->created_at) /* suppliers need not say it */
			return 0;
		utc_format(target->created_at, created);
		return text_line(created, out);
	}
	return err_set(err, ENOENT, "no such file");
}
