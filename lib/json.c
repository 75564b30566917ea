#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How deep arrays and objects lie in one another, and how many values there are at most, without looking
 * whether they are well formed. */
static size_t
depth_of(const char *text, size_t bytes, size_t *values)
{
	size_t depth = 0, deepest = 0;
	int is_text = 0;

	*values = 1;
	for (size_t i = 0; i < bytes; i++) {
		*values += !is_text && (text[i] == ',' || text[i] == '[' || text[i] == '{');
		if (is_text && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			is_text = !is_text;
		else if (!is_text && (text[i] == '[' || text[i] == '{') && ++depth > deepest)
			deepest = depth;
		else if (!is_text && (text[i] == ']' || text[i] == '}') && depth)
			depth--;
	}
	return deepest;
}

static int
parse(const char *text, size_t bytes, size_t flags, const char *what, json_t **out, struct err *err)
{
	json_error_t error;
	size_t values;

	*out = NULL;
	if (depth_of(text, bytes, &values) > JSON_DEPTH_MAX)
		return err_set(
		    err, EBADMSG, "%s: not JSON that is taken: nested deeper than %d", what, JSON_DEPTH_MAX);
	if (values > JSON_VALUES_MIN + bytes / JSON_VALUE_BYTES)
		return err_set(err, EBADMSG, "%s: not JSON that is taken: has %zu values in %zu bytes", what,
		    values, bytes);
	*out = json_loadb(text, bytes, flags, &error);
	if (!*out)
		return err_set(err, EBADMSG, "%s: not JSON: %s (line %d, column %d)", what, error.text,
		    error.line, error.column);
	return 0;
}

int
json_read(const char *text, size_t bytes, const char *what, json_t **out, struct err *err)
{
	return parse(text, bytes, JSON_REJECT_DUPLICATES, what, out, err);
}

int
json_read_loosely(const char *text, size_t bytes, const char *what, json_t **out, struct err *err)
{
	return parse(text, bytes, JSON_ALLOW_NUL, what, out, err);
}

const char *
json_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int
json_need_text(const json_t *object, const char *name, const char *what, const char **out, struct err *err)
{
	*out = json_text(object, name);
	if (!*out || !**out)
		return err_set(err, EBADMSG, "%s: member \"%s\" is missing or no text", what, name);
	return 0;
}

int
json_need_integer(
    const json_t *object, const char *name, const char *what, int64_t max, int64_t *out, struct err *err)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_integer(member))
		return err_set(err, EBADMSG, "%s: member \"%s\" is missing or no integer", what, name);
	*out = json_integer_value(member);
	if (*out < 0 || *out > max)
		return err_set(err, EBADMSG, "%s: member \"%s\" is %lld, allowed is 0 to %lld", what, name,
		    (long long)*out, (long long)max);
	return 0;
}

/* A text that grows. */
struct growing {
	char *data;
	size_t bytes, room;
	int is_short; /* of memory */
};

static int
append(const char *piece, size_t bytes, void *context)
{
	struct growing *text = context;

	if (text->is_short)
		return -1;
	if (text->bytes + bytes >= text->room) {
		size_t room = 2 * text->room > text->bytes + bytes ? 2 * text->room : text->bytes + bytes + 256;
		char *data = realloc(text->data, room);

		if (!data) {
			text->is_short = 1;
			return -1;
		}
		text->data = data;
		text->room = room;
	}
	memcpy(text->data + text->bytes, piece, bytes);
	text->bytes += bytes;
	text->data[text->bytes] = '\0';
	return 0;
}

char *
json_write_as(const json_t *json, size_t flags)
{
	struct growing text = { 0 };

	if (json_dump_callback(json, append, &text, flags) == 0 && !text.is_short)
		return text.data;
	free(text.data);
	return NULL;
}

char *
json_write(const json_t *json)
{
	return json_write_as(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}
