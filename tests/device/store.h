/**
 * The device's memory: a folder that one process uses at a time.
 *
 *     primary.key secondary-SERIAL.key   the ECUs' Uptane keys
 *     director/ROLE.json image/ROLE.json metadata exactly as received
 *     state.json                         installed, report_counter, sent, registered, report, operations,
 *                                      pending, events
 *     images/SHA256                      binary targets, complete or in the middle of a download
 *     ostree/                            an archive repository of the commits that were pulled
 *
 * state.json is one file on purpose: what is installed and what has to be reported of it change together.
 */
#ifndef TESTS_DEVICE_STORE_H
#define TESTS_DEVICE_STORE_H

#include <jansson.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/role.h"
#include "sign/key.h"

struct store;

/** Opens @path, which is made if it is missing. -EBUSY: another process has it. */
int store_open(const char *path, struct store **out, struct err *err);
void store_free(struct store *store);
void store_freep(struct store **store);

/** The folder, for openat(). */
int store_folder(const struct store *store);

/** The root object of state.json, borrowed and free to change; store_save() makes it last. */
json_t *store_state(struct store *store);
int store_save(struct store *store, struct err *err);

/** Member @name of the state, made as an empty object when it is missing; NULL: no memory. */
json_t *store_section(struct store *store, const char *name);

/** There is no such document. */
#define STORE_NONE 1

/** Reads the stored document of @role; the caller frees @text. Returns 0, STORE_NONE, or -errno. */
int store_read_metadata(struct store *store, enum repository repository, enum role role, char **text,
    size_t *bytes, struct err *err);
int store_write_metadata(struct store *store, enum repository repository, enum role role, const char *text,
    size_t bytes, struct err *err);

/** Removes all of @repository but its root. */
int store_forget_metadata(struct store *store, enum repository repository, struct err *err);

/** Loads the key @name, or makes it and keeps it. */
int store_key(struct store *store, const char *name, struct key_pair **out, struct err *err);

#endif
