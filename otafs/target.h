/**
 * The targets of one publication: those of targets.json and those of its delegations.  (aktualizr-wire 2.9)
 *
 * A delegation counts if the document above it lists its name, and a target of it if it matches the path
 * patterns of every role on the way down; nothing is looked for below a terminating role. Of targets with one
 * file name the first in a device's own order of search counts, so the top level wins. Signatures are not
 * looked at: who publishes has checked them, and devices check them again.
 */
#ifndef OTAFS_TARGET_H
#define OTAFS_TARGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** Clients take 8 MiB of image targets, 64 KiB of anything else (aktualizr-wire 2.3). */
#define IMAGE_FILE_MAX (8 * 1024 * 1024)
/** aktualizr follows delegations so deep. */
#define TARGET_DEPTH_MAX 5
/** Delegated roles of one publication that are read; a role that is listed twice counts twice. */
#define TARGET_ROLES_MAX 1024

/** One image; everything is borrowed from the struct targets. */
struct target {
	const char *file;    /**< name in targets.json */
	const char *package; /**< custom.name */
	const char *version; /**< custom.version */
	const char *sha256;
	const char *format;  /**< OSTREE or BINARY */
	const char *uri;     /**< NULL: from the repository itself */
	const char *comment; /**< NULL: none */
	int64_t length;      /**< bytes */
	int64_t created_at;
	const json_t *hardware; /**< array of hardware ids that it is for */
	const json_t *custom;   /**< all that its publisher says of it */
	const char *delegation; /**< the role that has it; NULL: targets itself */
	int64_t expires_at;     /**< of a delegated target's role: devices skip it after that */
	size_t order;           /**< the place in a device's order of search */
	bool is_hidden;         /**< is being retired */
	bool is_double; /**< there is another of that package and version, which is the one that is shown */
};

/** A document of a publication that offers targets; all is borrowed from the struct targets. */
struct target_role {
	const char *name;   /**< of the delegation; "targets" for targets.json */
	const json_t *body; /**< its "signed" */
	const json_t
	    *entry; /**< what the document above says of it: keyids, threshold; NULL for targets.json */
};

struct targets {
	struct target *list; /**< ordered by package, then time, then version */
	size_t count;
	struct target **by_file; /**< ordered by file */
	struct target_role *roles;
	size_t role_count;
	json_t *documents;       /* array of what was read, as roles has it: owns all texts */
	size_t room, roles_seen; /* while reading */
};

/**
 * Reads the publication in folder @dir. What has no name, version, hash or hardware ids can neither be shown
 * nor assigned and is left out with a line in the log, and so is a delegation that cannot be read. Returns 0 or
 * -errno; the caller frees @out by targets_free() either way.
 */
int targets_read(int dir, struct targets *out, struct err *err);
void targets_free(struct targets *targets);

/** The target of that file name, or NULL. */
struct target *targets_file(const struct targets *targets, const char *file);

/** The place in by_file of the first file name that is not below @file; count: none. */
size_t targets_from(const struct targets *targets, const char *file);

/** Whether it can be listed and assigned. */
bool target_is_shown(const struct target *target);

/** Whether the target is for hardware @id. */
int target_fits(const struct target *target, const char *id);

#endif
