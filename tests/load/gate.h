/** A web server's part before ota-gate: one SCGI request for each connection, without TLS and HTTP. */
#ifndef TESTS_LOAD_GATE_H
#define TESTS_LOAD_GATE_H

#include <stddef.h>
#include <sys/types.h>

struct gate_request {
	const char *method, *uri;
	const char *name, *serial; /**< of the certificate that the web server has verified */
	const char *body;
	size_t bytes;
};

/** Sends @request to the socket @path, and reads the answer, of which @room bytes are kept: how many came, or
 * -1 with errno. */
ssize_t gate_send(const char *path, const struct gate_request *request, char *answer, size_t room);

#endif
