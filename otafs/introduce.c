#include "otafs/introduce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/certificate.h"
#include "lib/file.h"
#include "lib/openssl.h"
#include "otafs/credential.h"
#include "otafs/device.h"
#include "state/blocked.h"
#include "state/revoked.h"

#define WHO "fleet CA" /**< in the history */

/* What was verified of a certificate. */
struct shown {
	char device[NAME_DEVICE_MAX + 1];
	char serial[NAME_SERIAL_MAX + 1];
	char source[STATE_SOURCE_MAX];
	int64_t expires_at;
};

static void
store_free_p(X509_STORE **store)
{
	X509_STORE_free(*store);
}

static void
context_free_p(X509_STORE_CTX **context)
{
	X509_STORE_CTX_free(*context);
}

static int
refuse(struct reply *reply, int status, const char *code, const char *description)
{
	reply_refuse(reply, status, code, description);
	return 1;
}

/* ---- the fleet's CAs */

static int
add_all(X509_STORE *store, BIO *in)
{
	int count = 0;

	for (X509 *x509; (x509 = PEM_read_bio_X509(in, NULL, NULL, NULL)); count++) {
		int is_added = X509_STORE_add_cert(store, x509);

		X509_free(x509);
		if (!is_added)
			return -1;
	}
	return count;
}

static int
read_fleet(const char *path, X509_STORE **out, struct err *err)
{
	AUTO(store_free_p) X509_STORE *store = X509_STORE_new();
	AUTO(free_p) char *text = NULL;
	AUTO(bio_free_p) BIO *bio = NULL;
	size_t bytes;
	int r = file_read(AT_FDCWD, path, CERTIFICATE_FILE_MAX, &text, &bytes, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)bytes);
	if (!store || !bio)
		return err_set(err, ENOMEM, "%s: no memory", path);
	if (add_all(store, bio) <= 0)
		return err_set(err, EBADMSG, "%s: has no certificate", path);
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_set_purpose(store, X509_PURPOSE_SSL_CLIENT);
	*out = MOVE(store);
	return 0;
}

static int
verify(X509_STORE *store, X509 *x509, struct err *err)
{
	AUTO(context_free_p) X509_STORE_CTX *context = X509_STORE_CTX_new();

	if (!context || !X509_STORE_CTX_init(context, store, x509, NULL))
		return err_set(err, ENOMEM, "no memory for a certificate");
	if (X509_verify_cert(context) == 1)
		return 0;
	return err_set(err, EACCES, "of no CA in fleet_ca: %s",
	    X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
}

/* ---- what the certificate says */

static int
read_subject(X509 *x509, char out[static NAME_DEVICE_MAX + 1], struct err *err)
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, 0);
	const ASN1_STRING *value;
	int n;

	if (X509_NAME_entry_count(subject) != 1 ||
	    OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_commonName)
		return err_set(
		    err, EACCES, "the certificate's subject is not one common name and nothing else");
	value = X509_NAME_ENTRY_get_data(entry);
	n = ASN1_STRING_length(value);
	if (n > NAME_DEVICE_MAX || memchr(ASN1_STRING_get0_data(value), 0, (size_t)n))
		return err_set(err, EACCES, "the certificate's common name is no device id");
	memcpy(out, ASN1_STRING_get0_data(value), (size_t)n);
	out[n] = '\0';
	return name_check_device(out, err);
}

/* As TLS servers tell it. */
static int
read_serial(X509 *x509, char out[static NAME_SERIAL_MAX + 1], struct err *err)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	int n = hex ? snprintf(out, NAME_SERIAL_MAX + 1, "%s", hex) : -1;

	OPENSSL_free(hex);
	BN_free(number);
	if (n < 0)
		return err_set(err, ENOMEM, "no memory for a serial number");
	if (n > NAME_SERIAL_MAX)
		return err_set(err, EACCES, "the certificate's serial number has more than 20 octets");
	return name_check_serial(out, err);
}

static int
read_source(X509 *x509, char out[static STATE_SOURCE_MAX], struct err *err)
{
	AUTO(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	char text[4 * CERTIFICATE_NAME_SIZE] = "", issuer[CERTIFICATE_NAME_SIZE];

	if (!bio || X509_NAME_print_ex(bio, X509_get_issuer_name(x509), 0, XN_FLAG_RFC2253) < 0 ||
	    BIO_read(bio, text, (int)sizeof(text) - 1) < 0)
		return err_set(err, ENOMEM, "no memory for the name of a CA");
	name_printable(text, issuer, sizeof(issuer));
	snprintf(out, STATE_SOURCE_MAX, "%s%s", CREDENTIAL_FLEET, issuer);
	return 0;
}

static int
read_shown(X509 *x509, struct shown *out, struct err *err)
{
	struct tm tm;
	int r;

	if (X509_check_ca(x509))
		return err_set(err, EACCES, "the certificate is a CA's");
	if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) != 1)
		return err_set(err, EACCES, "the certificate has no end that can be read");
	out->expires_at = timegm(&tm);
	if ((r = read_subject(x509, out->device, err)) < 0 || (r = read_serial(x509, out->serial, err)) < 0)
		return r == -ENOMEM ? r : -EACCES;
	return read_source(x509, out->source, err);
}

