/* What a fleet's CA may bring in, and EST's form of certificates. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/device.h"
#include "otafs/est.h"
#include "otafs/introduce.h"
#include "state/blocked.h"
#include "tests/unit/fixture.h"

#define DAY 86400

/* A CA, whose file is the fleet's. */
static EVP_PKEY *ca_key;
static X509 *ca;

struct wish {
	const char *name;
	int name_bytes; /* 0: up to its end */
	const char *serial;
	int from, until; /* days from now; both 0: valid now */
	const char *extension;
	int nid;
};

static X509 *
blank(const struct wish *wish, EVP_PKEY *key)
{
	X509 *x509 = X509_new();
	BIGNUM *number = NULL;
	time_t now = utc_now();

	X509_set_version(x509, 2);
	BN_hex2bn(&number, wish->serial);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	BN_free(number);
	X509_time_adj_ex(X509_getm_notBefore(x509), wish->from ? wish->from : -1, 0, &now);
	X509_time_adj_ex(X509_getm_notAfter(x509), wish->until ? wish->until : 30, 0, &now);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", V_ASN1_UTF8STRING,
	    (const unsigned char *)wish->name, wish->name_bytes ? wish->name_bytes : -1, -1, 0);
	X509_set_pubkey(x509, key);
	return x509;
}

static void
extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
}

static char *
pem_of(X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long n;

	PEM_write_bio_X509(bio, x509);
	n = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)n);
	BIO_free(bio);
	return text;
}

/* A certificate of the CA as PEM, to be freed. */
static char *
make(const struct wish *wish)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = blank(wish, key);
	char *text;

	X509_set_issuer_name(x509, X509_get_subject_name(ca));
	if (wish->extension)
		extend(x509, wish->nid, wish->extension);
	assert_true(X509_sign(x509, ca_key, EVP_sha256()) > 0);
	text = pem_of(x509);
	X509_free(x509);
	EVP_PKEY_free(key);
	return text;
}

static int
setup(void **state)
{
	const struct wish wish = { .name = "the fleet", .serial = "01", .until = 400 };
	struct fixture *f;
	AUTO(free_p) char *text = NULL;
	FILE *file;
	int r = fixture_setup(state);

	f = *state;
	ca_key = EVP_EC_gen("P-256");
	ca = blank(&wish, ca_key);
	X509_set_issuer_name(ca, X509_get_subject_name(ca));
	extend(ca, NID_basic_constraints, "critical,CA:TRUE");
	X509_sign(ca, ca_key, EVP_sha256());
	snprintf(f->config.fleet_ca, sizeof(f->config.fleet_ca), "%s/fleet.pem", f->path);
	file = fopen(f->config.fleet_ca, "w");
	text = pem_of(ca);
	fputs(text, file);
	fclose(file);
	return r;
}

static int
teardown(void **state)
{
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	return fixture_teardown(state);
}

/* The status, with @reply. */
static int
show(struct fixture *f, const char *text, struct reply *reply)
{
	struct err err = { 0 };
	void *work = NULL;
	int r;

	*reply = (struct reply){ 0 };
	r = introduce_prepare(&f->core, text, strlen(text), &work, reply, &err);
	if (r == 0)
		r = introduce_take(&f->core, work, reply, &err);
	introduce_finish(work);
	if (r < 0)
		fail_msg("%s", err.text);
	return reply->status;
}

static void
refuses(struct fixture *f, const struct wish *wish, const char *code, const char *words)
{
	AUTO(free_p) char *text = make(wish);
	struct reply reply;

	assert_int_equal(show(f, text, &reply), 403);
	assert_string_equal(reply.code, code);
	if (!strstr(reply.description, words))
		fail_msg("\"%s\" is not in \"%s\"", words, reply.description);
}

