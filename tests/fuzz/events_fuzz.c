/* What a device hands in as its events. */
#include "tests/fuzz/body.h"

#include "otafs/report.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	body_fuzz(data, bytes, report_events_commit);
	return 0;
}
