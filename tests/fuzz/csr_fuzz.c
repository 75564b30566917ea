/* What devices and administrators hand in as certification requests. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "otafs/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct err err = { 0 };
	struct csr csr;
	int r = csr_read((const char *)data, bytes, &csr, &err);

	if (r == 0) {
		assert(!csr.name[0] || name_check_device(csr.name, &err) == 0);
		assert(!strncmp(csr.public_pem, "-----BEGIN PUBLIC KEY-----\n", 27));
	} else {
		assert(r == -EBADMSG && err.text[0] && !csr.public_pem);
	}
	free(csr.public_pem);
	return 0;
}
