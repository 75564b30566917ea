#include "otafs/tag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/text.h"

int
tag_check_name(const char *name, struct err *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._+:-";
	size_t n = strlen(name), good = strspn(name, allowed);

	if (n == 0 || n > STATE_TAG_NAME_MAX)
		return err_set(err, EINVAL, "tag: the name has %zu characters, allowed are 1 to %d", n,
		    STATE_TAG_NAME_MAX);
	if (good < n)
		return err_set(err, EINVAL,
		    "tag: character %zu of the name is not allowed; letters, digits, spaces, and . _ + : - are",
		    good + 1);
	if (name[0] == ' ' || name[n - 1] == ' ')
		return err_set(err, EINVAL, "tag: the name begins or ends with a space");
	return 0;
}

int
tag_check_value(const char *value, struct err *err)
{
	return text_check(value, STATE_TAG_VALUE_MAX, "", "tag: the value", err);
}

static int
tell(struct core *core, const char *device, const char *name, const char *value, const char *who,
    struct err *err)
{
	char text[STATE_TAG_NAME_MAX + STATE_TAG_VALUE_MAX * 4 + 128], shown[STATE_TAG_VALUE_MAX * 4 + 1];

	name_printable(value, shown, sizeof(shown));
	if (*value)
		snprintf(text, sizeof(text), "tag %s set to \"%s\" by %s", name, shown, who);
	else
		snprintf(text, sizeof(text), "tag %s removed by %s", name, who);
	return core_tell(core, device, who, "tagged", text, err);
}

static int
put(struct core *core, const char *device, const char *name, const char *value, struct err *err)
{
	size_t count;
	int r;

	if (!*value)
		return state_tag_remove(core->state, device, name, err);
	if ((r = state_tag_put(core->state, device, name, value, err)) < 0 ||
	    (r = state_tag_count(core->state, device, &count, err)) < 0)
		return r;
	if (count > STATE_TAGS_MAX)
		return err_set(err, ENOSPC, "tag %s: a device has at most %d tags", name, STATE_TAGS_MAX);
	return 0;
}

int
tag_set(struct core *core, const char *device, const char *name, const char *value, const char *who,
    struct err *err)
{
	char was[STATE_TAG_VALUE_MAX + 1] = "";
	int r;

	if ((r = tag_check_name(name, err)) < 0 || (r = tag_check_value(value, err)) < 0 ||
	    (r = state_tag(core->state, device, name, was, err)) < 0)
		return r;
	/* There is no tag with the value "". */
	if (!strcmp(was, value))
		return 0;
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = put(core, device, name, value, err)) == 0)
		r = tell(core, device, name, value, who, err);
	r = state_end(core->state, r, err);
	return r < 0 ? r : 0;
}

static int
take_line(struct core *core, const char *device, char *line, const char *who, struct err *err)
{
	char *name = text_trim(line), *value = strchr(name, '=');

	if (!*name)
		return 0;
	if (!value)
		return err_set(
		    err, EINVAL, "\"%.64s\": expected \"NAME=VALUE\", or \"NAME=\" to remove a tag", name);
	*value++ = '\0';
	return tag_set(core, device, text_trim(name), text_trim(value), who, err);
}

int
tag_write(struct core *core, const struct device *device, const char *text, const char *who, struct err *err)
{
	AUTO(free_p) char *copy = strdup(text);
	char *rest = copy, *line;
	int r;

	if (!copy)
		return err_set(err, ENOMEM, "no memory for tags");
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	while (r == 0 && (line = strsep(&rest, "\n")))
		r = take_line(core, device->id, line, who, err);
	return state_end(core->state, r, err);
}

static int
print_one(const char *tag, const char *value, void *out)
{
	fprintf(out, "%s=%s\n", tag, value);
	return 0;
}

int
tag_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	return state_tags(core->state, device->id, print_one, out, err);
}
