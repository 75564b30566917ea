#include "otafs/sources.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"

/* Beside the builders' passwords. */
#define BUILDERS_FOLDER "build.certificates"

static struct source_file *
add_file(struct sources *sources, const char *setting, const char *path, struct err *err)
{
	struct source_file *more = realloc(sources->files, (sources->count + 1) * sizeof(*more));

	if (!more) {
		err_set(err, ENOMEM, "%s: no memory", path);
		return NULL;
	}
	sources->files = more;
	more += sources->count++;
	*more = (struct source_file){ .setting = setting };
	snprintf(more->path, sizeof(more->path), "%s", path);
	return more;
}

static int
read_file(struct sources *sources, const char *setting, const char *path, const char *name, struct err *err)
{
	struct source_file *file = add_file(sources, setting, path, err);
	struct err why = { 0 };
	int r;

	if (!file)
		return -ENOMEM;
	snprintf(file->name, sizeof(file->name), "%s", name);
	r = certificates_read(path, &file->list, &file->count, &why);
	if (r < 0)
		name_printable(why.text, file->trouble, sizeof(file->trouble));
	return 0;
}

/* Who needs none has none: no administrator has a certificate, or clients are given another file. */
static int
read_if_there(struct sources *sources, const char *setting, const char *path, struct err *err)
{
	if (!strcmp(path, "-") || (access(path, F_OK) < 0 && errno == ENOENT))
		return 0;
	return read_file(sources, setting, path, "", err);
}

/* The CA itself: those above it are in device_ca. */
static int
read_issuer(struct client *signer, struct sources *sources, struct err *err)
{
	AUTO(free_p) char *chain = NULL;
	struct source_file *file;
	struct err ignored;
	size_t bytes;

	if (client_issuer(signer, &chain, &bytes, &ignored) != 0)
		return 0;
	if (!(file = add_file(sources, "issuing CA", "", err)))
		return -ENOMEM;
	if (certificates_parse("issuing CA", chain, bytes, &file->list, &file->count, &ignored) < 0)
		name_printable(ignored.text, file->trouble, sizeof(file->trouble));
	else
		file->count = 1;
	return 0;
}

/* "NAME.pem" of a builder: its name. */
static bool
is_builder(const char *file, char name[static NAME_DEVICE_MAX + 1])
{
	size_t n = strlen(file);
	struct err ignored;

	if (n < 5 || n - 4 > NAME_DEVICE_MAX || strcmp(file + n - 4, ".pem") != 0)
		return false;
	snprintf(name, NAME_DEVICE_MAX + 1, "%.*s", (int)(n - 4), file);
	return name_check_device(name, &ignored) == 0;
}

/* Without the folder no builder has a certificate. */
static int
read_builders(const struct config *config, struct sources *sources, struct err *err)
{
	char folder[CONFIG_VALUE_MAX], path[sizeof(folder) + sizeof(BUILDERS_FOLDER)],
	    name[NAME_DEVICE_MAX + 1];
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int n = 0, r = 0;

	strcpy(folder, config->build_passwords);
	snprintf(path, sizeof(path), "%s/" BUILDERS_FOLDER, dirname(folder));
	dir = opendir(path);
	while (dir && r == 0 && n < SOURCES_BUILDERS_MAX && (entry = readdir(dir))) {
		char file[sizeof(path) + sizeof(entry->d_name)];

		if (!is_builder(entry->d_name, name))
			continue;
		n++;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		r = read_file(sources, "build certificate", file, name, err);
	}
	return r;
}

json_t *
sources_keys(struct client *signer, enum repository repository)
{
	json_t *keys = NULL;
	struct err ignored;

	return client_keys(signer, repository, &keys, &ignored) == 0 ? keys : NULL;
}

int
sources_read(const struct config *config, struct client *signer, struct sources *out, struct err *err)
{
	struct err ignored;
	int r;

	*out = (struct sources){ 0 };
	if ((r = read_file(out, "server_certificate", config->server_certificate, "", err)) < 0 ||
	    (r = read_file(out, "device_ca", config->device_ca, "", err)) < 0 ||
	    (r = read_file(out, "build_ca", config->build_ca, "", err)) < 0 ||
	    (r = read_if_there(out, "admin_ca", config->admin_ca, err)) < 0 ||
	    (r = read_if_there(out, "server_ca", config->server_ca, err)) < 0)
		return r;
	if (strcmp(config->fleet_ca, "-") != 0 &&
	    (r = read_file(out, "fleet_ca", config->fleet_ca, "", err)) < 0)
		return r;
	if (strcmp(config->device_crl, "-") != 0 &&
	    (r = read_file(out, "device_crl", config->device_crl, "", err)) < 0)
		return r;
	if ((r = read_issuer(signer, out, err)) < 0)
		return r;
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		out->keys[i] = sources_keys(signer, (enum repository)i);
	if (client_root(signer, REPOSITORY_IMAGE, 0, &out->image_root, NULL, &ignored))
		out->image_root = NULL;
	return read_builders(config, out, err);
}

void
sources_free(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free(sources->files[i].list);
	free(sources->files);
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		json_decref(sources->keys[i]);
	free(sources->image_root);
	*sources = (struct sources){ 0 };
}
