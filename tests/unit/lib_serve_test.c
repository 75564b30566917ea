/* Requests with a thread each: what happens when all threads are taken. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/serve.h"
#include "lib/steady.h"

struct fixture {
	int listener, signals, seconds;
	struct sockaddr_un address;
	socklen_t bytes;
	pthread_t thread;
	int fds[SERVE_REQUESTS_MAX + 1];
};

/* Answers a byte with a byte, and waits for it. */
static void
echo(int fd, void *data)
{
	char c;

	(void)data;
	if (read(fd, &c, 1) == 1)
		assert_int_equal(write(fd, &c, 1), 1);
}

static void *
run(void *data)
{
	struct fixture *f = data;
	struct err err;

	assert_int_equal(serve_loop(f->listener, f->signals, f->seconds, echo, NULL, &err), 0);
	return NULL;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->seconds = 2;
	f->bytes = sizeof(f->address);
	f->address.sun_family = AF_UNIX; /* a name of its own, that the kernel chooses */
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&f->address, &f->bytes), 0);
	assert_int_equal(listen(f->listener, 128), 0);
	f->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	serve_long_seconds = 900;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	close(f->signals);
	free(f);
	return 0;
}

static void
begin(struct fixture *f, int seconds)
{
	f->seconds = seconds;
	pthread_create(&f->thread, NULL, run, f);
	for (int i = 0; i <= SERVE_REQUESTS_MAX; i++) {
		struct timeval patience = { .tv_sec = 10 };

		f->fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(f->fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		assert_int_equal(connect(f->fds[i], (struct sockaddr *)&f->address, f->bytes), 0);
	}
}

static void
end(struct fixture *f)
{
	for (int i = 0; i <= SERVE_REQUESTS_MAX; i++)
		close(f->fds[i]);
	eventfd_write(f->signals, 1);
	pthread_join(f->thread, NULL);
}

static void
one_more_waits_for_a_thread(void **state)
{
	struct fixture *f = *state;
	char c = 'x';

	begin(f, 60);
	assert_int_equal(write(f->fds[SERVE_REQUESTS_MAX], &c, 1), 1);
	usleep(100 * 1000);
	assert_int_equal(recv(f->fds[SERVE_REQUESTS_MAX], &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(write(f->fds[5], &c, 1), 1);
	assert_int_equal(read(f->fds[5], &c, 1), 1);
	assert_int_equal(read(f->fds[SERVE_REQUESTS_MAX], &c, 1), 1);
	end(f);
}

static void
hears_a_signal_while_all_threads_are_taken(void **state)
{
	struct fixture *f = *state;
	int64_t before = steady_ms();

	begin(f, 1);
	usleep(100 * 1000);
	eventfd_write(f->signals, 1);
	pthread_join(f->thread, NULL);
	assert_true(steady_ms() - before < 5000);
	for (int i = 0; i <= SERVE_REQUESTS_MAX; i++)
		close(f->fds[i]);
	usleep(100 * 1000); /* threads that were left see it, and end */
}

static void
whoever_takes_too_long_makes_room_for_others(void **state)
{
	struct fixture *f = *state;
	char c = 'x';

	serve_long_seconds = 1;
	begin(f, 60);
	assert_int_equal(write(f->fds[SERVE_REQUESTS_MAX], &c, 1), 1);
	assert_int_equal(read(f->fds[SERVE_REQUESTS_MAX], &c, 1), 1);
	end(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_more_waits_for_a_thread),
		TEST(whoever_takes_too_long_makes_room_for_others),
		TEST(hears_a_signal_while_all_threads_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
