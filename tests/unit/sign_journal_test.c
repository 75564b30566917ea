/* The log of signatures: what is written chains, what was changed is found, what a crash left is cut off. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/chain.h"
#include "sign/journal.h"
#include "tests/unit/fault.h"

#define NOW 1800000000
#define HASH "a100000000000000000000000000000000000000000000000000000000000000"

struct fixture {
	char path[64];
	int dir, log, fds;
	struct journal *journal;
};

static const struct journal_limits plenty = { CHAIN_FILE_MAX, 0 };
/* Room for six lines in a file. */
static const struct journal_limits small = { CHAIN_LINE_MAX + 1500, 12000 };

static void
open_journal(struct fixture *f, const struct journal_limits *limits)
{
	struct err err = { 0 };

	journal_free(f->journal);
	f->journal = NULL;
	if (journal_open(f->dir, limits, NOW, &f->journal, &err) < 0)
		fail_msg("%s", err.text);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->fds = fault_open_fds();
	strcpy(f->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	open_journal(f, &plenty);
	f->log = openat(f->dir, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	journal_free(f->journal);
	close(f->log);
	close(f->dir);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

static int
add_at(struct fixture *f, int version, int64_t time, bool is_durable, struct err *err)
{
	struct journal_entry entry = { .time = time,
		.uid = 501,
		.repository = REPOSITORY_DIRECTOR,
		.role = ROLE_TARGETS,
		.version = version,
		.device = "car7",
		.sha256 = HASH,
		.is_durable = is_durable };

	return journal_add(f->journal, &entry, err);
}

static void
add(struct fixture *f, int version)
{
	struct err err = { 0 };

	if (add_at(f, version, NOW, false, &err) < 0)
		fail_msg("%s", err.text);
}

/* -- reading -- */

static int
count_line(const json_t *line, void *context)
{
	*(int *)context += !json_text(line, "event");
	return 0;
}

/* Signatures in all files, which have to chain; or the failure. */
static int
read_all(struct fixture *f, struct err *err)
{
	struct chain chain = { 0 };
	int first, last, r, signatures = 0;
	int64_t bytes;

	assert_int_equal(chain_files(f->log, &first, &last, &bytes, err), 0);
	for (int file = first; file <= last; file++)
		if ((r = chain_read(f->log, file, &chain, count_line, &signatures, err)) != 0)
			return r < 0 ? r : -EIO;
	return signatures;
}

static char *
text_of(struct fixture *f, const char *name)
{
	struct err err = { 0 };
	size_t bytes;
	char *text;

	assert_int_equal(file_read(f->log, name, CHAIN_FILE_MAX, &text, &bytes, &err), 0);
	return text;
}

static void
write_over(struct fixture *f, const char *name, off_t at, const char *bytes)
{
	int fd = openat(f->log, name, O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), strlen(bytes));
	close(fd);
}

/* -- tests -- */

static void
chains_every_line_and_goes_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };

	add(f, 1);
	add(f, 2);
	open_journal(f, &plenty);
	add(f, 3);
	assert_int_equal(read_all(f, &err), 3);
	text = text_of(f, "1.log");
	assert_non_null(
	    strstr(text, "\"uid\":501,\"repository\":\"director\",\"role\":\"targets\",\"version\":3,"
			 "\"device\":\"car7\",\"sha256\":\"" HASH "\",\"previous\":\""));
}

static void
finds_any_byte_that_was_changed_before_the_last_line(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t last;

	for (int i = 1; i <= 3; i++)
		add(f, i);
	text = text_of(f, "1.log");
	for (last = strlen(text) - 1; text[last - 1] != '\n'; last--)
		;
	for (size_t i = 0; i < last; i++) {
		char was[2] = { text[i] }, is[2] = { (char)(text[i] ^ 1) };

		write_over(f, "1.log", (off_t)i, is);
		assert_true(read_all(f, &err) < 0);
		write_over(f, "1.log", (off_t)i, was);
	}
	assert_int_equal(read_all(f, &err), 3);
}

static void
names_the_line_before_which_something_was_changed(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };

	add(f, 1);
	add(f, 2);
	text = text_of(f, "1.log");
	write_over(f, "1.log", strstr(text, "car7") - text, "bar7");
	assert_int_equal(read_all(f, &err), -EBADMSG);
	assert_reason(err, "1.log: line 3: the line before it was changed");
}

