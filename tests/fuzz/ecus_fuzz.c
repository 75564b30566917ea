/* What a device hands in as its ecus. */
#include "tests/fuzz/body.h"

#include "otafs/enroll.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	body_fuzz(data, bytes, enroll_commit);
	return 0;
}
