#include "otafs/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"

struct image {
	int published; /* repository/published */
	int ostree;    /* repository/ostree */
	int current;   /* the loaded publication's folder, -1: none */
	int64_t number;
	json_t *json; /* its targets.json */
	struct target *targets;
	size_t count;
};

static int
open_folder(const char *repository, const char *name, int *out, struct err *err)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", repository, name) >= sizeof(path))
		return err_set(err, ENAMETOOLONG, "%.64s...: too long", repository);
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return err_sys(err, "%s (ota-watcher makes it when it starts)", path);
	return 0;
}

static void
image_freep(struct image **image)
{
	image_free(*image);
}

int
image_open(const char *repository, struct image **out, struct err *err)
{
	AUTO(image_freep) struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return err_set(err, ENOMEM, "no memory for the image repository");
	image->published = image->ostree = image->current = -1;
	if ((r = open_folder(repository, "published", &image->published, err)) < 0 ||
	    (r = open_folder(repository, "ostree", &image->ostree, err)) < 0)
		return r;
	*out = MOVE(image);
	return 0;
}

static void
unload(struct image *image)
{
	if (image->current >= 0)
		close(image->current);
	json_decref(image->json);
	free(image->targets);
}

void
image_free(struct image *image)
{
	if (!image)
		return;
	unload(image);
	if (image->published >= 0)
		close(image->published);
	if (image->ostree >= 0)
		close(image->ostree);
	free(image);
}

static int
read_target(const char *file, const json_t *json, struct target *out, struct err *err)
{
	const json_t *custom = json_object_get(json, "custom");
	const char *created = json_text(custom, "createdAt");
	int r;

	out->file = file;
	out->uri = json_text(custom, "uri");
	out->comment = json_text(custom, "comment");
	out->hardware = json_object_get(custom, "hardwareIds");
	if (created && utc_parse(created, &out->created_at) < 0)
		out->created_at = 0;
	if ((r = json_need_text(custom, "name", file, &out->package, err)) < 0 ||
	    (r = json_need_text(custom, "version", file, &out->version, err)) < 0 ||
	    (r = json_need_text(custom, "targetFormat", file, &out->format, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "hashes"), "sha256", file, &out->sha256, err)) < 0 ||
	    (r = json_need_integer(json, "length", file, INT64_MAX, &out->length, err)) < 0)
		return r;
	if (!json_array_size(out->hardware))
		return err_set(err, EBADMSG, "%s: has no hardwareIds", file);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int r = strcmp(x->package, y->package);

	if (r == 0 && x->created_at != y->created_at)
		r = x->created_at < y->created_at ? -1 : 1;
	return r ? r : strcmp(x->version, y->version);
}

static int
read_targets(struct image *image, struct err *err)
{
	json_t *targets = json_object_get(json_object_get(image->json, "signed"), "targets"), *one;
	const char *file;
	int r;

	image->targets = calloc(json_object_size(targets) + 1, sizeof(*image->targets));
	if (!image->targets)
		return err_set(err, ENOMEM, "no memory for targets");
	json_object_foreach(targets, file, one)
	{
		if ((r = read_target(file, one, &image->targets[image->count], err)) < 0)
			return r;
		image->count++;
	}
	qsort(image->targets, image->count, sizeof(*image->targets), compare);
	return 0;
}

static int
load(struct image *next, const char *name, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	next->number = strtoll(name, NULL, 10);
	next->current = openat(next->published, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (next->current < 0)
		return err_sys(err, "published/%s", name);
	if ((r = file_read(next->current, "targets.json", IMAGE_FILE_MAX, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, "targets.json", &next->json, err)) < 0)
		return r;
	return read_targets(next, err);
}

int
image_refresh(struct image *image, struct err *err)
{
	struct image next = { .published = image->published, .ostree = image->ostree, .current = -1 };
	char name[32];
	ssize_t n = readlinkat(image->published, "current", name, sizeof(name) - 1);
	int r;

	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(err, "published/current");
	name[n] = '\0';
	if (image->current >= 0 && strtoll(name, NULL, 10) == image->number)
		return 0;
	r = load(&next, name, err);
	if (r < 0) {
		unload(&next);
		return err_context(err, r, "published/%s", name);
	}
	unload(image);
	*image = next;
	return IMAGE_CHANGED;
}

int64_t
image_number(const struct image *image)
{
	return image->number;
}

const struct target *
image_targets(const struct image *image, size_t *count)
{
	*count = image->count;
	return image->targets;
}

int
image_find(const struct image *image, const char *package, const char *version, const struct target **out)
{
	for (size_t i = 0; i < image->count; i++) {
		if (strcmp(image->targets[i].package, package) || strcmp(image->targets[i].version, version))
			continue;
		*out = &image->targets[i];
		return 0;
	}
	return IMAGE_NO_TARGET;
}

int
target_fits(const struct target *target, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(
	    target->hardware, i, one) if (json_is_string(one) && !strcmp(json_string_value(one), id)) return 1;
	return 0;
}

int
image_file(const struct image *image, const char *name, struct err *err)
{
	int fd = image->current < 0 ? -1 : openat(image->current, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return image->current < 0 ? err_set(err, ENOENT, "nothing was published yet")
				  : err_sys(err, "%s", name);
}

DIR *
image_folder(const struct image *image)
{
	int fd = image->current < 0 ? -1 : openat(image->current, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

int
image_ostree(const struct image *image)
{
	return image->ostree;
}
