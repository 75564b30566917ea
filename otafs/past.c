#include "otafs/past.h"

#include <string.h>

#include "lib/utc.h"
#include "otafs/text.h"

static void
print_line(const struct installation *i, FILE *out)
{
	char finished[UTC_TEXT_SIZE], assigned[UTC_TEXT_SIZE], took[TEXT_DURATION_SIZE],
	    read[TEXT_DURATION_SIZE];

	utc_format(i->finished_at, finished);
	utc_format(i->assigned_at, assigned);
	text_duration(i->in_flight_at - i->assigned_at, read);
	text_duration(i->finished_at - i->assigned_at, took);
	fprintf(out, "%s %s %s on ECU %s, assigned %s, ", finished, i->result, i->target, i->ecu, assigned);
	if (i->in_flight_at)
		fprintf(out, "read after %s, finished after %s", read, took);
	else
		fprintf(out, "not read, finished after %s", took);
	fprintf(out, ", %s%s%s%s%s\n", i->correlation, i->code[0] ? ": " : "", i->code, i->text[0] ? ": " : "",
	    i->text);
}

struct printing {
	const char *ecu; /* NULL: all */
	const char *before;
	FILE *out;
};

static int
print_one(const struct installation *installation, void *context)
{
	const struct printing *printing = context;

	if (printing->ecu && strcmp(printing->ecu, installation->ecu) != 0)
		return 0;
	fputs(printing->before, printing->out);
	print_line(installation, printing->out);
	return 0;
}

int
past_print_ecu(struct core *core, const struct device *device, const char *ecu, const char *before, FILE *out,
    struct err *err)
{
	struct printing printing = { ecu, before, out };

	return state_installations(core->state, device->id, print_one, &printing, err);
}

int
past_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	return past_print_ecu(core, device, NULL, "", out, err);
}
