/* What a device hands in as its manifest; and what it may have signed, as if it had. */
#include "tests/fuzz/body.h"

#include <errno.h>

#include "otafs/manifest.h"
#include "otafs/settle.h"
#include "otafs/standing.h"
#include "state/reads.h"

/* An update is open that the device has read of, so that there is something to report on. */
static void
open_update(struct core *core)
{
	static const struct assignment open = { .ecu = "ecu-primary-0001",
		.hardware = "raspberrypi4",
		.target = "app-1.0",
		.sha256 = "a100000000000000000000000000000000000000000000000000000000000000",
		.format = "OSTREE",
		.correlation = "urn:here-ota:mtu:1",
		.created_at = 1 };
	static bool is_open;
	struct err err;
	int64_t at;

	if (is_open)
		return;
	assert(state_assignment_add(core->state, "car7", &open, &err) == 0);
	assert(state_read(core->state, "car7", INT64_MAX, 2, &err) == 0);
	assert(state_read_store(core->state, "car7", &at, &err) == 0);
	is_open = true;
}

/* Is taken over whole, and taken back, so that the next one meets the same. */
static void
settle_fuzz(struct core *core, const struct told *told)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	struct device device = { 0 };
	struct settling s = { .core = core, .device = &device, .told = told, .now = 3 };
	struct err err = { 0 };

	assert(state_begin(core->state, &err) == 0);
	assert(state_device(core->state, "car7", &device, &err) == 0);
	assert(state_ecus(core->state, "car7", &ecus, &s.ecu_count, &err) == 0);
	assert(state_assignments(core->state, "car7", &open, &s.open_count, &err) == 0);
	s.ecus = ecus;
	s.open = open;
	assert(settle(&s, &err) == 0);
	assert(standing_update(core, "car7", &err) == 0);
	assert(state_end(core->state, -ECANCELED, &err) == -ECANCELED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	AUTO(told_freep) struct told *told = NULL;
	struct err err = { 0 };

	body_fuzz(data, bytes, manifest_commit);
	open_update(body_core());
	if (told_read((const char *)data, bytes, &told, &err) == 0 && told_parse(told, &err) == 0)
		settle_fuzz(body_core(), told);
	else
		assert(err.text[0]);
	return 0;
}
