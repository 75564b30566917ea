/**
 * What is read and asked without the core's lock, to know what expires: files of certificates, and of the
 * signer where keys are.
 */
#ifndef OTAFS_SOURCES_H
#define OTAFS_SOURCES_H

#include <jansson.h>
#include <stddef.h>

#include "lib/certificate.h"
#include "lib/config.h"
#include "lib/name.h"
#include "sign/client.h"

/** Files of build.certificates/ that are read; a builder has one. */
#define SOURCES_BUILDERS_MAX 1000

/** A file of certificates as it was read. */
struct source_file {
	const char *setting; /**< "build certificate" for one of build.certificates/, "issuing CA" for the
				  signer's */
	char path[2 * CONFIG_VALUE_MAX + NAME_DEVICE_MAX];
	char name[NAME_DEVICE_MAX + 1]; /**< the builder's */
	struct certificate *list;       /**< NULL: @trouble says why */
	size_t count;
	char trouble[ERR_TEXT_MAX];
};

/** What is read without the core's lock. */
struct sources {
	struct source_file *files;
	size_t count;
	json_t *keys[REPOSITORY_COUNT]; /**< as client_keys() has them; NULL: the signer does not say */
	char *image_root;               /**< the signer's newest; NULL: it has none, or does not say */
};

/** Reads the files that @config names, and asks @signer where keys are. What cannot be read says so in its
 * place; only -ENOMEM fails. */
int sources_read(const struct config *config, struct client *signer, struct sources *out, struct err *err);
void sources_free(struct sources *sources);

/** What client_keys() has of @repository; the caller releases it. NULL: the signer does not say. */
json_t *sources_keys(struct client *signer, enum repository repository);

#endif
