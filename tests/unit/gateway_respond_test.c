/* Answers to SCGI requests. Plain files stand for transaction files: what is written into one is what a read
 * from the start gives, so a body that looks like an answer comes back, and inotify sees whether the read,
 * which is the commit, took place. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "gateway/respond.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/unit/fault.h"

#define ANSWER_MAX (256 * 1024)
#define GOOD "Status: 201 Created\r\nContent-Type: application/json\r\n\r\n{}"

struct fixture {
	char mount[64], file[160];
	int fds, watch;
	int is_taken; /* whether all that was sent last was read, or could have been */
	int peer;     /* of the connection that is answered */
	char answer[ANSWER_MAX];
};

/* A request as the web server sends it; a member that is NULL has the value of a good one. */
struct request {
	const char *verify, *subject, *name, *serial, *method, *target, *body;
	long long length; /* 0: the body's; negative: no length at all */
};

static void
put(const char *path, const char *text)
{
	AUTO(fclose_p) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static int
setup(void **state)
{
	static const char *const folders[] = { "gate", "gate/car7", "gate/car7/0A" };
	struct fixture *f = calloc(1, sizeof(*f));
	char path[160];

	*state = f;
	f->fds = fault_open_fds();
	strcpy(f->mount, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(f->mount));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->mount, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/README", f->mount);
	put(path, "mounted");
	snprintf(f->file, sizeof(f->file), "%s/gate/car7/0A/manifest", f->mount);
	put(f->file, "");
	f->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(f->watch, f->file, IN_ACCESS) >= 0);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	close(f->watch);
	snprintf(command, sizeof(command), "rm -rf %s", f->mount);
	assert_int_equal(system(command), 0);
	free(f);
	assert_int_equal(fault_open_fds(), fds);
	return 0;
}

/* Whether the transaction was read, so committed, since the last call. */
static int
was_committed(struct fixture *f)
{
	char events[4096];

	return read(f->watch, events, sizeof(events)) > 0;
}

static void *
serve(void *argument)
{
	struct fixture *f = argument;

	respond(f->peer, f->mount);
	close(f->peer);
	return NULL;
}

static size_t
add(char *out, const char *name, const char *value)
{
	return (size_t)sprintf(out, "%s", name) + 1 + (size_t)sprintf(out + strlen(name) + 1, "%s", value) + 1;
}

static const char *
either(const char *value, const char *otherwise)
{
	return value ? value : otherwise;
}

static size_t
write_head(const struct request *request, char *out)
{
	const char *body = either(request->body, GOOD);
	char head[4096], length[32];
	size_t n = 0;
	int digits;

	snprintf(length, sizeof(length), "%lld", request->length ? request->length : (long long)strlen(body));
	if (request->length >= 0)
		n += add(head + n, "CONTENT_LENGTH", length);
	n += add(head + n, "SCGI", "1");
	n += add(head + n, "REQUEST_METHOD", either(request->method, "PUT"));
	n += add(head + n, "REQUEST_URI", either(request->target, "/director/manifest"));
	n += add(head + n, "SSL_CLIENT_VERIFY", either(request->verify, "SUCCESS"));
	n += add(head + n, "SSL_CLIENT_S_DN", either(request->subject, "CN = car7"));
	n += add(head + n, "SSL_CLIENT_S_DN_CN", either(request->name, "car7"));
	n += add(head + n, "SSL_CLIENT_M_SERIAL", either(request->serial, "0A"));
	digits = sprintf(out, "%zu:", n);
	memcpy(out + digits, head, n);
	out[(size_t)digits + n] = ',';
	return (size_t)digits + n + 1;
}

/* Whether all of it was taken. */
static int
send_bytes(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);

		if (n < 0)
			return 0;
		data += n;
		bytes -= (size_t)n;
	}
	return 1;
}

