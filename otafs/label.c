#include "otafs/label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/text.h"

static int
store_name(struct core *core, const char *device, const char *name, const char *who, struct err *err)
{
	char text[STATE_DEVICE_NAME_MAX * 4 + 128], shown[STATE_DEVICE_NAME_MAX * 4 + 1];
	int r;

	name_printable(name, shown, sizeof(shown));
	if (*name)
		snprintf(text, sizeof(text), "named \"%s\" by %s", shown, who);
	else
		snprintf(text, sizeof(text), "name removed by %s", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_device_name(core->state, device, name, utc_now(), err)) == 0)
		r = core_tell(core, device, who, "named", text, err);
	return state_end(core->state, r, err);
}

int
label_write_name(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err)
{
	char name[LABEL_NAME_BYTES_MAX + 1];
	int r;

	snprintf(name, sizeof(name), "%s", text + strspn(text, TEXT_BLANKS));
	text_trim(name);
	if ((r = text_check(name, STATE_DEVICE_NAME_MAX, "", "the name", err)) < 0)
		return r;
	return strcmp(name, device->name) ? store_name(core, device->id, name, who, err) : 0;
}

int
label_print_name(const struct device *device, FILE *out)
{
	if (device->name[0])
		fprintf(out, "%s\n", device->name);
	return 0;
}

static int
store_notes(struct core *core, const char *device, const char *notes, const char *who, struct err *err)
{
	char text[128];
	int r;

	snprintf(text, sizeof(text), "notes %s by %s", *notes ? "written" : "removed", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_device_set_notes(core->state, device, notes, utc_now(), err)) == 0)
		r = core_tell(core, device, who, "noted", text, err);
	return state_end(core->state, r, err);
}

int
label_write_notes(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err)
{
	AUTO(free_p) char *was = NULL;
	const char *notes = text[strspn(text, TEXT_BLANKS)] ? text : "";
	int r;

	if ((r = text_check(notes, STATE_DEVICE_NOTES_MAX, "\t\r\n", "the notes", err)) < 0 ||
	    (r = state_device_notes(core->state, device->id, &was, err)) < 0)
		return r;
	return was && !strcmp(was, notes) ? 0 : store_notes(core, device->id, notes, who, err);
}

int
label_print_notes(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) char *notes = NULL;
	int r = state_device_notes(core->state, device->id, &notes, err);

	if (r == 0 && *notes)
		fprintf(out, "%s%s", notes, notes[strlen(notes) - 1] == '\n' ? "" : "\n");
	return r < 0 ? r : 0;
}
