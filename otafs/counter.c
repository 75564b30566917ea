#include "otafs/counter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

int
counter_print(struct core *core, const struct device *device, FILE *out, struct err *err)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	size_t count;
	int r = state_ecus(core->state, device->id, &ecus, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (ecus[i].report_counter >= 0)
			fprintf(out, "%s %lld\n", ecus[i].serial, (long long)ecus[i].report_counter);
		else
			fprintf(out, "%s -\n", ecus[i].serial);
	return r;
}

int
counter_write(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err)
{
	char words[128];
	int r;

	if (strcmp(text, "reset") != 0 && strcmp(text, "reset\n") != 0)
		return err_set(
		    err, EINVAL, "\"%.*s\" is no command: \"reset\" is", (int)strcspn(text, "\n"), text);
	snprintf(words, sizeof(words), "counters reset by %s", who);
	if ((r = state_begin(core->state, err)) < 0)
		return r;
	if ((r = state_counters_reset(core->state, device->id, err)) == 0)
		r = core_tell(core, device->id, who, "reset", words, err);
	return state_end(core->state, r, err);
}
