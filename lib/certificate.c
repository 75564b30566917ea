#include "lib/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/file.h"
#include "lib/name.h"
#include "lib/openssl.h"

/* 9999-12-31T23:59:59Z, what RFC 5280, 4.1.2.5 has for "no end". */
#define NO_END INT64_C(253402300799)

/* A block as PEM_read_bio() gives it. */
struct block {
	char *name, *header;
	unsigned char *data;
	long bytes;
};

static void
block_free(struct block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	if (block->data)
		OPENSSL_clear_free(block->data, (size_t)block->bytes); /* it may be a key */
}

static void
copy_name(const X509_NAME *name, char out[static CERTIFICATE_NAME_SIZE])
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	char text[4 * CERTIFICATE_NAME_SIZE] = "";
	int n = 0;

	if (bio && name && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, text, (int)sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	name_printable(text, out, CERTIFICATE_NAME_SIZE);
}

/* No time at all means no end. */
static int
read_time(const ASN1_TIME *time, int64_t *out)
{
	struct tm tm;

	*out = NO_END;
	if (!time)
		return 0;
	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return -EBADMSG;
	*out = timegm(&tm);
	return 0;
}

static int
read_certificate(const struct block *block, struct certificate *out)
{
	const unsigned char *data = block->data;
	AUTO(x509_free_p) X509 *x509 = d2i_X509(NULL, &data, block->bytes);

	if (!x509)
		return -EBADMSG;
	copy_name(X509_get_subject_name(x509), out->name);
	copy_name(X509_get_issuer_name(x509), out->issuer);
	out->is_ca = X509_check_ca(x509) > 0;
	return read_time(X509_get0_notAfter(x509), &out->expires_at);
}

static int
read_list(const struct block *block, struct certificate *out)
{
	const unsigned char *data = block->data;
	AUTO(crl_free_p) X509_CRL *crl = d2i_X509_CRL(NULL, &data, block->bytes);

	if (!crl)
		return -EBADMSG;
	copy_name(X509_CRL_get_issuer(crl), out->name);
	strcpy(out->issuer, out->name);
	out->is_list = true;
	return read_time(X509_CRL_get0_nextUpdate(crl), &out->expires_at);
}

/* 1: a certificate or list, 0: something else. */
static int
read_block(const struct block *block, struct certificate *out)
{
	int r;

	*out = (struct certificate){ .expires_at = 0 };
	if (!strcmp(block->name, PEM_STRING_X509_CRL))
		r = read_list(block, out);
	else if (!strcmp(block->name, PEM_STRING_X509) || !strcmp(block->name, PEM_STRING_X509_OLD) ||
		 !strcmp(block->name, PEM_STRING_X509_TRUSTED))
		r = read_certificate(block, out);
	else
		return 0;
	return r < 0 ? r : 1;
}

/* 1: a block, 0: no more, -EBADMSG: a damaged one. */
static int
next_block(BIO *bio, struct block *block)
{
	unsigned long code;

	*block = (struct block){ 0 };
	if (PEM_read_bio(bio, &block->name, &block->header, &block->data, &block->bytes))
		return 1;
	code = ERR_peek_last_error();
	ERR_clear_error();
	*block = (struct block){ 0 };
	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE ? 0 : -EBADMSG;
}

static int
read_blocks(BIO *bio, const char *path, struct certificate *list, size_t *count, struct err *err)
{
	for (;;) {
		AUTO(block_free) struct block block;
		int r = next_block(bio, &block);

		if (r == 0)
			return 0;
		if (r > 0 && *count == CERTIFICATES_MAX)
			return err_set(err, EFBIG, "%s: has more than %d certificates", path, CERTIFICATES_MAX);
		if (r > 0)
			r = read_block(&block, &list[*count]);
		ERR_clear_error();
		if (r < 0)
			return err_set(err, EBADMSG, "%s: certificate %zu is damaged", path, *count + 1);
		*count += (size_t)r;
	}
}

int
certificates_parse(
    const char *what, const char *text, size_t bytes, struct certificate **out, size_t *count, struct err *err)
{
	AUTO(free_p) struct certificate *list = calloc(CERTIFICATES_MAX, sizeof(*list));
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(text, (int)bytes);
	int r;

	*count = 0;
	if (!list || !bio)
		return err_set(err, ENOMEM, "%s: no memory", what);
	if ((r = read_blocks(bio, what, list, count, err)) < 0)
		return r;
	if (*count == 0)
		return err_set(err, EBADMSG, "%s: has no certificate", what);
	*out = MOVE(list);
	return 0;
}

int
certificates_read(const char *path, struct certificate **out, size_t *count, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = file_read(AT_FDCWD, path, CERTIFICATE_FILE_MAX, &text, &bytes, err);

	*count = 0;
	return r < 0 ? r : certificates_parse(path, text, bytes, out, count, err);
}
