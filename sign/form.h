/**
 * The form of a document of the director: what is signed for a device has exactly this one. (Uptane 2.1, 5.2.3)
 *
 *     {"_type":"Targets","custom":{"correlationId":TEXT,"deviceId":TEXT},"expires":TIME,"targets":{FILE:{"custom":
 *      {"ecuIdentifiers":{SERIAL:{"hardwareId":TEXT},...},"targetFormat":TEXT,"uri":null},"hashes":{"sha256":HEX},
 *      "length":N},...},"version":N}
 *     {"_type":"Snapshot","custom":{"deviceId":TEXT},"expires":TIME,"meta":{"root.json":{"hashes":{"sha256":HEX},
 *      "length":N,"version":N},"targets.json":{...}},"version":N}
 *     {"_type":"Timestamp",... "meta":{"snapshot.json":{...}},"version":N}
 *
 * without white space, "correlationId" when there are targets only, files and serials in the order of their
 * bytes. It is canonical (sign/canonical.h): texts are printable ASCII, with \" and \\ for those two characters
 * alone. So the signer need not parse what it is asked for, nor write it again, which took most of its time;
 * and signs nothing that it does not know.
 */
#ifndef SIGN_FORM_H
#define SIGN_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"

/** ECUs of a device, and so its targets: as many as otafs knows. */
#define FORM_ECUS_MAX 100

struct form_target {
	const char *file, *sha256, *format;
	int64_t length;
	const char *const *hardware; /**< the hardware id of each of its ECUs */
	size_t ecus;                 /**< one at least */
};

/** What a document says; texts lie in the copy that was read. */
struct form {
	const char *device; /**< not checked */
	int64_t expires;    /**< seconds */
	int version;        /**< 1..INT32_MAX */
	struct form_target targets[FORM_ECUS_MAX];
	size_t count; /**< of targets; 0 in a snapshot or a timestamp */
	const char *hardware[FORM_ECUS_MAX];
	size_t ecus;
};

/**
 * Reads the document of @role in @text, with a 0 after the last byte, which is changed and borrowed by @out. 0,
 * or -EINVAL with words when it is not of that form.
 */
int form_read(enum role role, char *text, struct form *out, struct err *err);

#endif
