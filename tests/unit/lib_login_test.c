/* lib/login: names and passwords of an htpasswd file, and who guesses at them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/guess.h"
#include "lib/login.h"
#include "lib/steady.h"
#include "tests/unit/fault.h"

/* "a: secret", SHA-512; "bobs", bcrypt; "weak", MD5. */
#define ANNA                                                                                                   \
	"anna:$6$annasalt$CN/E5p4ex/LGa3Ayu.87W/"                                                              \
	"d7NhdVpogOi5wYosT7N8uufTHyb87IF7wKz3xFycO0tlF0hQQgLDaO7NJ4sLdOA1\n"
#define BOB "bob:$2b$04$5loPy01j3FfkLACDTLBCIu4KgkK10UqMdto2n2QFZi1ERaiYqtJRW\n"
#define MALLORY "mallory:$1$mallory$lhMWFdGN0JltNg8PLBOvt1\n"

struct fixture {
	char path[64];
	struct login *login;
};

static void
write_file(const struct fixture *fixture, const char *text)
{
	FILE *file = fopen(fixture->path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int
start(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fd;

	assert_non_null(fixture);
	strcpy(fixture->path, "/tmp/otafs-login.XXXXXX");
	fd = mkstemp(fixture->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(fixture, "# people\n" ANNA BOB MALLORY);
	fixture->login = login_new(fixture->path);
	assert_non_null(fixture->login);
	*state = fixture;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *fixture = *state;

	login_free(fixture->login);
	unlink(fixture->path);
	free(fixture);
	return 0;
}

static int
check_from(struct login *login, const char *pair, const char *address, char *name, struct err *err)
{
	AUTO(free_p) char *base64 = digest_base64((const unsigned char *)pair, strlen(pair));
	char header[1500];

	snprintf(header, sizeof(header), "Basic %s", base64);
	return login_check(login, header, address, name, err);
}

static int
check(const struct fixture *fixture, const char *pair, struct err *err)
{
	char name[LOGIN_NAME_SIZE];

	return check_from(fixture->login, pair, "192.0.2.1", name, err);
}

static void
knows_people_by_strong_hashes(void **state)
{
	struct fixture *fixture = *state;
	char name[LOGIN_NAME_SIZE];
	struct err err = { 0 };

	assert_int_equal(check_from(fixture->login, "anna:a: secret", "::1", name, &err), 0);
	assert_string_equal(name, "anna");
	assert_int_equal(check_from(fixture->login, "bob:bobs", "::1", name, &err), 0);
	assert_string_equal(name, "bob");
}

static void
refuses_all_else_in_the_same_words(void **state)
{
	static const char *const wrong[] = { "anna:a: secre", "anna:a: secret ", "anna:", "bob:a: secret",
		"eve:bobs", "anna:a: secret:x", "mallory:weak", "ann:a: secret", "# people:x" };
	struct fixture *fixture = *state;
	struct err err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err = (struct err){ 0 };
		assert_int_equal(check(fixture, wrong[i], &err), LOGIN_NOBODY);
		assert_string_equal(err.text, "wrong name or password");
	}
}

static void
takes_no_header_that_is_not_basic(void **state)
{
	static const char *const headers[] = { "", "Basic", "Basic ", "Basic !!!!", "Basic YW5uYQ==",
		"Basic OnNlY3JldA==", "Bearer YW5uYTphOiBzZWNyZXQ=", "Basic YW5uYTphOiBzZWNyZXQ",
		"Basic YW5uYTphOiBzZWNyZXQA", "YW5uYTphOiBzZWNyZXQ=" };
	struct fixture *fixture = *state;
	char name[LOGIN_NAME_SIZE];
	struct err err;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		err = (struct err){ 0 };
		assert_int_equal(login_check(fixture->login, headers[i], "::1", name, &err), LOGIN_NOBODY);
		assert_reason(err, "no name and password");
	}
	assert_false(login_is_paused(fixture->login, "::1"));
	assert_int_equal(login_check(fixture->login, "bAsIc  YW5uYTphOiBzZWNyZXQ=", "::1", name, &err), 0);
}

static void
refuses_names_and_passwords_that_are_too_long(void **state)
{
	struct fixture *fixture = *state;
	char pair[700];
	struct err err;

	memset(pair, 'a', sizeof(pair));
	pair[sizeof(pair) - 1] = '\0';
	pair[LOGIN_NAME_SIZE] = ':';
	assert_int_equal(check(fixture, pair, &err), LOGIN_NOBODY);
	assert_reason(err, "no name and password");
	pair[4] = ':';
	assert_int_equal(check(fixture, pair, &err), LOGIN_NOBODY);
	assert_reason(err, "no name and password");
}

static void
reads_a_file_that_has_changed(void **state)
{
	struct fixture *fixture = *state;
	struct err err = { 0 };

	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	write_file(fixture, BOB);
	assert_int_equal(check(fixture, "anna:a: secret", &err), LOGIN_NOBODY);
	assert_int_equal(check(fixture, "bob:bobs", &err), 0);
	unlink(fixture->path);
	assert_int_equal(check(fixture, "bob:bobs", &err), LOGIN_NOBODY);
	write_file(fixture, ANNA);
	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
}

static void
says_that_the_file_cannot_be_read(void **state)
{
	struct fixture *fixture = *state;
	struct err err = { 0 };

	unlink(fixture->path);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_int_equal(check(fixture, "anna:a: secret", &err), -EINVAL);
	assert_reason(err, "not a regular file");
	rmdir(fixture->path);
}

static void
remembers_who_was_right_without_a_hash(void **state)
{
	struct fixture *fixture = *state;
	struct err err = { 0 };
	int64_t start, first, rest;

	start = steady_ms();
	assert_int_equal(check(fixture, "bob:bobs", &err), 0);
	first = steady_ms() - start;
	start = steady_ms();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(check(fixture, "bob:bobs", &err), 0);
	rest = steady_ms() - start;
	/* A thousand hashes would take a second at least. */
	assert_true(rest < 500 + first);
}

static void
checks_nothing_after_too_many_guesses_from_an_address(void **state)
{
	struct fixture *fixture = *state;
	char name[LOGIN_NAME_SIZE], guess[32];
	struct err err = { 0 };

	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	for (int i = 0; i < LOGIN_FAILURES; i++) {
		snprintf(guess, sizeof(guess), "somebody%d:x", i);
		assert_int_equal(check(fixture, guess, &err), LOGIN_NOBODY);
	}
	assert_int_equal(check(fixture, "anna:a: secret", &err), LOGIN_TOO_MANY);
	assert_string_equal(err.text, "too many wrong passwords; wait for 60 seconds");
	assert_true(login_is_paused(fixture->login, "192.0.2.1"));
	assert_int_equal(check_from(fixture->login, "anna:a: secret", "192.0.2.2", name, &err), 0);
}

static void
checks_nothing_after_too_many_guesses_at_a_name(void **state)
{
	struct fixture *fixture = *state;
	char name[LOGIN_NAME_SIZE], address[32];
	struct err err = { 0 };

	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	for (int i = 0; i < LOGIN_FAILURES; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i);
		assert_int_equal(check_from(fixture->login, "anna:x", address, name, &err), LOGIN_NOBODY);
		assert_int_equal(check_from(fixture->login, "bob:x", address, name, &err), LOGIN_NOBODY);
	}
	assert_int_equal(check_from(fixture->login, "bob:bobs", "203.0.113.1", name, &err), LOGIN_TOO_MANY);
	/* Strangers cannot shut out who was let in just now. */
	assert_int_equal(check_from(fixture->login, "anna:a: secret", "203.0.113.1", name, &err), 0);
	assert_int_equal(check_from(fixture->login, "anna:x", "203.0.113.1", name, &err), LOGIN_TOO_MANY);
}

