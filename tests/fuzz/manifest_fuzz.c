/* What a device hands in as its manifest. */
#include "tests/fuzz/body.h"

#include "otafs/manifest.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	body_fuzz(data, bytes, manifest_commit);
	return 0;
}
