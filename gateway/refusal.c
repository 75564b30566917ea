#include "gateway/refusal.h"

#include <errno.h>

int
refuse(struct refusal *refusal, const char *status, const char *code)
{
	refusal->status = status;
	refusal->code = code;
	return -1;
}

int
refuse_with(struct refusal *refusal, const char *status, const char *code, const char *text)
{
	err_set(&refusal->err, EINVAL, "%s", text);
	return refuse(refusal, status, code);
}