/* One who guesses without end would shut out for good whoever logs in now and then. */
static void
lets_a_name_in_from_where_it_came_before(void **state)
{
	struct fixture *fixture = *state;
	char name[LOGIN_NAME_SIZE], address[32];
	struct err err = { 0 };

	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	write_file(fixture, ANNA BOB); /* and so nothing is remembered but the address */
	for (int i = 0; i < LOGIN_FAILURES; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i);
		assert_int_equal(check_from(fixture->login, "anna:x", address, name, &err), LOGIN_NOBODY);
	}
	assert_int_equal(
	    check_from(fixture->login, "anna:a: secret", "203.0.113.1", name, &err), LOGIN_TOO_MANY);
	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	for (int i = 0; i < LOGIN_FAILURES; i++)
		assert_int_equal(check(fixture, "anna:x", &err), LOGIN_NOBODY);
	assert_int_equal(check(fixture, "anna:a: secret", &err), LOGIN_TOO_MANY);
}

static void
counts_failures_of_other_credentials(void **state)
{
	struct fixture *fixture = *state;
	struct err err = { 0 };

	for (int i = 0; i < LOGIN_FAILURES; i++) {
		assert_false(login_is_paused(fixture->login, "2001:db8::1"));
		login_failed(fixture->login, "2001:db8::1");
	}
	assert_true(login_is_paused(fixture->login, "2001:db8::1"));
	assert_true(login_is_paused(fixture->login, "2001:db8:0:0:ffff::7"));
	assert_false(login_is_paused(fixture->login, "2001:db8:0:1::1"));
	assert_int_equal(check(fixture, "anna:a: secret", &err), 0);
	for (int i = 0; i < LOGIN_FAILURES; i++)
		login_failed(fixture->login, "::ffff:198.51.100.1");
	assert_true(login_is_paused(fixture->login, "198.51.100.1"));
	assert_false(login_is_paused(fixture->login, "::FFFF:198.51.100.2"));
}

