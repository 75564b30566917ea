/** What a transaction file answers, in CGI form: "Status: 400 Bad Request", header lines, an empty line, the
 * body. */
#ifndef OTAFS_REPLY_H
#define OTAFS_REPLY_H

#include <stddef.h>

#include "lib/err.h"

struct reply {
	int status;       /**< 200, 201, 204, 400, ... */
	const char *code; /**< machine-readable cause, a constant; NULL when it went well */
	char description[ERR_TEXT_MAX];
	const char *type; /**< of @body, a constant */
	char *body;       /**< what a good answer gives, of any bytes; NULL: "{}", and nothing with 204 */
	size_t body_bytes;
};

/** Wipes and frees the body, which may be a secret. */
void reply_done(struct reply *reply);

/** Sets a refusal; returns 0 so that "return reply_refuse(...)" reads as an answer and not as a failure. */
int reply_refuse(struct reply *reply, int status, const char *code, const char *description);

/**
 * Writes the whole answer to @out; the caller frees it. A refusal, whatever the body, carries the JSON that the
 * old servers sent:
 * {"code","description","cause":null,"errorId"}.  Returns 0 or -ENOMEM.
 */
int reply_write(const struct reply *reply, char **out, size_t *bytes, struct err *err);

#endif