static void
lets_a_device_of_the_fleet_in(void **state)
{
	struct fixture *f = *state;
	const struct wish wish = { .name = "a+b:c", .serial = "0FFC52" };
	AUTO(free_p) char *text = make(&wish);
	struct certificate_row row;
	struct device device;
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(show(f, text, &reply), 204);
	assert_int_equal(show(f, text, &reply), 204);
	assert_int_equal(state_device(f->core.state, "a+b:c", &device, &err), 0);
	assert_int_equal(state_certificate_row(f->core.state, "a+b:c", "0FFC52", &row, &err), 0);
	assert_string_equal(row.source, "fleet CN=the fleet");
	assert_true(row.expires_at > utc_now() + 29 * DAY);
}

static void
writes_serial_numbers_as_tls_servers_do(void **state)
{
	struct fixture *f = *state;
	const struct wish odd = { .name = "one", .serial = "A01" };
	const struct wish large = { .name = "two", .serial = "7F00000000000000000000000000000000000001" };
	AUTO(free_p) char *one = make(&odd);
	AUTO(free_p) char *two = make(&large);
	struct certificate_row row;
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(show(f, one, &reply), 204);
	assert_int_equal(state_certificate_row(f->core.state, "one", "0A01", &row, &err), 0);
	assert_int_equal(show(f, two, &reply), 204);
	assert_int_equal(state_certificate_row(f->core.state, "two", large.serial, &row, &err), 0);
}

static void
refuses_what_a_tls_server_should_have_refused(void **state)
{
	static const struct wish expired = { .name = "x", .serial = "05", .from = -9, .until = -1 };
	static const struct wish early = { .name = "x", .serial = "05", .from = 2 };
	static const struct wish server = {
		.name = "x", .serial = "05", .extension = "serverAuth", .nid = NID_ext_key_usage
	};
	static const struct wish authority = {
		.name = "x", .serial = "05", .extension = "CA:TRUE", .nid = NID_basic_constraints
	};
	struct fixture *f = *state;

	refuses(f, &expired, "unknown_device",
	    "no device x with certificate 05; of no CA in fleet_ca: certificate has expired");
	refuses(f, &early, "unknown_device", "of no CA in fleet_ca: certificate is not yet valid");
	refuses(f, &server, "unknown_device", "of no CA in fleet_ca: unsuitable certificate purpose");
	refuses(f, &authority, "certificate_not_accepted", "the certificate is a CA's");
}

static void
refuses_names_and_numbers_that_are_none(void **state)
{
	static const struct wish zero = { .name = "car\0x", .name_bytes = 5, .serial = "05" };
	static const struct wish slash = { .name = "a/b", .serial = "05" };
	static const struct wish longer = { .name = "c",
		.serial = "7F000000000000000000000000000000000000FFFF" };
	static const struct wish dotted = { .name = ".introduce", .serial = "05" };
	static const struct wish negative = { .name = "c", .serial = "-05" };
	struct fixture *f = *state;
	const char *code = "certificate_not_accepted";

	refuses(f, &zero, code, "common name is no device id");
	refuses(f, &slash, code, "device id \"a/b\"");
	refuses(f, &longer, code, "more than 20 octets");
	refuses(f, &negative, code, "serial");
	refuses(f, &dotted, code, "device id \".introduce\"");
}

static void
does_not_take_over_a_device_that_came_another_way(void **state)
{
	static const struct wish wish = { .name = "car7", .serial = "05" };
	struct fixture *f = *state;
	AUTO(free_p) char *text = make(&wish);
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(device_certificate_add(&f->core, &f->device, "4F", "test", &err), 0);
	refuses(f, &wish, "device_has_other_certificates", "an administrator may accept 05");
	assert_int_equal(device_certificate_remove(&f->core, &f->device, "4F", "test", &err), 0);
	assert_int_equal(show(f, text, &reply), 204);
}

