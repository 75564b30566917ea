#include "otafs/past.h"

#include "lib/utc.h"
#include "otafs/text.h"

void
past_print_one(const struct installation *i, FILE *out)
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

static int
print_one(const struct installation *installation, void *out)
{
	past_print_one(installation, out);
	return 0;
}

int
past_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	return state_installations(core->state, device->id, print_one, out, err);
}
