#include "otafs/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 409, "Conflict" }, { 413, "Content Too Large" },
		{ 429, "Too Many Requests" }, { 503, "Service Unavailable" } };

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

void
reply_done(struct reply *reply)
{
	if (reply->body)
		explicit_bzero(reply->body, reply->body_bytes);
	free(reply->body);
	reply->body = NULL;
	reply->body_bytes = 0;
}

/* What is answered without a body of its own. */
static char *
make_words(const struct reply *reply)
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

static int
join(const char *head, const char *body, size_t body_bytes, char **out, size_t *bytes)
{
	size_t head_bytes = strlen(head);
	char *text = malloc(head_bytes + body_bytes + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, head, head_bytes);
	memcpy(text + head_bytes, body, body_bytes);
	text[head_bytes + body_bytes] = '\0';
	*out = text;
	*bytes = head_bytes + body_bytes;
	return 0;
}

int
reply_write(const struct reply *reply, char **out, size_t *bytes, struct err *err)
{
	bool has_body = reply->body && !reply->code;
	AUTO(free_p) char *words = has_body ? NULL : make_words(reply);
	char head[256];

	snprintf(head, sizeof(head), "Status: %d %s\r\nContent-Type: %s\r\n%s\r\n", reply->status,
	    phrase(reply->status), has_body && reply->type ? reply->type : "application/json",
	    reply->status == 503 ? "Retry-After: 10\r\n" : "");
	if ((!has_body && !words) || join(head, has_body ? reply->body : words,
					 has_body ? reply->body_bytes : strlen(words), out, bytes) < 0)
		return err_set(err, ENOMEM, "no memory for an answer");
	return 0;
}
