/* Documents of the director that many threads ask for at once, through the socket. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "sign/client.h"
#include "sign/request.h"
#include "tests/unit/signer.h"

#define THREADS 32
#define VERSIONS 20

/* -- asking -- */

struct asker {
	struct client *client;
	int device, versions;
	pthread_t thread;
	int result; /* of the last */
	struct err err;
};

static char *
empty_targets(int device, int version)
{
	char expires[UTC_TEXT_SIZE], *text;

	utc_format(utc_now() + 3600, expires);
	assert_true(
	    asprintf(&text,
		"{\"_type\":\"Targets\",\"custom\":{\"deviceId\":\"car%d\"},\"expires\":\"%s\",\"targets\":{},"
		"\"version\":%d}",
		device, expires, version) > 0);
	return text;
}

/* What is answered is what was asked for, signed. */
static void
ask_once(struct asker *asker, int version)
{
	AUTO(free_p) char *text = empty_targets(asker->device, version);
	AUTO(free_p) char *envelope = NULL;
	AUTO(free_p) char *end = NULL;
	const struct client_basis basis = { 1, 0 };
	size_t bytes = 0;

	asker->result = client_sign_text(
	    asker->client, ROLE_TARGETS, &basis, text, strlen(text), &envelope, &bytes, &asker->err);
	if (asker->result)
		return;
	assert_true(asprintf(&end, "\"signed\":%s}", text) > 0);
	if (strlen(envelope) != bytes || bytes < strlen(end) || strcmp(envelope + bytes - strlen(end), end))
		asker->result = -EBADMSG;
}

static void *
ask_all(void *argument)
{
	struct asker *asker = argument;

	for (int version = 1; version <= asker->versions && asker->result == 0; version++)
		ask_once(asker, version);
	return NULL;
}

static void
ask_at_once(struct client *client, struct asker askers[static THREADS], int versions)
{
	for (int i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .client = client, .device = i, .versions = versions };
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all, &askers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(askers[i].thread, NULL);
}

/* -- who answers, in a process of its own -- */

static int
listen_at(const struct fixture *f, char path[static 80])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, 80, "%s/sock", f->path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* The signer itself. */
static void
serve(struct fixture *f, int fd)
{
	struct server *server;

	f->policy.signer[REPOSITORY_DIRECTOR] = getuid();
	if (server_new(fd, &f->policy, f->keyring, f->ledger, f->journal, f->issuer, &server, &f->err) < 0)
		_exit(1);
	for (;;)
		server_accept(server);
}

/* One that gives the text back, or what cannot be understood; slowly, so that others come meanwhile. */
struct echo {
	int fd;
	const char *answer;              /* to each; NULL: the text */
	_Atomic int *frames, *documents; /* that came */
};

static void
answer_frame(struct echo *echo, int fd, char *request)
{
	unsigned char code[4] = { 0 };
	char *text = NULL, *line;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct err err;

	usleep(20000);
	strsep(&request, "\n");
	for (; (line = strsep(&request, "\n")) && *line; ++*echo->documents)
		fprintf(out, echo->answer ? "%s\n" : "0 {\"signed\":%s}\n", echo->answer ?: strchr(line, '{'));
	fclose(out);
	++*echo->frames;
	request_send(fd, code, 4, text, bytes, &err);
	free(text);
}

static void *
serve_echo(void *argument)
{
	struct echo *echo = argument;
	int fd = accept(echo->fd, NULL, NULL);
	char *request;
	struct err err;
	size_t bytes;

	while (request_receive(fd, &request, &bytes, &err) == 0) {
		answer_frame(echo, fd, request);
		free(request);
	}
	return NULL;
}

static void
echo_twice(struct echo *echo)
{
	pthread_t thread;

	pthread_create(&thread, NULL, serve_echo, echo);
	serve_echo(echo);
	pause();
}

