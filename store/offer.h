/**
 * What is offered: the "targets" object of the image repository's targets.json, its form, and what enters and
 * leaves it.  (aktualizr-wire 2.5 to 2.8, 6.2)
 */
#ifndef STORE_OFFER_H
#define STORE_OFFER_H

#include <stdbool.h>

#include "store/release.h"

/** It was there already. */
#define OFFER_SAME 2

/** A builder's own members of custom, as canonical JSON; every device reads them at every change. */
#define OFFER_CUSTOM_MAX 4096
/** It goes into a Location header. */
#define OFFER_URI_MAX 1000
/** How deep they may nest. */
#define OFFER_CUSTOM_DEPTH 8

/**
 * Adds @release to the "targets" object @targets. The hardware ids of one that is there with the same content
 * are joined, its comment, uri and custom members are brought up to date. Returns 0; OFFER_SAME; DROP_BAD when
 * the file name stands for other content or a member may not be; or -ENOMEM.
 */
int offer_add(json_t *targets, const struct release *release, const char *now, struct err *err);

/** DROP_BAD unless @name can be the file name of a target, see name_check_target(). */
int offer_check_name(const char *name, struct err *err);

/** DROP_BAD unless @uri is an address of http:// or https://, printable ASCII of at most OFFER_URI_MAX bytes.
 */
int offer_check_uri(const char *uri, struct err *err);

/** DROP_BAD unless @custom is an object of own members: no reserved name, ASCII, no reals, bounded. */
int offer_check_custom(const json_t *custom, struct err *err);

/** Whether all text in @json is printable ASCII: what signers write beyond it differs from what clients hash.
 */
bool offer_is_ascii(const json_t *json);

/**
 * Checks the form of each target in @signed_part that others signed, and that none of @present (a "targets"
 * object) is there with other content. @is_whole: name, version and targetFormat are needed too. Returns 0 or
 * DROP_BAD.
 */
int offer_check_list(
    const json_t *signed_part, const json_t *present, bool is_whole, const char *what, struct err *err);

/**
 * Takes out of @targets what is beyond the @keep newest versions of its package for every one of its hardware
 * ids, and appends the file names to @retired. What @needed (see needed.h) names stays.
 */
int offer_expire(json_t *targets, int64_t keep, const json_t *needed, json_t *retired, struct err *err);

#endif
