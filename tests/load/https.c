#include "tests/load/https.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "lib/cleanup.h"

struct site {
	SSL_CTX *tls;
	EVP_PKEY *key; /* borrowed of the issuer */
	struct sockaddr_in address;
};

/* ---- the server */

void
site_free(struct site *site)
{
	if (!site)
		return;
	SSL_CTX_free(site->tls);
	free(site);
}

int
site_open(const char *pki, int port, const struct issuer *issuer, struct site **out, struct err *err)
{
	struct site *site = calloc(1, sizeof(*site));
	char ca[512];

	if (!site)
		return err_set(err, ENOMEM, "no memory for a site");
	snprintf(ca, sizeof(ca), "%s/server-ca.pem", pki);
	site->key = issuer_key(issuer);
	site->address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	site->tls = SSL_CTX_new(TLS_client_method());
	if (!site->tls || SSL_CTX_load_verify_locations(site->tls, ca, NULL) != 1) {
		site_free(site);
		return err_set(err, EINVAL, "%s: cannot be read", ca);
	}
	SSL_CTX_set_verify(site->tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(site->tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(site->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	*out = site;
	return 0;
}

/* ---- connections */

static int
reach(const struct site *site, struct err *err)
{
	const struct timeval patience = { .tv_sec = HTTPS_SECONDS };
	AUTO(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&site->address, sizeof(site->address)) < 0)
		return err_sys(err, "the server cannot be reached");
	return MOVE_FD(fd);
}

static bool
shake_hands(SSL *tls, int fd, EVP_PKEY *key, X509 *certificate)
{
	return SSL_use_certificate(tls, certificate) == 1 && SSL_use_PrivateKey(tls, key) == 1 &&
	       SSL_set1_host(tls, "localhost") == 1 && SSL_set_tlsext_host_name(tls, "localhost") == 1 &&
	       SSL_set_fd(tls, fd) == 1 && SSL_connect(tls) == 1;
}

int
connection_open(struct connection *connection, const struct site *site, X509 *certificate, struct err *err)
{
	SSL *tls;
	int fd;

	if (connection->tls)
		return 0;
	if (!connection->data && !(connection->data = malloc(HTTPS_ANSWER_MAX + 1)))
		return err_set(err, ENOMEM, "no memory for an answer");
	fd = reach(site, err);
	if (fd < 0)
		return fd;
	tls = SSL_new(site->tls);
	if (!tls || !shake_hands(tls, fd, site->key, certificate)) {
		SSL_free(tls);
		close(fd);
		return err_set(err, EPROTO, "no TLS with the server");
	}
	connection->tls = tls;
	return 0;
}

void
connection_close(struct connection *connection)
{
	if (!connection->tls)
		return;
	SSL_shutdown(connection->tls);
	close(SSL_get_fd(connection->tls));
	SSL_free(connection->tls);
	connection->tls = NULL;
}

void
connection_done(struct connection *connection)
{
	connection_close(connection);
	free(connection->data);
	connection->data = NULL;
}

/* ---- answers */

/* The value of header @name, up to the end of its line; NULL: there is none. */
static const char *
header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':')
			return line + 3 + n + strspn(line + 3 + n, " ");
	return NULL;
}

static bool
says(const char *value, const char *word)
{
	return value && !strncasecmp(value, word, strlen(word));
}

/* How long the body is that this head tells of; -1: as long as the connection. */
static long
length_of(const char *head, int status)
{
	const char *length = header(head, "Content-Length");

	if (status == 204 || status == 304)
		return 0;
	return length ? strtol(length, NULL, 10) : -1;
}

/* Reads more; 0: the end. */
static int
more(struct connection *connection)
{
	int n = SSL_read(
	    connection->tls, connection->data + connection->bytes, (int)(HTTPS_ANSWER_MAX - connection->bytes));

	if (n <= 0)
		return 0;
	connection->bytes += (size_t)n;
	connection->data[connection->bytes] = '\0';
	return n;
}

/* Takes the chunks of a whole body together; false: it is not whole yet. */
static bool
join_chunks(char *body, size_t bytes, size_t *joined)
{
	char *from = body, *to = body, *end = body + bytes;

	if (bytes < 5 || memcmp(end - 5, "0\r\n\r\n", 5) != 0)
		return false;
	for (;;) {
		size_t n = strtoul(from, &from, 16);

		from += 2;
		if (n == 0 || from + n > end)
			break;
		memmove(to, from, n);
		to += n;
		from += n + 2;
	}
	*joined = (size_t)(to - body);
	return true;
}

static void
read_body(struct connection *connection, char *body, struct answer *out)
{
	bool is_chunked = says(header(connection->data, "Transfer-Encoding"), "chunked");
	long length = length_of(connection->data, out->status);

	out->body = body;
	for (;;) {
		out->bytes = connection->bytes - (size_t)(body - connection->data);
		if (is_chunked ? join_chunks(body, out->bytes, &out->bytes)
			       : length >= 0 && out->bytes >= (size_t)length)
			break;
		if (more(connection) == 0) {
			out->is_torn = is_chunked || length >= 0;
			out->is_last = true;
			return;
		}
	}
	out->is_torn = !is_chunked && out->bytes > (size_t)length;
}

static void
read_head(const char *head, struct answer *out)
{
	const char *etag = header(head, "ETag");

	out->status = atoi(head + strcspn(head, " "));
	out->is_last = says(header(head, "Connection"), "close");
	if (etag)
		snprintf(out->etag, sizeof(out->etag), "%.*s", (int)strcspn(etag, "\r"), etag);
}

int
connection_ask(
    struct connection *connection, const char *request, size_t bytes, struct answer *out, struct err *err)
{
	char *end = NULL;
	int r = 0;

	*out = (struct answer){ .is_torn = true };
	connection->bytes = 0;
	connection->data[0] = '\0';
	if (SSL_write(connection->tls, request, (int)bytes) == (int)bytes)
		while (!(end = strstr(connection->data, "\r\n\r\n")) && more(connection) > 0)
			;
	if (end) {
		end[2] = '\0'; /* of the head */
		read_head(connection->data, out);
		out->is_torn = false;
		read_body(connection, end + 4, out);
	} else {
		r = connection->bytes ? err_set(err, EPROTO, "no whole head came")
				      : err_set(err, ECONNRESET, "no answer came");
	}
	if (r < 0 || out->is_last)
		connection_close(connection);
	return r;
}
