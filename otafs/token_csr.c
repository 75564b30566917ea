/* The certificate of an enrolment token. */
#include "otafs/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/csr.h"
#include "otafs/issue.h"

void
token_finish(void *work)
{
	struct issued *issued = work;

	if (!issued)
		return;
	free(issued->chain);
	free(issued);
}

/* 0 and @public_pem, or the refusal is set: 1. */
static int
read_request(const char *name, const char *body, size_t bytes, char **public_pem, struct reply *reply)
{
	struct csr csr = { 0 };
	struct err err;

	if (csr_read(body, bytes, &csr, &err) < 0) {
		reply_refuse(reply, 400, "bad_request", err.text);
		return 1;
	}
	if (csr.name[0] && strcmp(csr.name, name) != 0) {
		err_set(&err, EINVAL, "the request is for \"%s\", the token is %s", csr.name, name);
		reply_refuse(reply, 400, "wrong_subject", err.text);
		free(csr.public_pem);
		return 1;
	}
	*public_pem = csr.public_pem;
	return 0;
}

int
token_prepare(struct core *core, const char *name, const char *body, size_t bytes, void **work,
    struct reply *reply, struct err *err)
{
	AUTO(free_p) char *public_pem = NULL;
	struct issued *issued;
	int r;

	if (read_request(name, body, bytes, &public_pem, reply))
		return 1;
	if (!(issued = calloc(1, sizeof(*issued))))
		return err_set(err, ENOMEM, "no memory for a certificate");
	r = issue_or_refuse(core, name, public_pem, core->config->certificate_days, issued, reply, err);
	if (r == 0)
		*work = issued;
	else
		token_finish(issued);
	return r;
}

int
token_take(
    struct core *core, const char *name, void *work, const char *who, struct reply *reply, struct err *err)
{
	struct issued *issued = work;
	struct token token;
	char text[256];
	int r;

	if ((r = token_find(core, name, &token, err)) < 0)
		return r;
	snprintf(text, sizeof(text), "enrolment token %s given certificate %s by %s%s%s", name, issued->serial,
	    who, token.serial[0] ? ", in place of " : "", token.serial);
	snprintf(token.serial, sizeof(token.serial), "%s", issued->serial);
	if ((r = state_token_put(core->state, &token, err)) != 0 ||
	    (r = core_tell(core, "", who, "token_certified", text, err)) < 0)
		return r;
	reply->status = 200;
	reply->type = "application/pem-certificate-chain";
	reply->body_bytes = issued->bytes;
	reply->body = MOVE(issued->chain);
	return 0;
}
