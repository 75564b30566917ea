/**
 * Node ids of the www view for what belongs to a device: all there is to know of it stands in the id itself.
 *
 * The kernel may remember millions of them, and names each until it forgets it; nothing of ours is kept for it.
 * An id is never used for anything else, since numbers of devices and certificates are given once, and versions
 * and generations only grow. What all devices share has inodes of its own (inode.h), whose ids have bit 63 0.
 *
 *     bit  63  62-61     60-31   30-0
 *          1   document  number  version      a document: of a device, by number and version
 *          1   0         number  kind, generation   a folder, or the link "devices": bits 30-27 and 26-0
 *
 * The generation is that of all that is below devices/ (core.h). Folders of two generations are two, so that
 * what the kernel remembers below one is not found below the other. Documents are the same in both.
 */
#ifndef OTAFS_INODE_ID_H
#define OTAFS_INODE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/role.h"

/** Generations end with the mounts, and come once for each change of all devices and each process. */
#define INODE_GENERATION_MAX ((1 << 27) - 1)

enum inode_kind {
	INODE_NONE,        /**< not of a device: it is found in the table of inodes */
	INODE_DOCUMENT,    /**< DIRECTOR/targets.json, snapshot.json, timestamp.json; number of the device */
	INODE_LINK,        /**< devices: points to the folder of this generation; no number */
	INODE_DEVICES,     /**< what it points to; no number */
	INODE_DEVICE,      /**< devices/ID; number of the device */
	INODE_CERTIFICATE, /**< devices/ID/SERIAL; from here on, number of the certificate */
	INODE_DIRECTOR,    /**< its director/ */
	INODE_REPO,        /**< its repo/ */
	INODE_DELEGATIONS, /**< its repo/delegations/ */
	INODE_EST,         /**< its est/ */
};

struct inode_id {
	enum inode_kind kind;
	enum role role;      /**< of a document: ROLE_TARGETS, ROLE_SNAPSHOT or ROLE_TIMESTAMP */
	uint32_t number;     /**< STATE_NUMBER_MAX at most */
	uint32_t version;    /**< of a document: INT32_MAX at most */
	uint32_t generation; /**< of what is no document */
};

uint64_t inode_id_write(const struct inode_id *id);

/** false: it is not of a device, or no id at all. */
bool inode_id_read(uint64_t number, struct inode_id *out);

/** Writes what INODE_LINK points to, the folder of its generation; returns how many bytes that are. */
ssize_t inode_id_link(const struct inode_id *id, char *out, size_t room);

/** st_ino: other numbers for other things and versions, the same after a restart; spread over all bits, since
 * web servers take only some of them into account. */
uint64_t inode_id_ino(const struct inode_id *id);

#endif
