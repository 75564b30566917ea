/**
 * What otafs tells of the fleet in FLEET/fleet.json: what devices run, and what they are assigned. A file that
 * is absent means that nothing is known; one that cannot be read is an error, so that nobody takes it for that.
 */
#ifndef STORE_FLEET_H
#define STORE_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"

/** A line for each content and hardware id, not for each device: some thousands at most. */
#define FLEET_BYTES_MAX (16 * 1024 * 1024)

struct fleet_running {
	char sha256[DIGEST_HEX_SIZE];
	char hardware[NAME_HARDWARE_MAX + 1];
	bool is_binary;
	int64_t devices; /**< that run it */
};

struct fleet_assigned {
	char sha256[DIGEST_HEX_SIZE];
	char target[NAME_TARGET_MAX + 1]; /**< file name in targets.json */
};

struct fleet {
	bool is_known;                 /**< there was a file */
	struct fleet_running *running; /**< most devices first */
	size_t running_count;
	struct fleet_assigned *assigned;
	size_t assigned_count;
};

/** Reads @folder/fleet.json; release it with fleet_done(). 0, -EBADMSG, or another -errno. */
int fleet_read(const char *folder, struct fleet *fleet, struct err *err);
void fleet_done(struct fleet *fleet);

#endif
