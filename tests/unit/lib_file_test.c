/* lib/: files whole or not at all, settings, digests, names, times. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/config.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/name.h"
#include "lib/utc.h"
#include "tests/unit/fault.h"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/otafs-unit.XXXXXX");
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") || system(command);
}

static void
keeps_the_old_file_or_the_new_one_whatever_fails(void **state)
{
	int fds = fault_open_fds(), calls, r;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(file_replace(AT_FDCWD, "f", "old", 3, 0640, &err), 0);
	for (calls = 0;; calls++) {
		AUTO(free_p) char *text = NULL;
		size_t bytes;

		fault_after(calls);
		r = file_replace(AT_FDCWD, "f", "newer", 5, 0600, &err);
		if (!fault_stop())
			break;
		assert_int_equal(r, -EIO);
		assert_int_equal(access("f.tmp", F_OK), -1);
		assert_int_equal(file_read(AT_FDCWD, "f", 16, &text, &bytes, &err), 0);
		assert_true(!strcmp(text, "old") || !strcmp(text, "newer"));
	}
	assert_int_equal(r, 0);
	/* open, write, fsync, rename, open and fsync of the folder */
	assert_true(calls >= 6);
	assert_int_equal(fault_open_fds(), fds);
}

static void
reads_no_more_than_it_may_and_only_files(void **state)
{
	struct err err = { 0 };
	size_t bytes;
	char *text;

	(void)state;
	assert_int_equal(file_replace(AT_FDCWD, "f", "1234", 4, 0600, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, "f", 3, &text, &bytes, &err), -EFBIG);
	assert_reason(err, "f: has 4 bytes, at most 3 are allowed");
	assert_int_equal(file_read(AT_FDCWD, ".", 3, &text, &bytes, &err), -EINVAL);
	assert_reason(err, ".: not a regular file");
	assert_int_equal(file_read(AT_FDCWD, "none", 3, &text, &bytes, &err), -ENOENT);
}

/* A USB stick may have a device under that name, a folder of somebody else another name of a file. */
static void
writes_to_nothing_that_is_there_under_the_temporary_name(void **state)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	(void)state;
	assert_int_equal(file_replace(AT_FDCWD, "victim", "1234", 4, 0600, &err), 0);
	assert_int_equal(link("victim", "g.tmp"), 0);
	assert_int_equal(file_replace(AT_FDCWD, "g", "new", 3, 0600, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, "victim", 9, &text, &bytes, &err), 0);
	assert_string_equal(text, "1234");
	assert_int_equal(mkfifo("g.tmp", 0600), 0);
	assert_int_equal(file_replace(AT_FDCWD, "g", "new", 3, 0600, &err), 0);
	assert_int_equal(access("g.tmp", F_OK), -1);
}

static void
refuses_settings(const char *text, size_t bytes, const char *words)
{
	static struct config config;
	struct err err = { 0 };

	assert_int_equal(file_replace(AT_FDCWD, "conf", text, bytes, 0600, &err), 0);
	assert_int_equal(config_read("conf", &config, &err), -EINVAL);
	assert_reason(err, words);
}

static void
follows_no_link_and_waits_for_nobody_where_strangers_write(void **state)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	(void)state;
	assert_int_equal(file_replace(AT_FDCWD, "f", "1234", 4, 0600, &err), 0);
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(file_read_plain(AT_FDCWD, "link", 9, &text, &bytes, &err), -ELOOP);
	assert_int_equal(file_read_plain(AT_FDCWD, "fifo", 9, &text, &bytes, &err), -EINVAL);
	assert_reason(err, "fifo: not a regular file");
	assert_int_equal(file_read_plain(AT_FDCWD, "f", 3, &text, &bytes, &err), -EFBIG);
	assert_int_equal(file_read_plain(AT_FDCWD, "f", 4, &text, &bytes, &err), 0);
	assert_string_equal(text, "1234");
	unlink("link");
	unlink("fifo");
}