static const char *
exchange(struct fixture *f, const char *head, size_t head_bytes, const char *body, size_t bytes)
{
	AUTO(close_p) int ours = -1;
	struct timeval patience = { .tv_sec = 10 };
	pthread_t thread;
	size_t got = 0;
	int pair[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ours = pair[0];
	f->peer = pair[1];
	setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(pthread_create(&thread, NULL, serve, f), 0);
	f->is_taken = send_bytes(ours, head, head_bytes) && send_bytes(ours, body, bytes);
	shutdown(ours, SHUT_WR);
	while ((n = read(ours, f->answer + got, ANSWER_MAX - 1 - got)) > 0)
		got += (size_t)n;
	/* It ends, and in time; a reset is the end when not all was read. */
	assert_true(n == 0 || errno == ECONNRESET);
	f->answer[got] = '\0';
	pthread_join(thread, NULL);
	return f->answer;
}

static const char *
ask(struct fixture *f, const struct request *request)
{
	const char *body = either(request->body, GOOD);
	char head[4200];

	return exchange(f, head, write_head(request, head), body, strlen(body));
}

/* A refusal is the status, a content type, and JSON of exactly the members that the old servers sent. */
static void
assert_refusal(const char *answer, const char *status, const char *code, const char *words)
{
	AUTO(json_decref_p) json_t *json = NULL;
	const char *body = strstr(answer, "\r\n\r\n");
	struct err err = { 0 };
	char line[128];

	snprintf(line, sizeof(line), "Status: %s\r\nContent-Type: application/json\r\n", status);
	if (strncmp(answer, line, strlen(line)) || !body)
		fail_msg("expected %s, got: %s", status, answer);
	assert_int_equal(json_read(body + 4, strlen(body + 4), "answer", &json, &err), 0);
	assert_int_equal(json_object_size(json), 4);
	assert_string_equal(json_text(json, "code"), code);
	if (!strstr(json_text(json, "description"), words))
		fail_msg("description is \"%s\", expected \"%s\" in it", json_text(json, "description"), words);
	assert_true(json_is_null(json_object_get(json, "cause")));
	assert_int_equal(strlen(json_text(json, "errorId")), 36);
	assert_int_equal(!strncmp(status, "503", 3), strstr(answer, "\r\nRetry-After: 30\r\n") != NULL);
}

static void
answers_what_the_transaction_answers(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(ask(f, &(struct request){ 0 }), GOOD);
	assert_true(was_committed(f));
}

static void
hands_in_the_body_as_it_is_whatever_its_size(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 8, 9, 65535, 65536, 65537, 1024 * 1024 - 1, 1024 * 1024 };
	AUTO(free_p) char *body = malloc(1024 * 1024 + 1), *stored = NULL;

	stored = malloc(1024 * 1024 + 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO(fclose_p) FILE *file = NULL;

		for (size_t at = 0; at < sizes[i]; at++)
			body[at] = (char)('a' + at % 23);
		memcpy(body, "Status: ", 8);
		body[sizes[i]] = '\0';
		put(f->file, "");
		ask(f, &(struct request){ .body = body });
		assert_true(f->is_taken);
		file = fopen(f->file, "r");
		assert_int_equal(fread(stored, 1, 1024 * 1024 + 1, file), sizes[i]);
		assert_memory_equal(stored, body, sizes[i]);
		/* Of a long reply the start is passed on. */
		assert_int_equal(strlen(f->answer), sizes[i] < 65536 ? sizes[i] : 65536);
	}
}

static void
commits_an_empty_body_too(void **state)
{
	struct fixture *f = *state;

	put(f->file, GOOD); /* stands for the answer to nothing */
	assert_string_equal(ask(f, &(struct request){ .body = "" }), GOOD);
	assert_true(was_committed(f));
}

static void
never_commits_a_body_that_ends_early(void **state)
{
	struct fixture *f = *state;
	char head[4200];
	size_t n = write_head(&(struct request){ 0 }, head);

	for (size_t cut = 0; cut < strlen(GOOD); cut++) {
		assert_refusal(exchange(f, head, n, GOOD, cut), "400 Bad Request", "body_incomplete",
		    "the body ends before its length");
		assert_false(was_committed(f));
	}
	assert_string_equal(exchange(f, head, n, GOOD, strlen(GOOD)), GOOD);
	assert_true(was_committed(f));
}

