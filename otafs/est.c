#include "otafs/est.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "lib/digest.h"
#include "lib/log.h"
#include "lib/openssl.h"
#include "otafs/issue.h"

/** Of a chain; an issuing CA has at most three above it. */
#define CERTIFICATES_MOST 8

/* The CAs as they are served. */
struct est {
	char *text;
	size_t bytes;
	int64_t tag;
};

static void
pkcs7_free_p(PKCS7 **pkcs7)
{
	PKCS7_free(*pkcs7);
}

/* Signed by nobody, with nothing in it but certificates. */
static PKCS7 *
make_empty(void)
{
	AUTO(pkcs7_free_p) PKCS7 *pkcs7 = PKCS7_new();

	if (!pkcs7 || !PKCS7_set_type(pkcs7, NID_pkcs7_signed) || !PKCS7_content_new(pkcs7, NID_pkcs7_data) ||
	    !PKCS7_set_detached(pkcs7, 1))
		return NULL;
	return MOVE(pkcs7);
}

/* How many were added; -1: no memory. */
static int
add_certificates(PKCS7 *pkcs7, BIO *in, int most)
{
	int count = 0;

	while (count < most) {
		X509 *x509 = PEM_read_bio_X509(in, NULL, NULL, NULL);
		int is_added = x509 && PKCS7_add_certificate(pkcs7, x509);

		X509_free(x509);
		if (!x509)
			break;
		if (!is_added)
			return -1;
		count++;
	}
	return count;
}

static int
write_base64(PKCS7 *pkcs7, char **out, size_t *bytes)
{
	AUTO(bio_free_p) BIO *lines = BIO_new(BIO_f_base64());
	BIO *memory = BIO_new(BIO_s_mem());
	const char *data;

	if (!lines || !memory) {
		BIO_free(memory);
		return -ENOMEM;
	}
	BIO_push(lines, memory);
	if (i2d_PKCS7_bio(lines, pkcs7) != 1 || BIO_flush(lines) != 1)
		return -ENOMEM;
	*bytes = (size_t)BIO_get_mem_data(memory, &data);
	*out = strndup(data, *bytes);
	return *out ? 0 : -ENOMEM;
}

int
est_certificates(const char *chain, size_t chain_bytes, int most, char **out, size_t *bytes, struct err *err)
{
	AUTO(bio_free_p) BIO *in = BIO_new_mem_buf(chain, (int)chain_bytes);
	AUTO(pkcs7_free_p) PKCS7 *pkcs7 = make_empty();
	int count = in && pkcs7 ? add_certificates(pkcs7, in, most) : -1;

	ERR_clear_error();
	if (count == 0)
		return err_set(err, EBADMSG, "no certificate to answer with");
	if (count < 0 || write_base64(pkcs7, out, bytes) < 0)
		return err_set(err, ENOMEM, "no memory for certificates");
	return 0;
}

int
est_reply(const char *chain, size_t bytes, struct reply *reply, struct err *err)
{
	int r = est_certificates(chain, bytes, 1, &reply->body, &reply->body_bytes, err);

	if (r < 0)
		return r;
	reply->status = 200;
	reply->type = EST_TYPE;
	return 0;
}

/* ---- the CAs */

void
est_free(struct est *est)
{
	if (!est)
		return;
	free(est->text);
	free(est);
}

static void
est_free_p(struct est **est)
{
	est_free(*est);
}

/* 0 and @out, which is NULL when nothing is issued. */
static int
ask(struct core *core, struct est **out, struct err *err)
{
	AUTO(est_free_p) struct est *est = calloc(1, sizeof(*est));
	AUTO(free_p) char *chain = NULL;
	char hex[DIGEST_HEX_SIZE];
	size_t bytes;
	int r = est ? issue_authorities(core, &chain, &bytes, err) : err_set(err, ENOMEM, "no memory for CAs");

	*out = NULL;
	if (r)
		return r < 0 ? r : 0;
	if ((r = est_certificates(chain, bytes, CERTIFICATES_MOST, &est->text, &est->bytes, err)) < 0)
		return r;
	digest_sha256_hex(est->text, est->bytes, hex);
	/* It becomes a time of change as well, which is to be a possible one. */
	hex[7] = '\0';
	est->tag = (int64_t)strtoll(hex, NULL, 16);
	*out = MOVE(est);
	return 0;
}

void
est_look(struct core *core)
{
	struct est *est, *was;
	struct err err = { 0 };

	if (ask(core, &est, &err) < 0) {
		if (err.code != EAGAIN)
			log_line(LOG_WARNING, "issuing CA not read reason=\"%s\"", err.text);
		return;
	}
	core_lock(core);
	was = core->est;
	core->est = est;
	core_unlock(core);
	est_free(was);
}

int
est_exists(const struct core *core, struct err *err)
{
	return core->est ? 0 : err_set(err, ENOENT, "there is no issuing CA");
}

int
est_print(const struct core *core, FILE *out, struct err *err)
{
	int r = est_exists(core, err);

	if (r == 0)
		fwrite(core->est->text, 1, core->est->bytes, out);
	return r;
}

int64_t
est_tag(const struct core *core)
{
	return core->est ? core->est->tag : 0;
}
