#include "otafs/enlist.h"

#include <errno.h>
#include <stdlib.h>

#include "otafs/admit.h"
#include "otafs/csr.h"
#include "otafs/est.h"
#include "otafs/issue.h"

struct enlistment {
	struct csr csr;
	char has[NAME_SERIAL_MAX + 1]; /* admit_check() */
	struct issued issued;
};

void
enlist_finish(void *work)
{
	struct enlistment *enlistment = work;

	if (!enlistment)
		return;
	free(enlistment->csr.public_pem);
	free(enlistment->issued.chain);
	free(enlistment);
}

/* The refusal is set: 1. */
static int
refuse(struct reply *reply, int status, const char *code, const char *description)
{
	reply_refuse(reply, status, code, description);
	return 1;
}

static int
prepare(struct core *core, const char *token, const char *body, size_t bytes, struct enlistment *enlistment,
    struct reply *reply, struct err *err)
{
	int r;

	if (csr_read(body, bytes, &enlistment->csr, err) < 0)
		return refuse(reply, 400, "bad_request", err->text);
	if (!enlistment->csr.name[0])
		return refuse(reply, 400, "wrong_subject", "the request has no subject, and so no device id");
	r = admit_check(core, token, enlistment->csr.name, enlistment->has, reply, err);
	if (r != 0)
		return r;
	return issue_or_refuse(core, enlistment->csr.name, enlistment->csr.public_pem,
	    core->config->certificate_days, &enlistment->issued, reply, err);
}

int
enlist_prepare(struct core *core, const char *token, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err)
{
	struct enlistment *enlistment = calloc(1, sizeof(*enlistment));
	int r = enlistment ? prepare(core, token, body, bytes, enlistment, reply, err)
			   : err_set(err, ENOMEM, "no memory for a certificate");

	if (r == 0)
		*work = enlistment;
	else
		enlist_finish(enlistment);
	return r;
}

int
enlist_take(struct core *core, const char *token, void *work, struct reply *reply, struct err *err)
{
	const struct enlistment *enlistment = work;
	const struct issued *issued = &enlistment->issued;
	int r = admit(core, token, enlistment->csr.name, enlistment->has, issued, reply, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return est_reply(issued->chain, issued->bytes, reply, err);
}
