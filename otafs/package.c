#include "otafs/package.h"

#include <errno.h>
#include <string.h>

#include "lib/utc.h"
#include "otafs/text.h"

const char *const package_files[] = { "comment", "created", "devices", "format", "hardware-ids", "hash",
	"length", "target", NULL };

static int
print_hardware(const struct target *target, FILE *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(target->hardware, i, one) fprintf(out, "%s\n", json_string_value(one));
	return 0;
}

int
package_print(struct core *core, const struct target *target, const char *file, FILE *out, struct err *err)
{
	char created[UTC_TEXT_SIZE];

	if (!strcmp(file, "devices"))
		return state_users(core->state, target->file, text_line, out, err);
	if (!strcmp(file, "hardware-ids"))
		return print_hardware(target, out);
	if (!strcmp(file, "length"))
		return fprintf(out, "%lld\n", (long long)target->length) < 0;
	if (!strcmp(file, "hash"))
		return text_line(target->sha256, out);
	if (!strcmp(file, "format"))
		return text_line(target->format, out);
	if (!strcmp(file, "target"))
		return text_line(target->file, out);
	if (!strcmp(file, "comment"))
		return target->comment ? text_line(target->comment, out) : 0;
	if (!strcmp(file, "created")) {
		utc_format(target->created_at, created);
		return text_line(created, out);
	}
	return err_set(err, ENOENT, "no such file");
}
