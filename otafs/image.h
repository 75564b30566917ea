/**
 * The repositories as ota-watcher wrote them last: repository/published/ and what stands beside it.
 *
 * A publication is a folder that never changes; "current" points to the newest. What is loaded here stays what
 * it is until image_refresh() takes the next one, so all answers between two refreshes belong together. Older
 * ones that were loaded stay open, for devices in the middle of a visit.
 */
#ifndef OTAFS_IMAGE_H
#define OTAFS_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "otafs/target.h"

/** Publications that are kept open; ota-watcher keeps no more of them on disk either. */
#define IMAGE_SETS_MAX 64
/** A file of repository/report/. */
#define IMAGE_REPORT_MAX (8 * 1024 * 1024)

/** There is no such target, file or folder. */
#define IMAGE_NO_TARGET 1
/** A newer publication was loaded. */
#define IMAGE_CHANGED 2

struct image;

/** Opens the folder @repository; a repository in which nothing was published yet is an empty one. */
int image_open(const char *repository, struct image **out, struct err *err);
void image_free(struct image *image);

/** Loads the newest publication if it is not the loaded one. 0, IMAGE_CHANGED or -errno; on failure the old one
 * stays. */
int image_refresh(struct image *image, struct err *err);

/** The number of the loaded publication, 0 for none; and of the oldest that is still open. */
int64_t image_number(const struct image *image);
int64_t image_oldest(const struct image *image);

/** All targets, ordered by package, then time, then version. Not all of them are to be shown: see
 * target_is_shown(). */
const struct target *image_targets(const struct image *image, size_t *count);

/** The documents of the loaded publication that offer targets, targets.json first; a delegation that is listed
 * twice is there twice. */
const struct target_role *image_roles(const struct image *image, size_t *count);

/** Finds @package @version among those that are shown. 0 or IMAGE_NO_TARGET. */
int image_find(const struct image *image, const char *package, const char *version, const struct target **out);

/** Calls @each for every document of the loaded publication, "targets" first, then each delegation after one
 * that delegates it, as often as it is delegated. A result that is not 0 ends it and is returned. */
typedef int (*image_document_fn)(const char *name, const json_t *file, void *context);
int image_each_document(const struct image *image, image_document_fn each, void *context);

/** The target of that file name, shown or not, or NULL. */
const struct target *image_target(const struct image *image, const char *file);

/** Whether a target's file name starts with @folder and a slash. */
bool image_has_folder(const struct image *image, const char *folder);

/** Calls @each for what stands directly below @folder ("" or with a slash at its end) among the file names of
 * binary targets. */
typedef int (*image_name_fn)(const char *name, bool is_folder, void *context);
int image_list(const struct image *image, const char *folder, image_name_fn each, void *context);

/** Shows or hides the target of that file name until the next publication is loaded. */
void image_hide(struct image *image, const char *file, bool is_hidden);

/** The publication to read for who wants @set: it, or the loaded one when it is not open or not on disk any
 * more. */
int64_t image_set(const struct image *image, int64_t set);

/** Opens file @name of publication @set, which may lie in delegations/; -ENOENT. The caller closes the
 * descriptor. */
int image_file(const struct image *image, int64_t set, const char *name, struct err *err);

/** Reads file @name of the loaded publication, a root, snapshot or the like; the caller frees @text. -ENOENT.
 */
int image_read_file(const struct image *image, const char *name, char **text, size_t *bytes, struct err *err);

/** Opens the bytes of a binary target, by its sha256; -ENOENT. The caller closes the descriptor. */
int image_binary(const struct image *image, const char *sha256, struct err *err);

/** From now on links lead to @path, where the repository is to be seen as well. -ENOMEM */
int image_set_shelf(struct image *image, const char *path, struct err *err);

/** Where @name is, from the root of the filesystem on: for links, which other programs follow. 0, or
 * -ENAMETOOLONG. */
int image_path(const struct image *image, const char *name, char *out, size_t room, struct err *err);

/** The same of the bytes of a binary target, of which there have to be some; -ENOENT. */
int image_binary_path(const struct image *image, const char *sha256, char *out, size_t room, struct err *err);

/** Whether its path still leads to the repository that was opened; not when its disk is away. */
bool image_is_in_place(const struct image *image);

/** Whether the OSTree repository has that commit. */
bool image_has_commit(const struct image *image, const char *sha256);

/** Reads report/@name, which ota-watcher writes; the caller frees @text. -ENOENT. */
int image_report(const struct image *image, const char *name, char **text, size_t *bytes, struct err *err);

/** A descriptor of repository/ostree, borrowed. */
int image_ostree(const struct image *image);

#endif
