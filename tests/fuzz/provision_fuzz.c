/* What a device hands in to POST /devices. */
#include "tests/fuzz/body.h"

#include <errno.h>

#include "otafs/issue.h"
#include "otafs/provision.h"
#include "otafs/token.h"

/* In place of the signer's: nothing is issued, so nothing is packed. */
int
issue(struct core *core, const char *name, const char *public_pem, int64_t days, struct issued *out,
    struct err *err)
{
	(void)core, (void)out;
	assert(name_check_device(name, err) == 0 && days > 0 && days <= 7300 && *public_pem);
	err_set(err, ENOENT, "none");
	return ISSUE_NO_CA;
}

int
issue_authorities(struct core *core, char **pem, size_t *bytes, struct err *err)
{
	(void)core, (void)pem, (void)bytes;
	return err_set(err, ENOSYS, "none");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct config config = { .certificate_days = 7300 };
	struct core *core = body_core();
	AUTO(free_p) char *body = malloc(bytes + 1);
	struct reply reply = { 0 };
	void *work = NULL;
	struct err err = { 0 };
	int r;

	core->config = &config;
	memcpy(body, data, bytes);
	body[bytes] = '\0';
	r = token_add(core, "fleet", "fuzz", &err);
	assert(r == 0 || r == -EEXIST);
	assert(provision_prepare(core, "fleet", body, bytes, &work, &reply, &err) == 1);
	assert(!work && reply.status >= 400 && reply.code && *reply.description);
	return 0;
}
