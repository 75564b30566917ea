/** jansson with bounds and with words. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** No document here is half as deep; lshw nests a dozen. What is deep costs stack, and memory when it is
 * indented. */
#define JSON_DEPTH_MAX 64
/** A value takes some 150 bytes of memory: a text has at most so many, and one more for so many bytes. What
 * programs write has more than 10 bytes for each. */
#define JSON_VALUES_MIN 16384
#define JSON_VALUE_BYTES 8

static inline void
json_decref_p(json_t **json)
{
	json_decref(*json);
}

/**
 * Parses @bytes of @text as one JSON value, nested at most JSON_DEPTH_MAX deep. Members that occur twice and
 * strings with a 0 byte are refused.
 *
 * @what: named in the reason.
 * @out:  set on success; the caller releases it with json_decref().
 *
 * Returns 0 or -EBADMSG.
 */
int json_read(const char *text, size_t bytes, const char *what, json_t **out, struct err *err);

/** The same for what has to be taken as it comes: of members that occur twice the last one counts, strings may
 * hold a 0 byte. */
int json_read_loosely(const char *text, size_t bytes, const char *what, json_t **out, struct err *err);

/** The string member @name of @object, borrowed; NULL if it is missing or no string. */
const char *json_text(const json_t *object, const char *name);

/** Like json_text(); -EBADMSG naming @what and the member when it is missing, no string or empty. */
int json_need_text(const json_t *object, const char *name, const char *what, const char **out, struct err *err);

/** Reads the integer member @name; -EBADMSG when it is missing, no integer, or not within 0..@max. */
int json_need_integer(
    const json_t *object, const char *name, const char *what, int64_t max, int64_t *out, struct err *err);

/** json_dumps() that gives a whole text or none: when jansson has no memory while it writes a member's name, it
 * goes on without the name. The caller frees it. NULL: no memory. */
char *json_write_as(const json_t *json, size_t flags);

/** Compact text with sorted members, for storing and serving; the caller frees it. NULL: no memory. */
char *json_write(const json_t *json);

#endif
