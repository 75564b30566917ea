/* A certificate that somebody asked for, or the answer that he gets instead. */
#include "otafs/issue.h"

#include <errno.h>

int
issue_or_refuse(struct core *core, const char *name, const char *public_pem, int64_t days, struct issued *out,
    struct reply *reply, struct err *err)
{
	int r = issue(core, name, public_pem, days, out, err);

	if (r != ISSUE_NO_CA && r != -EINVAL)
		return r;
	if (r == ISSUE_NO_CA)
		reply_refuse(reply, 503, "no_issuing_ca", err->text);
	else
		reply_refuse(reply, 400, "bad_request", err->text);
	return 1;
}
