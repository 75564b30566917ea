/**
 * A drop that is no OSTree repository: binaries, or a document that was signed elsewhere (see handed.h).
 *
 * One file NAME with NAME.push.json beside it, or a folder with push.json and files in it. push.json is one of
 *
 *     {"name":"fw","version":"1.0","hardwareIds":["mcu"],"comment":"...","custom":{...},"target":"fw/1.0.bin",
 *      "file":"fw.bin"}
 *     {"name":"fw","version":"1.0","hardwareIds":["mcu"],"uri":"https://...","sha256":"<64
 * hex>","length":20000}
 *     {"releases":[{...},{...}]}
 *
 * "file" may be left out when there is one file only. sha256 and length, where given, have to be those of the
 * file.
 */
#ifndef WATCHER_PARCEL_H
#define WATCHER_PARCEL_H

#include <stdbool.h>

#include "store/binary.h"
#include "store/ingest.h"
#include "watcher/handed.h"

/** Releases of one drop: more than twice what one product line has. */
#define PARCEL_RELEASES_MAX 10000
/** Holes cost no disk, but are hashed: some minutes for so many bytes, while all other drops wait. */
#define PARCEL_FILE_MAX (256LL << 30)

struct parcel {
	struct releases *releases; /**< what it makes, borrowed; empty for a document */
	struct binary **binaries;  /**< one for each release; NULL: its bytes are elsewhere */
	struct handed handed;      /**< kind 0: there is none */
};

/** Whether @name below @dir is to be read as one: a file, or a folder that is no OSTree repository, with
 * push.json in it or beside it, or that is a draft. */
bool parcel_is_one(int dir, const char *name);

/**
 * Reads push.json (@text, NULL: there is none) and takes in the bytes of the files of the drop, into
 * @repository's upload/. @folder: the drop if it is a folder, or -1.
 *
 * Returns 0; DROP_BAD with words, which may go away while the drop is being copied; -errno.
 */
int parcel_open(struct parcel *parcel, int repository, int dir, const char *name, int folder, const char *text,
    size_t bytes, ingest_progress *progress, void *data, struct err *err);
void parcel_done(struct parcel *parcel);

#endif
