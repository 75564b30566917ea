/**
 * What the fleet needs (see fleet.h) in a form that is quick to ask: what ECUs run and what is assigned to
 * them. Whoever removes something asks here first; when nothing is known, nothing may go.
 */
#ifndef STORE_NEEDED_H
#define STORE_NEEDED_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/json.h"

/** There is no fleet.json. */
#define NEEDED_UNKNOWN 1

/**
 * Reads @folder/fleet.json into a new object {"files":{FILE:true},"hashes":{HEX:true}}: the files of
 * assignments, and the contents that run or are assigned. Returns 0, NEEDED_UNKNOWN, or -errno.
 */
int needed_read(const char *folder, json_t **out, struct err *err);

/** Whether target @file with content @hash (or NULL) runs somewhere or is assigned. */
bool needed_has(const json_t *needed, const char *file, const char *hash);

/** Whether target @file is in an open assignment. */
bool needed_is_assigned(const json_t *needed, const char *file);

#endif
