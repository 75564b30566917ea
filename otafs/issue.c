#include "otafs/issue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sign/x509.h"

static int
read_issued(const char *chain, size_t bytes, struct issued *out, struct err *err)
{
	AUTO(x509_chain_done) struct x509_chain list = { .count = 0 };
	int r = x509_chain_read(chain, bytes, &list, err);

	if (r < 0)
		return err_context(err, r, "answer of ota-signd");
	out->expires_at = x509_end(list.list[0]);
	return x509_serial(list.list[0], out->serial, sizeof(out->serial), err);
}

int
issue(struct core *core, const char *name, const char *public_pem, int64_t days, struct issued *out,
    struct err *err)
{
	AUTO(free_p) char *chain = NULL;
	size_t bytes;
	int r;

	if (days > core->config->certificate_days)
		days = core->config->certificate_days;
	r = client_issue(core->issuer, name, public_pem, days, &chain, &bytes, err);
	if (r == CLIENT_NO_ISSUER)
		return ISSUE_NO_CA;
	if (r < 0 || (r = read_issued(chain, bytes, out, err)) < 0)
		return r;
	out->bytes = bytes;
	out->chain = MOVE(chain);
	return 0;
}

int
issue_authorities(struct core *core, char **pem, size_t *bytes, struct err *err)
{
	int r = client_issuer(core->issuer, pem, bytes, err);

	return r == CLIENT_NO_ISSUER ? ISSUE_NO_CA : r;
}
