/** Scope cleanup, as lib/cleanup.h has it, of what several files take from libcrypto. */
#ifndef LIB_OPENSSL_H
#define LIB_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/cleanup.h"

static inline void
bio_free_p(BIO **bio)
{
	BIO_free(*bio);
}

static inline void
evp_free_p(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static inline void
x509_free_p(X509 **x509)
{
	X509_free(*x509);
}

static inline void
request_free_p(X509_REQ **request)
{
	X509_REQ_free(*request);
}

static inline void
crl_free_p(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}

#endif
