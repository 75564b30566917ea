#include "otafs/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/name.h"
#include "lib/uuid.h"

static const char *
phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = { { 200, "OK" }, { 201, "Created" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 403, "Forbidden" }, { 409, "Conflict" }, { 413, "Content Too Large" },
		{ 503, "Service Unavailable" } };

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Internal Server Error";
}

int
reply_refuse(struct reply *reply, int status, const char *code, const char *description)
{
	reply->status = status;
	reply->code = code;
	/* A reason that was cut may end within a character, which JSON does not take. */
	name_printable(description, reply->description, sizeof(reply->description));
	return 0;
}

static char *
make_body(const struct reply *reply)
{
	AUTO(json_decref_p) json_t *json = NULL;
	char id[UUID_SIZE];

	if (!reply->code)
		return strdup(reply->status == 204 ? "" : "{}");
	uuid_make(id);
	json = json_pack("{s:s,s:s+,s:n,s:s}", "code", reply->code, "description", reply->description, "",
	    "cause", "errorId", id);
	return json ? json_write(json) : NULL;
}

int
reply_write(const struct reply *reply, char **out, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *body = make_body(reply);
	int n = -1;

	if (body)
		n = asprintf(out, "Status: %d %s\r\nContent-Type: application/json\r\n%s\r\n%s", reply->status,
		    phrase(reply->status), reply->status == 503 ? "Retry-After: 10\r\n" : "", body);
	if (n < 0)
		return err_set(err, ENOMEM, "no memory for an answer");
	*bytes = (size_t)n;
	return 0;
}
