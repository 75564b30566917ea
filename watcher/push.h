/**
 * What a drop is to become: push.json where it says so, the drop's refs and commits where it does not.
 *
 *     {"name":"app","version":"2.1","hardwareIds":["qemux86-64"],"ref":"app","commit":"<64
 * hex>","comment":"..."}
 *
 * All members are optional. Signed documents are printable ASCII, so all text here has to be.
 */
#ifndef WATCHER_PUSH_H
#define WATCHER_PUSH_H

#include "store/release.h"
#include "store/source.h"
#include "store/walk.h"

/** What any push.json has: DROP_BAD when a member of @json is not in @known (" a b "), is no printable text,
 * ... */
int push_members(json_t *json, const char *known, struct err *err);
int push_text(const json_t *json, const char *member, const char **out, struct err *err);
int push_comment(const json_t *json, json_t **out, struct err *err);

/** Appends the hardware ids of list @from, each once, to @to; @where is named. 0, DROP_BAD, -ENOMEM. */
int push_hardware(const json_t *from, const char *where, json_t *to, struct err *err);

/** Reads what commit @checksum says, as walk_read_commit() does for a drop. */
typedef int push_read_commit(void *data, const char *checksum, struct commit_info *info, struct err *err);

/**
 * Decides the releases of a drop.
 *
 * @text:  push.json, or NULL if there is none.
 * @refs:  the drop's, @count of them.
 * @out:   to be released with releases_done() whatever is returned.
 *
 * Returns 0, DROP_BAD with words, or -errno, also of @read_commit.
 */
int push_plan(const char *text, size_t bytes, const struct source_ref *refs, size_t count,
    push_read_commit *read_commit, void *data, struct releases *out, struct err *err);

#endif