static void
misses_a_line_that_was_taken_out(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	char *second, *third;

	for (int i = 1; i <= 3; i++)
		add(f, i);
	text = text_of(f, "1.log");
	second = strchr(text, '\n') + 1;
	third = strchr(second, '\n') + 1;
	memmove(second, third, strlen(third) + 1);
	assert_int_equal(file_replace(f->log, "1.log", text, strlen(text), 0600, &err), 0);
	assert_int_equal(read_all(f, &err), -EBADMSG);
	assert_reason(err, "1.log: line 2: has n 3, the one before it 1");
}

static void
cuts_off_the_line_that_a_crash_tore(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	struct stat st;

	for (int i = 1; i <= 2; i++)
		add(f, i);
	assert_int_equal(fstatat(f->log, "1.log", &st, 0), 0);
	for (int cut = 1; cut < 100; cut += 7) {
		char path[128];

		add(f, 100 + cut);
		snprintf(path, sizeof(path), "%s/signatures/1.log", f->path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size - cut), 0);
		open_journal(f, &plenty);
	}
	assert_int_equal(read_all(f, &err), 2);
	text = text_of(f, "1.log");
	assert_non_null(strstr(text, "\"event\":\"torn\""));
	assert_null(strstr(text, "\"version\":101"));
}

static void
leaves_a_damaged_file_and_says_so_in_the_next(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *first = NULL;
	AUTO(free_p) char *text = NULL;
	struct chain chain = { 0 };
	struct err err = { 0 };
	struct stat before, after;

	for (int i = 1; i <= 3; i++)
		add(f, i);
	first = text_of(f, "1.log");
	write_over(f, "1.log", strstr(first, "car7") - first, "bar7");
	assert_int_equal(fstatat(f->log, "1.log", &before, 0), 0);
	open_journal(f, &plenty);
	add(f, 4);
	assert_int_equal(fstatat(f->log, "1.log", &after, 0), 0);
	assert_int_equal(before.st_size, after.st_size);
	text = text_of(f, "2.log");
	assert_non_null(strstr(text, "1.log: line 3: the line before it was changed"));
	/* And the rest can be followed from its first line. */
	assert_int_equal(chain_read(f->log, 2, &chain, NULL, NULL, &err), 0);
	assert_int_equal(read_all(f, &err), -EBADMSG);
}

/* Line 0 would have no line before it, and the next one would be the first again: nothing could be added. */
static void
goes_on_after_a_file_that_begins_with_line_0(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *first = NULL;
	AUTO(free_p) char *text = NULL;

	add(f, 1);
	first = text_of(f, "1.log");
	write_over(f, "1.log", strstr(first, "\"n\":1") - first, "\"n\":0");
	open_journal(f, &plenty);
	add(f, 2);
	text = text_of(f, "2.log");
	assert_non_null(strstr(text, "1.log: line 1: has n 0, the first line has 1"));
}

static void
begins_new_files_and_throws_the_oldest_away(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int first, last, signatures;
	int64_t bytes;

	open_journal(f, &small);
	for (int i = 1; i <= 100; i++)
		add(f, i);
	assert_int_equal(chain_files(f->log, &first, &last, &bytes, &err), 0);
	assert_in_range(first, 3, last - 2);
	assert_true(bytes <= 12000);
	signatures = read_all(f, &err);
	assert_in_range(signatures, 10, 30);
	open_journal(f, &small);
	add(f, 101);
	assert_int_equal(read_all(f, &err) >= signatures - 5, 1);
}