static void
hashes_a_file_of_any_length(void **state)
{
	char hex[DIGEST_HEX_SIZE], whole[DIGEST_HEX_SIZE], sha512[DIGEST_SHA512_HEX_SIZE];
	AUTO(free_p) char *data = calloc(1, 200001);
	AUTO(close_p) int fd = -1;
	struct err err = { 0 };
	int64_t bytes;

	(void)state;
	data[199999] = 'x';
	assert_int_equal(file_replace(AT_FDCWD, "f", data, 200001, 0600, &err), 0);
	fd = open("f", O_RDONLY);
	assert_int_equal(digest_sha256_fd(fd, hex, &bytes), 0);
	digest_sha256_hex(data, 200001, whole);
	assert_string_equal(hex, whole);
	assert_int_equal(bytes, 200001);
	assert_int_equal(digest_sha256_fd(-1, hex, &bytes), -EBADF);
	/* From where the file stands, which is its end now.  (the value of FIPS 180-4 for no bytes) */
	assert_int_equal(digest_sha512_fd(fd, sha512, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_string_equal(sha512, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
				    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

static void
names_file_and_line_of_a_bad_setting(void **state)
{
	static struct config config;
	struct err err = { 0 };

	(void)state;
	refuses_settings("\n# x\ncolour = red\n", 17, "conf, line 3: \"colour\" is no setting");
	refuses_settings("mount = /a\nmount = /b\n", 22, "conf, line 2: mount: given twice");
	refuses_settings("mount\n", 6, "conf, line 1: \"mount\" is not \"name = value\"");
	refuses_settings("mount =\n", 8, "conf, line 1: mount: 1 to 255 characters are allowed");
	refuses_settings("device_port = 65536\n", 20, "\"65536\" is no number from 1 to 65535");
	refuses_settings("device_port = 8x\n", 17, "\"8x\" is no number");
	/* A 0 byte would hide all that follows it. */
	refuses_settings("mount = /a\n\0www = /b\n", 21, "conf: has a 0 byte");
	assert_int_equal(file_replace(AT_FDCWD, "conf", " mount\t= /a b \r\n#www = x\n", 25, 0600, &err), 0);
	assert_int_equal(config_read("conf", &config, &err), 0);
	assert_string_equal(config.mount, "/a b");
	assert_int_equal(config.director_targets_days, 7);
}

static void
reads_base64_and_hex_of_one_form_only(void **state)
{
	static const char *const bad[] = { "", "A", "AA", "AAA", "====", "A===", "AA=A", "AAAA=", "AA A",
		"AA-_", "AAAA\n" };
	unsigned char data[DIGEST_BASE64_MAX], back[DIGEST_BASE64_MAX];
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bytes = sizeof(back);
		if (digest_unbase64(bad[i], back, &bytes) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	memset(data, 0xa5, sizeof(data));
	for (size_t n = 1; n <= sizeof(data); n += n < 8 ? 1 : 127) {
		AUTO(free_p) char *text = digest_base64(data, n);

		bytes = n;
		assert_int_equal(digest_unbase64(text, back, &bytes), 0);
		assert_int_equal(bytes, n);
		assert_memory_equal(data, back, n);
		bytes = n - 1;
		assert_int_equal(digest_unbase64(text, back, &bytes), -EINVAL);
	}
	assert_null(digest_base64(data, sizeof(data) + 1));
	assert_int_equal(digest_unhex("0aFf", back, 2), 0);
	assert_memory_equal(back, "\x0a\xff", 2);
	assert_int_equal(digest_unhex("0g", back, 1), -EINVAL);
	assert_int_equal(digest_unhex("000", back, 1), -EINVAL);
}

static void
takes_times_of_exactly_one_form(void **state)
{
	static const char *const bad[] = { "", "2026-12-01T02:00:00", "2026-12-01T02:00:00+",
		"2026-02-30T02:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T02:00:60Z", "2026-12-01 02:00:00Z",
		" 026-12-01T02:00:00Z" };
	char text[UTC_TEXT_SIZE];
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(utc_parse(bad[i], &seconds), -EINVAL);
	assert_int_equal(utc_parse("2024-02-29T23:59:59Z", &seconds), 0);
	assert_int_equal(seconds, 1709251199);
	utc_format(INT64_C(253402300800), text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	utc_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void
shows_names_in_all_the_room_there_is(void **state)
{
	char shown[8];

	(void)state;
	name_printable("1234567", shown, sizeof(shown));
	assert_string_equal(shown, "1234567");
	name_printable("12345678", shown, sizeof(shown));
	assert_string_equal(shown, "1234567");
	name_printable("123\n", shown, sizeof(shown));
	assert_string_equal(shown, "123\\x0a");
	name_printable("1234\n5", shown, sizeof(shown));
	assert_string_equal(shown, "1234");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_the_old_file_or_the_new_one_whatever_fails),
		TEST(reads_no_more_than_it_may_and_only_files),
		TEST(follows_no_link_and_waits_for_nobody_where_strangers_write),
		TEST(writes_to_nothing_that_is_there_under_the_temporary_name),
		TEST(hashes_a_file_of_any_length),
		TEST(names_file_and_line_of_a_bad_setting),
		TEST(reads_base64_and_hex_of_one_form_only),
		TEST(takes_times_of_exactly_one_form),
		TEST(shows_names_in_all_the_room_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