/* Who is of no fleet is nobody: the words are those of ota-gate, with @why behind them. */
static int
refuse_stranger(const struct shown *shown, const char *why, struct reply *reply, struct err *err)
{
	err_set(err, EACCES, "no device %s with certificate %s%s", shown->device, shown->serial, why);
	return refuse(reply, 403, "unknown_device", err->text);
}

static int
check_fleet(const char *fleet_ca, X509 *x509, const struct shown *shown, struct reply *reply, struct err *err)
{
	AUTO(store_free_p) X509_STORE *store = NULL;
	char why[128];
	int r;

	if (!strcmp(fleet_ca, "-"))
		return refuse_stranger(shown, "", reply, err);
	if ((r = read_fleet(fleet_ca, &store, err)) < 0 || (r = verify(store, x509, err)) != -EACCES)
		return r;
	snprintf(why, sizeof(why), "; %.120s", err->text);
	return refuse_stranger(shown, why, reply, err);
}

static int
check(struct core *core, X509 *x509, struct shown *out, struct reply *reply, struct err *err)
{
	int r;

	if (!x509)
		return refuse(reply, 400, "bad_request", "no certificate in PEM");
	if ((r = read_shown(x509, out, err)) < 0)
		return r == -EACCES ? refuse(reply, 403, "certificate_not_accepted", err->text) : r;
	return check_fleet(core->config->fleet_ca, x509, out, reply, err);
}

int
introduce_prepare(
    struct core *core, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err)
{
	AUTO(free_p) struct shown *shown = calloc(1, sizeof(*shown));
	AUTO(bio_free_p) BIO *bio = BIO_new_mem_buf(body, (int)bytes);
	AUTO(x509_free_p) X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	int r;

	if (!shown || !bio)
		return err_set(err, ENOMEM, "no memory for a certificate");
	r = check(core, x509, shown, reply, err);
	ERR_clear_error();
	if (r == 0)
		*work = MOVE(shown);
	return r;
}

void
introduce_finish(void *work)
{
	free(work);
}

/* ---- letting in */

/* Looks for one that came another way. */
static int
is_other(const char *source, void *context)
{
	(void)context;
	return strncmp(source, CREDENTIAL_FLEET, strlen(CREDENTIAL_FLEET)) != 0;
}

static int
check_device(struct core *core, const struct shown *shown, struct reply *reply, struct err *err)
{
	int r = state_certificate_sources(core->state, shown->device, is_other, NULL, err);

	if (r <= 0)
		return r;
	err_set(err, EACCES,
	    "%s: has certificates that are not of a fleet's CA; an administrator may accept %s", shown->device,
	    shown->serial);
	return refuse(reply, 403, "device_has_other_certificates", err->text);
}

static int
check_permitted(struct core *core, const struct shown *shown, struct reply *reply, struct err *err)
{
	struct blocked blocked;
	int r = state_revoked(core->state, shown->device, shown->serial, err);

	if (r == 0) {
		err_set(err, EACCES, "%s: certificate %s was revoked", shown->device, shown->serial);
		return refuse(reply, 403, "certificate_revoked", err->text);
	}
	if (r < 0 || (r = state_blocked(core->state, shown->device, &blocked, err)) < 0)
		return r;
	if (r == STATE_NONE)
		return 0;
	err_set(err, EACCES, "%s: is blocked; an administrator may unblock it or make it", shown->device);
	return refuse(reply, 403, "device_blocked", err->text);
}

/* The device is there afterwards. */
static int
settle_device(struct core *core, const struct shown *shown, struct reply *reply, struct err *err)
{
	struct device device;
	int r = state_device(core->state, shown->device, &device, err);

	if (r == STATE_NONE)
		r = device_add(core, shown->device, WHO, err);
	else if (r == 0)
		r = check_device(core, shown, reply, err);
	return r == -EINVAL ? refuse(reply, 403, "certificate_not_accepted", err->text) : r;
}

static int
let_in(struct core *core, const struct shown *shown, struct reply *reply, struct err *err)
{
	const struct credential credential = { shown->device, shown->serial, shown->expires_at, shown->source };
	char done[STATE_SOURCE_MAX + 32];
	int r;

	if ((r = check_permitted(core, shown, reply, err)) || (r = settle_device(core, shown, reply, err)))
		return r;
	snprintf(done, sizeof(done), "accepted from %s", shown->source);
	return credential_add(core, &credential, done, WHO, err);
}

int
introduce_take(struct core *core, const void *work, struct reply *reply, struct err *err)
{
	const struct shown *shown = work;
	struct certificate_row row;
	int r = state_certificate_row(core->state, shown->device, shown->serial, &row, err);

	/* It may have shown itself twice at once. */
	if (r < 0 || (r == STATE_NONE && (r = let_in(core, shown, reply, err)) < 0))
		return r;
	if (r == 0)
		reply->status = 204;
	return 0;
}