static void *
check_often(void *fixture)
{
	struct err err = { 0 };

	for (int i = 0; i < 50; i++)
		if (check(fixture, i % 2 ? "anna:a: secret" : "bob:bobs", &err) != 0)
			return fixture;
	return NULL;
}

static void
serves_several_threads(void **state)
{
	pthread_t threads[8];
	void *failed;

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, check_often, *state), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

static void
lets_nobody_in_without_memory(void **state)
{
	struct fixture *fixture = *state;
	struct err err;
	int r = -1, calls = 0, fds = fault_open_fds();

	while (r != 0) {
		fault_after(calls);
		r = check(fixture, "anna:a: secret", &err);
		if (!fault_stop())
			break;
		assert_true(r != 0);
		calls++;
		write_file(fixture, ANNA);
	}
	assert_int_equal(r, 0);
	assert_true(calls > 1);
	assert_int_equal(fault_open_fds(), fds);
}

static void
forgets_guesses_after_their_time(void **state)
{
	static struct guesses guesses;
	uint64_t key;

	(void)state;
	assert_int_equal(guesses_init(&guesses), 0);
	key = guess_of_name(&guesses, "anna");
	for (int i = 0; i < 3; i++)
		guess_was_wrong(&guesses, key, 1000 + i, 60);
	assert_int_equal(guess_count(&guesses, key, 1059), 3);
	assert_int_equal(guess_count(&guesses, key, 1060), 0);
	guess_was_wrong(&guesses, key, 1060, 60);
	assert_int_equal(guess_count(&guesses, key, 1061), 1);
}

static void
keeps_who_guesses_most_when_there_is_no_room(void **state)
{
	static struct guesses guesses;
	uint64_t key;
	char name[32];

	(void)state;
	assert_int_equal(guesses_init(&guesses), 0);
	key = guess_of_address(&guesses, "192.0.2.1");
	assert_true(key != guess_of_name(&guesses, "192.0.2.1"));
	for (int i = 0; i < 3; i++)
		guess_was_wrong(&guesses, key, 1000, 60);
	for (int i = 0; i < 3 * GUESS_SLOTS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		guess_was_wrong(&guesses, guess_of_name(&guesses, name), 1001, 60);
	}
	assert_int_equal(guess_count(&guesses, key, 1002), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_people_by_strong_hashes),
		TEST(refuses_all_else_in_the_same_words),
		TEST(takes_no_header_that_is_not_basic),
		TEST(refuses_names_and_passwords_that_are_too_long),
		TEST(reads_a_file_that_has_changed),
		TEST(says_that_the_file_cannot_be_read),
		TEST(remembers_who_was_right_without_a_hash),
		TEST(checks_nothing_after_too_many_guesses_from_an_address),
		TEST(checks_nothing_after_too_many_guesses_at_a_name),
		TEST(lets_a_name_in_from_where_it_came_before),
		TEST(counts_failures_of_other_credentials),
		TEST(serves_several_threads),
		TEST(lets_nobody_in_without_memory),
		cmocka_unit_test(forgets_guesses_after_their_time),
		cmocka_unit_test(keeps_who_guesses_most_when_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