static void
brings_back_neither_what_was_revoked_nor_who_is_blocked(void **state)
{
	static const struct wish wish = { .name = "car8", .serial = "05" };
	static const struct wish other = { .name = "car8", .serial = "06" };
	struct fixture *f = *state;
	AUTO(free_p) char *text = make(&wish);
	struct device device;
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(show(f, text, &reply), 204);
	assert_int_equal(state_device(f->core.state, "car8", &device, &err), 0);
	assert_int_equal(device_certificate_remove(&f->core, &device, "05", "test", &err), 0);
	refuses(f, &wish, "certificate_revoked", "car8: certificate 05 was revoked");
	assert_int_equal(state_blocked_add(f->core.state, "car8", "test", 1, &err), 0);
	refuses(f, &other, "device_blocked", "car8: is blocked");
}

static void
says_when_there_are_no_fleets(void **state)
{
	static const struct wish wish = { .name = "car8", .serial = "05" };
	struct fixture *f = *state;

	strcpy(f->config.fleet_ca, "-");
	refuses(f, &wish, "unknown_device", "no device car8 with certificate 05");
}

static void
a_file_of_cas_that_cannot_be_read_decides_nothing(void **state)
{
	static const struct wish wish = { .name = "car8", .serial = "05" };
	struct fixture *f = *state;
	AUTO(free_p) char *text = make(&wish);
	struct reply reply = { 0 };
	struct err err = { 0 };
	void *work = NULL;
	FILE *file;

	file = fopen(f->config.fleet_ca, "w");
	fputs("no certificate\n", file);
	fclose(file);
	assert_int_equal(introduce_prepare(&f->core, text, strlen(text), &work, &reply, &err), -EBADMSG);
	assert_reason(err, "fleet.pem: has no certificate");
	unlink(f->config.fleet_ca);
	assert_int_equal(introduce_prepare(&f->core, text, strlen(text), &work, &reply, &err), -ENOENT);
	assert_null(work);
}

/* -- EST -- */

static int
count_in(const char *text, size_t bytes)
{
	BIO *memory = BIO_new_mem_buf(text, (int)bytes), *lines = BIO_new(BIO_f_base64());
	PKCS7 *pkcs7 = d2i_PKCS7_bio(BIO_push(lines, memory), NULL);
	int count = pkcs7 ? sk_X509_num(pkcs7->d.sign->cert) : -1;

	PKCS7_free(pkcs7);
	BIO_free_all(lines);
	return count;
}

static void
answers_with_as_many_certificates_as_are_asked_for(void **state)
{
	static const struct wish wish = { .name = "car8", .serial = "05" };
	AUTO(free_p) char *leaf = make(&wish);
	AUTO(free_p) char *above = pem_of(ca);
	AUTO(free_p) char *chain = NULL;
	struct reply reply = { 0 };
	struct err err = { 0 };
	size_t bytes;
	char *all;

	(void)state;
	assert_true(asprintf(&chain, "%s%s", leaf, above) > 0);
	assert_int_equal(est_reply(chain, strlen(chain), &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_int_equal(count_in(reply.body, reply.body_bytes), 1);
	reply_done(&reply);
	assert_int_equal(est_certificates(chain, strlen(chain), 8, &all, &bytes, &err), 0);
	assert_int_equal(count_in(all, bytes), 2);
	free(all);
	assert_int_equal(est_certificates("none", 4, 8, &all, &bytes, &err), -EBADMSG);
	assert_reason(err, "no certificate to answer with");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lets_a_device_of_the_fleet_in),
		TEST(writes_serial_numbers_as_tls_servers_do),
		TEST(refuses_what_a_tls_server_should_have_refused),
		TEST(refuses_names_and_numbers_that_are_none),
		TEST(does_not_take_over_a_device_that_came_another_way),
		TEST(brings_back_neither_what_was_revoked_nor_who_is_blocked),
		TEST(says_when_there_are_no_fleets),
		TEST(a_file_of_cas_that_cannot_be_read_decides_nothing),
		TEST(answers_with_as_many_certificates_as_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