/* It ends with the test, however that ends. */
static pid_t
fork_bound(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* -- tests -- */

static void
gives_each_thread_the_document_it_asked_for(void **state)
{
	struct fixture *f = *state;
	AUTO(client_freep) struct client *client = NULL;
	struct asker askers[THREADS];
	char path[80];
	int fd = listen_at(f, path);
	pid_t pid = fork_bound();

	if (pid == 0)
		serve(f, fd);
	close(fd);
	client = client_new(path);
	ask_at_once(client, askers, VERSIONS);
	for (int i = 0; i < THREADS; i++)
		if (askers[i].result)
			fail_msg("%d: %s", askers[i].result, askers[i].err.text);
	/* One that is refused has its reason. */
	ask_once(&askers[0], VERSIONS - 1);
	assert_int_equal(askers[0].result, -ESTALE);
	assert_reason(askers[0].err, "ota-signd: targets of car0: version 19 is below 20");
	ask_once(&askers[1], VERSIONS + 1);
	assert_int_equal(askers[1].result, 0);
	end(pid);
}

static void
sends_what_waits_in_one_round_trip(void **state)
{
	struct fixture *f = *state;
	_Atomic int *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	AUTO(client_freep) struct client *client = NULL;
	struct asker askers[THREADS];
	char path[80];
	struct echo echo = { listen_at(f, path), NULL, &counts[0], &counts[1] };
	pid_t pid = fork_bound();

	if (pid == 0)
		echo_twice(&echo);
	close(echo.fd);
	client = client_new(path);
	ask_at_once(client, askers, 4);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(askers[i].result, 0);
	assert_int_equal(counts[1], 4 * THREADS);
	assert_true(counts[0] < 2 * THREADS);
	end(pid);
	munmap(counts, 4096);
}

static void
tells_everybody_when_an_answer_cannot_be_understood(void **state)
{
	static const char *const answers[] = { "", "x", "0", "-5", "99999999999999999999999 " };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		_Atomic int counts[2] = { 0 };
		AUTO(client_freep) struct client *client = NULL;
		struct asker askers[THREADS];
		char path[80];
		struct echo echo = { listen_at(f, path), answers[i], &counts[0], &counts[1] };
		pid_t pid = fork_bound();

		if (pid == 0)
			echo_twice(&echo);
		close(echo.fd);
		client = client_new(path);
		ask_at_once(client, askers, 1);
		for (int k = 0; k < THREADS; k++) {
			assert_int_equal(askers[k].result, -EAGAIN);
			assert_reason(askers[k].err, "ota-signd: its answer is cut short");
		}
		end(pid);
		unlink(path);
	}
}

static void
tells_everybody_that_the_signer_is_away(void **state)
{
	struct fixture *f = *state;
	AUTO(client_freep) struct client *client = client_new("/nonexistent/sock");
	struct asker askers[THREADS];

	(void)f;
	ask_at_once(client, askers, 1);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(askers[i].result, -EAGAIN);
		assert_reason(askers[i].err, "ota-signd cannot be reached: /nonexistent/sock: No such file");
	}
}

static void
sends_nothing_that_would_be_two_lines(void **state)
{
	AUTO(client_freep) struct client *client = client_new("/nonexistent/sock");
	const struct client_basis basis = { 1, 0 };
	char *envelope;
	struct err err;

	(void)state;
	assert_int_equal(
	    client_sign_text(client, ROLE_TARGETS, &basis, "{\n}", 3, &envelope, NULL, &err), -EINVAL);
	assert_int_equal(
	    client_sign_text(client, ROLE_TARGETS, &basis, "{\0}", 3, &envelope, NULL, &err), -EINVAL);
	assert_reason(err, "targets: is not canonical");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_each_thread_the_document_it_asked_for),
		TEST(sends_what_waits_in_one_round_trip),
		TEST(tells_everybody_when_an_answer_cannot_be_understood),
		TEST(tells_everybody_that_the_signer_is_away),
		TEST(sends_nothing_that_would_be_two_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
