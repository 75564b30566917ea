#include "otafs/renewal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/credential.h"
#include "otafs/csr.h"
#include "otafs/est.h"
#include "otafs/issue.h"

struct renewing {
	struct issued issued;
	char pending[NAME_SERIAL_MAX + 1]; /* what the device had asked for before, and not used */
};

static bool
is_own(const struct renewal *renewal)
{
	return !strcmp(renewal->source, CREDENTIAL_RENEWAL);
}

static int
refuse(struct reply *reply, int status, const char *code, const char *description)
{
	reply_refuse(reply, status, code, description);
	return 1;
}

/* ---- the request */

/* An administrator may leave the name out; a device has to name itself, as its certificate does. */
static int
check_name(const struct renewal *renewal, const struct csr *csr, struct reply *reply)
{
	struct err why;

	if (!strcmp(csr->name, renewal->device) || (!csr->name[0] && !is_own(renewal)))
		return 0;
	err_set(
	    &why, EINVAL, "%s: the request is for %s", renewal->device, csr->name[0] ? csr->name : "nobody");
	return refuse(reply, 400, "wrong_subject", why.text);
}

static int
count_one(const char *serial, void *context)
{
	(void)serial;
	++*(int *)context;
	return 0;
}

static int
find_pending(const struct renewal *renewal, char out[static NAME_SERIAL_MAX + 1], struct err *err)
{
	return credential_pending(renewal->core, renewal->device, renewal->source, renewal->serial, out, err);
}

static int
check_others(const struct renewal *renewal, char pending[static NAME_SERIAL_MAX + 1], struct reply *reply,
    struct err *err)
{
	int count = 0, r;
	struct err why;

	if (!is_own(renewal))
		return 0;
	core_lock(renewal->core);
	r = state_certificates(renewal->core->state, renewal->device, count_one, &count, err);
	if (r == 0)
		r = find_pending(renewal, pending, err);
	core_unlock(renewal->core);
	if (r < 0 || count < RENEWAL_CERTIFICATES_MAX)
		return r;
	err_set(&why, EEXIST, "%s: has %d certificates; old ones go %lld days after a newer one was used",
	    renewal->device, count, (long long)renewal->core->config->certificate_overlap_days);
	return refuse(reply, 409, "too_many_certificates", why.text);
}

int
renewal_prepare(const struct renewal *renewal, const char *body, size_t bytes, void **work, struct reply *reply,
    struct err *err)
{
	AUTO(free_p) struct renewing *renewing = calloc(1, sizeof(*renewing));
	struct csr csr;
	int r;

	if (!renewing)
		return err_set(err, ENOMEM, "no memory for a certificate");
	if (csr_read(body, bytes, &csr, err) < 0)
		return refuse(reply, 400, "bad_request", err->text);
	if ((r = check_name(renewal, &csr, reply)) == 0 &&
	    (r = check_others(renewal, renewing->pending, reply, err)) == 0)
		r = issue_or_refuse(renewal->core, renewal->device, csr.public_pem,
		    renewal->core->config->certificate_days, &renewing->issued, reply, err);
	free(csr.public_pem);
	if (r == 0)
		*work = MOVE(renewing);
	return r;
}

void
renewal_finish(void *work)
{
	struct renewing *renewing = work;

	if (!renewing)
		return;
	free(renewing->issued.chain);
	free(renewing);
}

/* ---- the certificate */

static int
accept_it(const struct renewal *renewal, const struct issued *issued, struct err *err)
{
	const struct credential credential = { .device = renewal->device,
		.serial = issued->serial,
		.expires_at = issued->expires_at,
		.source = renewal->source };
	char done[STATE_WHO_MAX + 32];
	int r = 0;

	snprintf(done, sizeof(done), "made for a request of %s", is_own(renewal) ? "the device" : renewal->who);
	if (is_own(renewal))
		r = credential_drop_pending(renewal->core, renewal->device, renewal->source, err);
	return r < 0 ? r : credential_add(renewal->core, &credential, done, renewal->who, err);
}

static int
answer(const struct renewal *renewal, const struct issued *issued, struct reply *reply, struct err *err)
{
	if (is_own(renewal))
		return est_reply(issued->chain, issued->bytes, reply, err);
	reply->body = strndup(issued->chain, issued->bytes);
	if (!reply->body)
		return err_set(err, ENOMEM, "no memory for an answer");
	reply->status = 200;
	reply->type = "application/pem-certificate-chain";
	reply->body_bytes = issued->bytes;
	return 0;
}

/* 1: another request of the device has been answered since this one was begun with. */
static int
check_overtaken(
    const struct renewal *renewal, const struct renewing *renewing, struct reply *reply, struct err *err)
{
	char pending[NAME_SERIAL_MAX + 1];
	int r = is_own(renewal) ? find_pending(renewal, pending, err) : 0;

	if (r < 0 || !is_own(renewal) || !strcmp(pending, renewing->pending))
		return r;
	return refuse(reply, 503, "overtaken", "another request of the device was answered meanwhile");
}

int
renewal_take(const struct renewal *renewal, const void *work, struct reply *reply, struct err *err)
{
	const struct renewing *renewing = work;
	int r = state_begin(renewal->core->state, err);

	if (r < 0)
		return r;
	if ((r = check_overtaken(renewal, renewing, reply, err)) == 0 &&
	    (r = accept_it(renewal, &renewing->issued, err)) == 0)
		r = answer(renewal, &renewing->issued, reply, err);
	return state_end(renewal->core->state, r < 0 ? r : 0, err);
}
