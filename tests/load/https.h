/**
 * A client that asks as devices do: HTTP/1.1 over TLS with a certificate of its own, no session that is taken
 * up again, TCP_NODELAY. Blocking; a connection is for one thread at a time.
 */
#ifndef TESTS_LOAD_HTTPS_H
#define TESTS_LOAD_HTTPS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "tests/load/issue.h"

/** Longest answer with its head. */
#define HTTPS_ANSWER_MAX (256 * 1024)
#define HTTPS_ETAG_SIZE 96
/** Whoever takes longer has failed. */
#define HTTPS_SECONDS 20

struct site;

/** The server at @port of this machine, as "localhost", with the CA server-ca.pem of the folder @pki. */
int site_open(const char *pki, int port, const struct issuer *issuer, struct site **out, struct err *err);
void site_free(struct site *site);

/** All 0: closed. */
struct connection {
	void *tls; /**< NULL: closed */
	char *data;
	size_t bytes; /**< what has come */
};

struct answer {
	int status;
	bool is_torn;               /**< the head told another length than what came, or nothing came */
	const char *body;           /**< until the next request */
	size_t bytes;               /**< of the body */
	char etag[HTTPS_ETAG_SIZE]; /**< "" when there is none */
	bool is_last;               /**< the server closes the connection */
};

/** Connects as @certificate, when it is closed. */
int connection_open(struct connection *connection, const struct site *site, X509 *certificate, struct err *err);
void connection_close(struct connection *connection);
/** Closes and frees. */
void connection_done(struct connection *connection);

/** Sends a whole request and reads the answer to it, then closes if the server does. Failures close as well;
 * -ECONNRESET: before a byte of the answer, as a server does that tires of a connection. */
int connection_ask(
    struct connection *connection, const char *request, size_t bytes, struct answer *out, struct err *err);

#endif
