#include "otafs/bundle.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

struct bundle {
	EVP_PKEY *key;
};

static void
bundle_freep(struct bundle **bundle)
{
	bundle_free(*bundle);
}

static void
bio_freep(BIO **bio)
{
	BIO_free_all(*bio);
}

static void
x509_freep(X509 **certificate)
{
	X509_free(*certificate);
}

static void
authorities_freep(STACK_OF(X509) * *list)
{
	sk_X509_pop_free(*list, X509_free);
}

static void
pkcs12_freep(PKCS12 **archive)
{
	PKCS12_free(*archive);
}

void
bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	EVP_PKEY_free(bundle->key);
	free(bundle);
}

static char *
write_public(EVP_PKEY *key)
{
	AUTO(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long bytes;

	if (!bio || !PEM_write_bio_PUBKEY(bio, key) || (bytes = BIO_get_mem_data(bio, &text)) <= 0)
		return NULL;
	return strndup(text, (size_t)bytes);
}

int
bundle_new(struct bundle **out, char **public_pem, struct err *err)
{
	AUTO(bundle_freep) struct bundle *bundle = calloc(1, sizeof(*bundle));

	if (!bundle || !(bundle->key = EVP_EC_gen("P-256")) || !(*public_pem = write_public(bundle->key)))
		return err_set(err, ENOMEM, "no memory for a key");
	*out = MOVE(bundle);
	return 0;
}

/* The next certificate of @pem; NULL: there is no more. */
static X509 *
read_next(BIO *pem)
{
	X509 *certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL);

	ERR_clear_error();
	return certificate;
}

static X509 *
read_first(const char *text)
{
	AUTO(bio_freep) BIO *pem = BIO_new_mem_buf(text, -1);

	return pem ? read_next(pem) : NULL;
}

/* All of a PEM file; NULL: there are none. */
static STACK_OF(X509) * read_all(const char *text)
{
	AUTO(bio_freep) BIO *pem = BIO_new_mem_buf(text, -1);
	AUTO(authorities_freep) STACK_OF(X509) *list = sk_X509_new_null();
	X509 *next;

	if (!pem || !list)
		return NULL;
	while ((next = read_next(pem)))
		if (!sk_X509_push(list, next)) {
			X509_free(next);
			return NULL;
		}
	return sk_X509_num(list) > 0 ? MOVE(list) : NULL;
}

static int
write_der(PKCS12 *archive, char **out, size_t *bytes, struct err *err)
{
	unsigned char *der = NULL;
	int n = i2d_PKCS12(archive, &der);

	if (n < 0)
		return err_set(err, ENOMEM, "no memory for credentials");
	if ((size_t)n > BUNDLE_BYTES_MAX) {
		OPENSSL_clear_free(der, (size_t)n);
		return err_set(err, EFBIG,
		    "credentials have %d bytes, devices read %zu: server_ca has too many certificates", n,
		    BUNDLE_BYTES_MAX);
	}
	if ((*out = malloc((size_t)n))) {
		memcpy(*out, der, (size_t)n);
		*bytes = (size_t)n;
	}
	OPENSSL_clear_free(der, (size_t)n);
	return *out ? 0 : err_set(err, ENOMEM, "no memory for credentials");
}

int
bundle_write(const struct bundle *bundle, const char *chain, const char *authorities, char **out, size_t *bytes,
    struct err *err)
{
	AUTO(x509_freep) X509 *leaf = read_first(chain);
	AUTO(authorities_freep) STACK_OF(X509) *trusted = read_all(authorities);
	AUTO(pkcs12_freep) PKCS12 *archive = NULL;

	if (!leaf)
		return err_set(err, EBADMSG, "the signer's answer has no certificate");
	if (!trusted)
		return err_set(err, EBADMSG, "server_ca: there is no certificate in it");
	/* The algorithms are OpenSSL's own, which aktualizr is known to read. */
	archive = PKCS12_create("", "device", bundle->key, leaf, trusted, 0, 0, 0, 0, 0);
	if (!archive) {
		ERR_clear_error();
		return err_set(err, EBADMSG, "the certificate is not for the key");
	}
	return write_der(archive, out, bytes, err);
}
