/* What PEM files say about their ends. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/certificate.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "tests/unit/fault.h"
#include "tests/unit/pki.h"

#define DAY 86400
#define NOW 1800000000

static char path[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/otafs-unit.XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void
write_text(const char *text)
{
	FILE *file = fopen(path, "a");

	fputs(text, file);
	fclose(file);
}

static int
read_file(struct certificate **list, size_t *count, struct err *err)
{
	*list = NULL;
	return certificates_read(path, list, count, err);
}

static void
reads_certificates_in_their_order(void **unused)
{
	AUTO(free_p) struct certificate *list = NULL;
	struct err err = { 0 };
	size_t count;
	int fds = fault_open_fds();

	(void)unused;
	pki_certificate(path, "ota.example.com", "the CA", NOW + DAY);
	write_text("words between them\n");
	pki_certificate(path, "the CA", "the CA", NOW + 20 * DAY);
	assert_int_equal(read_file(&list, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].name, "CN=ota.example.com");
	assert_string_equal(list[0].issuer, "CN=the CA");
	assert_int_equal(list[0].expires_at, NOW + DAY);
	assert_false(list[0].is_ca || list[0].is_list);
	assert_string_equal(list[1].name, "CN=the CA");
	assert_int_equal(list[1].expires_at, NOW + 20 * DAY);
	assert_true(list[1].is_ca);
	assert_int_equal(fault_open_fds(), fds);
}

static void
reads_revocation_lists_too(void **unused)
{
	AUTO(free_p) struct certificate *list = NULL;
	struct err err = { 0 };
	size_t count;

	(void)unused;
	pki_list(path, "the CA", NOW + DAY);
	pki_list(path, "another", 0);
	assert_int_equal(read_file(&list, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_true(list[0].is_list);
	assert_string_equal(list[0].issuer, "CN=the CA");
	assert_int_equal(list[0].expires_at, NOW + DAY);
	assert_true(list[1].expires_at > NOW * (int64_t)100);
}

static void
writes_no_byte_of_a_name_as_it_came(void **unused)
{
	AUTO(free_p) struct certificate *list = NULL;
	char name[65] = "a\nb\xc3\xa4\"\\";
	struct err err = { 0 };
	size_t count;

	(void)unused;
	memset(name + strlen(name), 'x', sizeof(name) - 1 - strlen(name));
	pki_certificate(path, name, "the CA", NOW);
	assert_int_equal(read_file(&list, &count, &err), 0);
	for (const char *p = list[0].name; *p; p++)
		assert_in_range(*p, 0x20, 0x7e);
	assert_true(strlen(list[0].name) < CERTIFICATE_NAME_SIZE);
}

static void
skips_keys(void **unused)
{
	AUTO(free_p) struct certificate *list = NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(path, "w");
	struct err err = { 0 };
	size_t count;

	(void)unused;
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	EVP_PKEY_free(key);
	assert_int_equal(read_file(&list, &count, &err), -EBADMSG);
	assert_reason(err, "has no certificate");
	pki_certificate(path, "x", "y", NOW);
	assert_int_equal(read_file(&list, &count, &err), 0);
	assert_int_equal(count, 1);
}

static void
refuses_what_is_damaged_and_names_it(void **unused)
{
	static const char *const bad[] = {
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n",
		"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
	};
	struct certificate *list;
	struct err err = { 0 };
	size_t count;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(truncate(path, 0), 0);
		pki_certificate(path, "x", "y", NOW);
		write_text(bad[i]);
		assert_int_equal(read_file(&list, &count, &err), -EBADMSG);
		assert_reason(err, ": certificate 2 is damaged");
		assert_reason(err, path);
	}
}

static void
reads_no_more_than_its_limits(void **unused)
{
	AUTO(free_p) char *one = NULL;
	struct certificate *list;
	struct err err = { 0 };
	size_t count, bytes;

	(void)unused;
	pki_certificate(path, "x", "y", NOW);
	assert_int_equal(file_read(AT_FDCWD, path, 10000, &one, &bytes, &err), 0);
	for (int i = 0; i < CERTIFICATES_MAX; i++)
		write_text(one);
	assert_int_equal(read_file(&list, &count, &err), -EFBIG);
	assert_reason(err, "has more than 256 certificates");
	assert_int_equal(truncate(path, CERTIFICATE_FILE_MAX + 1), 0);
	assert_int_equal(read_file(&list, &count, &err), -EFBIG);
}

static void
waits_for_nobody_to_write_into_a_fifo(void **unused)
{
	struct certificate *list;
	struct err err = { 0 };
	size_t count;

	(void)unused;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_file(&list, &count, &err), -EINVAL);
	assert_reason(err, "not a regular file");
}

static void
says_what_is_not_there(void **unused)
{
	struct certificate *list = NULL;
	struct err err = { 0 };
	size_t count;

	(void)unused;
	assert_int_equal(certificates_read("/tmp/otafs-unit.none/a.pem", &list, &count, &err), -ENOENT);
	assert_reason(err, "/tmp/otafs-unit.none/a.pem: No such file");
	assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_certificates_in_their_order),
		TEST(reads_revocation_lists_too),
		TEST(writes_no_byte_of_a_name_as_it_came),
		TEST(skips_keys),
		TEST(refuses_what_is_damaged_and_names_it),
		TEST(reads_no_more_than_its_limits),
		TEST(waits_for_nobody_to_write_into_a_fifo),
		TEST(says_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
