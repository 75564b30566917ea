#include "otafs/csr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/openssl.h"

/* ---- the forms */

static X509_REQ *
read_der(const unsigned char *data, size_t bytes)
{
	const unsigned char *at = data;
	AUTO(request_free_p) X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)bytes);

	return req && at == data + bytes ? MOVE(req) : NULL;
}

static X509_REQ *
read_pem(const char *text, size_t bytes)
{
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(text, (int)bytes);

	return bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
}

/* Copies @text without white space. */
static size_t
squeeze(const char *text, size_t bytes, unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		if (!strchr(" \t\r\n", text[i]))
			out[n++] = (unsigned char)text[i];
	return n;
}

/* RFC 7030, 4.2.1: base64, in lines or not. */
static X509_REQ *
read_base64(const char *text, size_t bytes)
{
	AUTO(free_p) unsigned char *squeezed = malloc(bytes + 1);
	AUTO(free_p) unsigned char *data = malloc(bytes + 1);
	size_t n = squeezed ? squeeze(text, bytes, squeezed) : 0;
	int got = data && n && n % 4 == 0 ? EVP_DecodeBlock(data, squeezed, (int)n) : -1;

	/* What was padded counts as zeros. */
	for (size_t i = n; got > 0 && i > n - 2 && squeezed[i - 1] == '='; i--)
		got--;
	return got > 0 ? read_der(data, (size_t)got) : NULL;
}

/* DER starts with 0x30, a sequence, and so its base64 with M. */
static X509_REQ *
read_request(const char *text, size_t bytes)
{
	if (bytes == 0 || bytes > CSR_BYTES_MAX)
		return NULL;
	if (text[0] == 0x30)
		return read_der((const unsigned char *)text, bytes);
	return memmem(text, bytes, "-----BEGIN ", 11) ? read_pem(text, bytes) : read_base64(text, bytes);
}

/* ---- what is in it */

static int
copy_name(const ASN1_STRING *value, char out[static NAME_DEVICE_MAX + 1], struct err *err)
{
	int n = ASN1_STRING_length(value), type = ASN1_STRING_type(value);

	if (type != V_ASN1_UTF8STRING && type != V_ASN1_PRINTABLESTRING && type != V_ASN1_IA5STRING)
		return err_set(err, EBADMSG, "request: the common name is no UTF-8 or printable string");
	if (n < 1 || n > NAME_DEVICE_MAX)
		return err_set(err, EBADMSG, "request: the common name has %d bytes, 1 to %d are allowed", n,
		    NAME_DEVICE_MAX);
	memcpy(out, ASN1_STRING_get0_data(value), (size_t)n);
	out[n] = '\0';
	if (strlen(out) != (size_t)n)
		return err_set(err, EBADMSG, "request: the common name has a 0 byte in it");
	return name_check_device(out, err) < 0 ? err_context(err, -EBADMSG, "request") : 0;
}

static int
read_subject(const X509_REQ *req, char out[static NAME_DEVICE_MAX + 1], struct err *err)
{
	const X509_NAME *subject = X509_REQ_get_subject_name(req);
	const X509_NAME_ENTRY *entry;

	out[0] = '\0';
	if (X509_NAME_entry_count(subject) == 0)
		return 0;
	entry = X509_NAME_get_entry(subject, 0);
	if (X509_NAME_entry_count(subject) != 1 ||
	    OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_commonName)
		return err_set(err, EBADMSG, "request: the subject is not one common name and nothing else");
	return copy_name(X509_NAME_ENTRY_get_data(entry), out, err);
}

/* A curve that is written out could be any, and costs what its author likes. */
static bool
is_curve_taken(const EVP_PKEY *key)
{
	char curve[32] = "";
	int is_explicit = 1;

	EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
	EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL);
	return !is_explicit && (!strcmp(curve, "prime256v1") || !strcmp(curve, "secp384r1"));
}

static bool
is_key_taken(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return is_curve_taken(key);
	case EVP_PKEY_RSA:
		return bits >= 2048 && bits <= 4096;
	case EVP_PKEY_ED25519:
		return true;
	}
	return false;
}

static int
write_key(EVP_PKEY *key, char **out, struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	const char *data = NULL;
	long n = 0;

	if (bio && PEM_write_bio_PUBKEY(bio, key))
		n = BIO_get_mem_data(bio, &data);
	*out = n > 0 ? strndup(data, (size_t)n) : NULL;
	return *out ? 0 : err_set(err, ENOMEM, "request: no memory for its key");
}

static int
read_key(X509_REQ *req, char **out, struct err *err)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);

	if (!key || !is_key_taken(key))
		return err_set(err, EBADMSG,
		    "request: the key is none of EC P-256 or P-384, RSA of 2048 to 4096 bits, Ed25519");
	if (X509_REQ_verify(req, key) != 1)
		return err_set(err, EBADMSG,
		    "request: RFC 2986, 4.2: it is not signed by the private key of the key in it");
	return write_key(key, out, err);
}

int
csr_read(const char *text, size_t bytes, struct csr *out, struct err *err)
{
	AUTO(request_free_p) X509_REQ *req = read_request(text, bytes);
	int r;

	*out = (struct csr){ .public_pem = NULL };
	if (!req)
		r = err_set(err, EBADMSG, "request: no PKCS #10 of at most %d bytes, as PEM, base64 or DER",
		    CSR_BYTES_MAX);
	else if ((r = read_subject(req, out->name, err)) == 0)
		r = read_key(req, &out->public_pem, err);
	ERR_clear_error();
	return r;
}