static void
refuses_a_clock_before_the_newest_signature(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(journal_check_clock(f->journal, 0, &err), 0);
	assert_int_equal(add_at(f, 1, NOW + 5000, false, &err), 0);
	assert_int_equal(add_at(f, 2, NOW + 4800, false, &err), 0);
	assert_int_equal(journal_check_clock(f->journal, NOW + 4700, &err), 0);
	assert_int_equal(journal_check_clock(f->journal, NOW + 4699, &err), -EAGAIN);
	assert_reason(
	    err, "the clock says 2027-01-15T09:18:19Z, but something was signed at 2027-01-15T09:23:20Z");
	assert_reason(err, "ota-sign clock");
	open_journal(f, &plenty);
	assert_int_equal(journal_check_clock(f->journal, NOW + 4699, &err), -EAGAIN);
	/* Also out of the first line of the next file. */
	open_journal(f, &small);
	for (int i = 3; i < 40; i++)
		add(f, i);
	open_journal(f, &small);
	assert_int_equal(journal_check_clock(f->journal, NOW + 4699, &err), -EAGAIN);
	assert_int_equal(journal_set_clock(f->journal, 0, NOW, &err), 0);
	assert_int_equal(journal_check_clock(f->journal, NOW, &err), 0);
	assert_int_equal(journal_check_clock(f->journal, NOW - 301, &err), -EAGAIN);
	open_journal(f, &small);
	assert_int_equal(journal_check_clock(f->journal, NOW, &err), 0);
}

static void
has_nothing_half_whatever_fails(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int done = 0, r;

	open_journal(f, &small);
	fault_code(ENOSPC);
	for (int i = 0; i < 60; i++) {
		bool is_durable = i % 3 == 0;

		fault_after(i % 20);
		r = add_at(f, i + 1, NOW, is_durable, &err);
		fault_stop();
		if (r < 0)
			assert_true(r == -ENOSPC || r == -ENOMEM);
		if (r == -ENOSPC)
			assert_reason(err, "nothing is signed that cannot be logged");
		done += r == 0;
	}
	assert_in_range(done, 20, 59);
	fault_code(EIO);
	journal_tick(f->journal);
	/* A line of which nobody knows whether it is on disk was taken back, and a new file begun. */
	assert_in_range(read_all(f, &err), 1, done);
}

static void
chains_after_a_disk_that_took_nothing_for_a_while(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int done = 0;

	open_journal(f, &plenty);
	for (int i = 0; i < 40; i++) {
		/* Not to sync, and not to take the line back either. */
		fault_from(i % 8);
		done += add_at(f, 2 * i + 1, NOW, true, &err) == 0;
		fault_stop();
		done += add_at(f, 2 * i + 2, NOW, true, &err) == 0;
	}
	assert_int_equal(read_all(f, &err), done);
}

static void
opens_again_whatever_failed_at_first(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int r = -1, i;

	add(f, 1);
	journal_free(f->journal);
	f->journal = NULL;
	assert_int_equal(unlinkat(f->log, "1.log", 0), 0);
	for (i = 0; i < 200 && r < 0; i++) {
		fault_after(i);
		r = journal_open(f->dir, &plenty, NOW, &f->journal, &err);
		if (!fault_stop())
			break;
		if (r == 0) {
			journal_free(f->journal);
			f->journal = NULL;
			r = -1;
		}
	}
	assert_int_equal(r, 0);
	add(f, 2);
	assert_int_equal(read_all(f, &err), 1);
}

static void
begins_again_after_a_file_without_a_whole_line(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	add(f, 1);
	assert_int_equal(file_replace(f->log, "2.log", "{\"n\":", 5, 0600, &err), 0);
	open_journal(f, &plenty);
	add(f, 2);
	assert_int_equal(read_all(f, &err), 2);
	assert_int_equal(faccessat(f->log, "2.log", F_OK, 0), -1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(chains_every_line_and_goes_on_after_a_restart),
		TEST(finds_any_byte_that_was_changed_before_the_last_line),
		TEST(names_the_line_before_which_something_was_changed),
		TEST(misses_a_line_that_was_taken_out),
		TEST(cuts_off_the_line_that_a_crash_tore),
		TEST(leaves_a_damaged_file_and_says_so_in_the_next),
		TEST(goes_on_after_a_file_that_begins_with_line_0),
		TEST(begins_new_files_and_throws_the_oldest_away),
		TEST(refuses_a_clock_before_the_newest_signature),
		TEST(has_nothing_half_whatever_fails),
		TEST(chains_after_a_disk_that_took_nothing_for_a_while),
		TEST(opens_again_whatever_failed_at_first),
		TEST(begins_again_after_a_file_without_a_whole_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
