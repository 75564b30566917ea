/** The client's certificate, as a web server passes it on. */
#ifndef GATEWAY_PEM_H
#define GATEWAY_PEM_H

#include "lib/scgi.h"

/** A device's certificate as text has some 800 bytes, with an RSA key 2000. */
#define PEM_BYTES_MAX (8 * 1024)

/**
 * The text of SSL_CLIENT_CERT (Apache, lighttpd), or of SSL_CLIENT_ESCAPED_CERT with its %XX decoded (nginx,
 * whose head could not carry line ends). The caller frees it. NULL: there is none, it is longer than
 * PEM_BYTES_MAX, its %XX make no sense, or there is no memory. Nobody has looked whether it is a certificate.
 */
char *pem_of(const struct scgi *scgi);

#endif
