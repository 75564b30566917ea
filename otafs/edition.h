/**
 * The texts of one version of a device's director documents, before they are signed: of exactly the form that
 * ota-signd signs (sign/form.h), which is canonical, so that nobody has to parse and write them again.
 * (Uptane 2.1, 5.2.3)
 */
#ifndef OTAFS_EDITION_H
#define OTAFS_EDITION_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "state/assignment.h"

/** What the three documents share. */
struct edition {
	char device[NAME_DEVICE_MAX + 1];
	int64_t version;
	int64_t epoch; /**< a part of the version */
	char expires[UTC_TEXT_SIZE];
};

/** Each: 0 or -ENOMEM. The caller frees @text, which has a 0 after its @bytes. */
int edition_targets(const struct edition *edition, const struct assignment *list, size_t count, char **text,
    size_t *bytes, struct err *err);
/** @root and @targets are the whole files. */
int edition_snapshot(const struct edition *edition, const char *root, int root_version, const char *targets,
    size_t targets_bytes, char **text, size_t *bytes, struct err *err);
int edition_timestamp(const struct edition *edition, const char *snapshot, size_t snapshot_bytes, char **text,
    size_t *bytes, struct err *err);

#endif