static void
refuses_a_broken_head(void **state)
{
	struct fixture *f = *state;
	char head[4200];
	size_t n = write_head(&(struct request){ 0 }, head);

	for (size_t cut = 0; cut < n; cut++)
		assert_refusal(exchange(f, head, cut, "", 0), "400 Bad Request", "bad_request",
		    "SCGI: the head ends after");
	assert_refusal(ask(f, &(struct request){ .length = -1 }), "400 Bad Request", "bad_request",
	    "does not start with a CONTENT_LENGTH");
	assert_refusal(
	    exchange(f, "GET / HTTP/1.1\r\n\r\n", 18, "", 0), "400 Bad Request", "bad_request", "no netstring");
	assert_false(was_committed(f));
}

static void
refuses_certificates_before_it_looks_at_anything_else(void **state)
{
	static const struct {
		struct request request;
		const char *words;
	} bad[] = {
		{ { .verify = "" }, "not verified" },
		{ { .verify = "NONE" }, "not verified" },
		{ { .verify = "FAILED:certificate has expired" }, "not verified" },
		{ { .subject = "CN = car8, CN = car7" }, "not CN=car7 and nothing else" },
		{ { .subject = "O = x, CN = car7" }, "not CN=car7 and nothing else" },
		{ { .subject = "" }, "not CN=car7 and nothing else" },
		{ { .name = "", .subject = "CN = " }, "device id is empty" },
		{ { .name = "car7/../car8", .subject = "CN = car7/../car8" }, "not allowed there" },
		{ { .name = "..", .subject = "CN = .." }, "is a path, not a name" },
		{ { .name = "a\"b", .subject = "CN = a\"b" }, "character 2 (0x22)" },
		{ { .name = "a\r\nb", .subject = "CN = a\r\nb" }, "a\\x0d\\x0ab" },
		{ { .serial = "0a" }, "certificate serial" },
		{ { .serial = "" }, "certificate serial is empty" },
		{ { .serial = "../0A" }, "certificate serial" },
		{ { .verify = "NONE", .target = "/nowhere" }, "not verified" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refusal(
		    ask(f, &bad[i].request), "403 Forbidden", "certificate_not_accepted", bad[i].words);
	assert_false(was_committed(f));
}

static void
tells_an_unknown_certificate_from_a_tree_that_is_away(void **state)
{
	struct fixture *f = *state;
	char path[160];

	assert_refusal(ask(f, &(struct request){ .serial = "0B" }), "403 Forbidden", "unknown_device",
	    "no device car7 with certificate 0B");
	assert_refusal(ask(f, &(struct request){ .name = "car8", .subject = "CN=car8" }), "403 Forbidden",
	    "unknown_device", "no device car8 with certificate 0A");
	snprintf(path, sizeof(path), "%s/README", f->mount);
	assert_int_equal(unlink(path), 0);
	assert_refusal(ask(f, &(struct request){ .serial = "0B" }), "503 Service Unavailable", "not_available",
	    "No such file or directory");
	assert_false(was_committed(f));
}

static void
does_not_follow_links(void **state)
{
	struct fixture *f = *state;
	char path[192];

	snprintf(path, sizeof(path), "%s.real", f->file);
	assert_int_equal(rename(f->file, path), 0);
	assert_int_equal(symlink(path, f->file), 0);
	assert_refusal(
	    ask(f, &(struct request){ 0 }), "503 Service Unavailable", "not_available", "symbolic links");
}

static void
refuses_paths_and_methods(void **state)
{
	struct fixture *f = *state;

	assert_refusal(ask(f, &(struct request){ .target = "/repo/targets.json" }), "404 Not Found",
	    "not_found", "nothing is taken in under this path");
	assert_refusal(
	    ask(f, &(struct request){ .target = "" }), "404 Not Found", "not_found", "nothing is taken");
	assert_refusal(ask(f, &(struct request){ .method = "POST" }), "405 Method Not Allowed",
	    "method_not_allowed", "not by this method");
	assert_refusal(
	    ask(f, &(struct request){ .method = "" }), "405 Method Not Allowed", "method_not_allowed", "");
	assert_false(was_committed(f));
}

static void
refuses_a_body_that_is_too_long_but_takes_it_so_that_the_answer_is_read(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *body = malloc(10 * 1024 * 1024 + 1);

	memset(body, 'x', 10 * 1024 * 1024);
	body[10 * 1024 * 1024] = '\0';
	assert_refusal(ask(f, &(struct request){ .body = body }), "413 Content Too Large", "body_too_large",
	    "/director/manifest: the body has 10485760 bytes, at most 1048576 are allowed");
	assert_true(f->is_taken);
	body[1024 * 1024 + 1] = '\0';
	assert_refusal(ask(f, &(struct request){ .body = body }), "413 Content Too Large", "body_too_large",
	    "has 1048577 bytes");
	assert_true(f->is_taken);
	assert_false(was_committed(f));
}

static void
answers_at_once_when_a_body_is_too_long_to_be_taken(void **state)
{
	struct fixture *f = *state;
	struct timeval patience = { .tv_sec = 5 };
	pthread_t thread;
	char head[4200];
	size_t n = write_head(&(struct request){ .length = 999999999999999999 }, head);
	ssize_t got;
	int pair[2];

	/* The peer does not go away, and does not send either. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->peer = pair[1];
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(pthread_create(&thread, NULL, serve, f), 0);
	assert_true(send_bytes(pair[0], head, n));
	got = read(pair[0], f->answer, ANSWER_MAX - 1);
	close(pair[0]);
	pthread_join(thread, NULL);
	assert_true(got > 0);
	f->answer[got] = '\0';
	assert_refusal(f->answer, "413 Content Too Large", "body_too_large", "has 999999999999999999 bytes");
}

static void
says_what_the_tree_refuses_to_take(void **state)
{
	struct rlimit old, small;
	struct fixture *f = *state;

	/* The tree refuses a byte beyond a transaction's room by EFBIG, as a file system does beyond a limit.
	 */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	ask(f, &(struct request){ 0 });
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_refusal(f->answer, "413 Content Too Large", "body_too_large", "File too large");
	assert_false(was_committed(f));
}

static void
says_503_when_the_tree_gives_no_answer(void **state)
{
	static const char *const answers[] = { "", "Status:", "status: 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		put(f->file, "");
		assert_refusal(ask(f, &(struct request){ .body = answers[i] }), "503 Service Unavailable",
		    "not_available", "the tree gave no answer");
	}
	/* What can be written but not read from its start. */
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	assert_refusal(
	    ask(f, &(struct request){ 0 }), "503 Service Unavailable", "not_available", "Illegal seek");
}

static void
leaks_nothing_and_commits_nothing_half_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int calls = 0, fds = fault_open_fds(), is_reached;

	do {
		put(f->file, "");
		was_committed(f);
		fault_after(calls++);
		ask(f, &(struct request){ 0 });
		is_reached = fault_stop();
		assert_int_equal(fault_open_fds(), fds);
		/* Memory that jansson asks for comes from elsewhere, so each fault here is one of respond()'s
		 * own. */
		if (is_reached)
			assert_int_equal(strncmp(f->answer, "Status: 503 Service Unavailable\r\n", 33), 0);
		assert_int_equal(was_committed(f), !is_reached);
	} while (is_reached);
	assert_string_equal(f->answer, GOOD);
	assert_true(calls >= 4); /* two buffers, a write, and then none */
}

static void
outlives_a_peer_that_is_gone(void **state)
{
	struct fixture *f = *state;
	char head[4200];
	size_t n = write_head(&(struct request){ 0 }, head);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(send_bytes(pair[0], head, n));
	assert_true(send_bytes(pair[0], GOOD, strlen(GOOD)));
	close(pair[0]);
	respond(pair[1], f->mount); /* a signal would end the test */
	close(pair[1]);
	assert_true(was_committed(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_what_the_transaction_answers),
		TEST(hands_in_the_body_as_it_is_whatever_its_size),
		TEST(commits_an_empty_body_too),
		TEST(never_commits_a_body_that_ends_early),
		TEST(refuses_a_broken_head),
		TEST(refuses_certificates_before_it_looks_at_anything_else),
		TEST(tells_an_unknown_certificate_from_a_tree_that_is_away),
		TEST(does_not_follow_links),
		TEST(refuses_paths_and_methods),
		TEST(refuses_a_body_that_is_too_long_but_takes_it_so_that_the_answer_is_read),
		TEST(answers_at_once_when_a_body_is_too_long_to_be_taken),
		TEST(says_what_the_tree_refuses_to_take),
		TEST(says_503_when_the_tree_gives_no_answer),
		TEST(leaks_nothing_and_commits_nothing_half_whatever_fails),
		TEST(outlives_a_peer_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
