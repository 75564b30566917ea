/* Answers to SCGI requests, by the loop and the pool of ota-gate. Plain files stand for transaction files: what
 * is written into one is what a read from the start gives, so a body that looks like an answer comes back, and
 * inotify sees whether the read, which is the commit, took place. ioctl(), pwritev() and pread() of this
 * program are what otafs does with a series. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "gateway/gate.h"
#include "lib/cleanup.h"
#include "lib/exchange.h"
#include "lib/json.h"
#include "tests/unit/fault.h"

#define ANSWER_MAX (256 * 1024)
#define GOOD "Status: 201 Created\r\nContent-Type: application/json\r\n\r\n{}"

struct fixture {
	char mount[64], file[160];
	int fds, watch, threads;
	int is_taken; /* whether all that was sent last was read, or could have been */
	struct config config;
	struct pool *pool;
	int listener, signals; /* signals: an eventfd */
	pthread_t gate;
	int left; /* what gate_run() returned */
	char answer[ANSWER_MAX];
};

/* A request as the web server sends it; a member that is NULL has the value of a good one. */
struct request {
	const char *verify, *subject, *name, *serial, *method, *target, *body, *certificate;
	long long length; /* 0: the body's; negative: no length at all */
};

/* ---- a tree */

/* What a thread's series has now; -1: there is no such file. */
static _Thread_local int transaction = -1;

/* Where gate/ is of the series @fd; of one that is not in its place any more, errno is that of a mount that has
 * ended. */
static int
gate_of(int fd, char gate[static 256])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, gate, 255);
	assert_true(n > 0);
	gate[n] = '\0';
	if (!strstr(gate, " (deleted)"))
		return (int)(strstr(gate, ".series/") - gate);
	errno = ENOTCONN;
	return -1;
}

/* After so many bytes of a body the mount ends; 0: it does not. */
static _Atomic size_t ends_after;

/* As the kernel does with the pieces of a write: what came before an error, or the error. */
static ssize_t
write_body(const char *body, size_t bytes)
{
	size_t most = ends_after && ends_after < bytes ? ends_after : bytes, at = 0;

	while (at < most) {
		ssize_t n = write(transaction, body + at, most - at);

		if (n < 0)
			return at ? (ssize_t)at : n;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static void
end_transaction(void)
{
	int code = errno;

	if (transaction >= 0)
		close(transaction);
	transaction = -1;
	errno = code;
}

ssize_t
pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	char path[512];
	int n = gate_of(fd, path);
	ssize_t written;

	assert_int_equal(count, 2);
	assert_int_equal(offset, 0);
	if (n < 0)
		return -1;
	snprintf(path + n, sizeof(path) - (size_t)n, "%.*s", (int)parts[0].iov_len - 1,
	    (const char *)parts[0].iov_base);
	assert_int_equal(((const char *)parts[0].iov_base)[parts[0].iov_len - 1], '\n');
	end_transaction();
	transaction = open(path, O_RDWR | O_CLOEXEC);
	if (transaction < 0)
		return (ssize_t)(parts[0].iov_len + parts[1].iov_len);
	written = write_body(parts[1].iov_base, parts[1].iov_len);
	if (written < 0)
		end_transaction();
	return written < 0 ? -1 : (ssize_t)parts[0].iov_len + written;
}

ssize_t
pwrite64(int fd, const void *data, size_t bytes, off64_t offset)
{
	ssize_t n = -1;

	(void)fd;
	assert_true(offset > 0);
	errno = ENOTCONN;
	if (!ends_after)
		n = write_body(data, bytes);
	if (n < 0)
		end_transaction();
	return n;
}

ssize_t
pread64(int fd, void *data, size_t bytes, off64_t offset)
{
	ssize_t n = -1;

	(void)fd;
	errno = ENOENT;
	if (transaction >= 0)
		n = syscall(SYS_pread64, transaction, data, bytes, offset);
	if (n < (ssize_t)bytes || offset)
		end_transaction();
	return n;
}

/* A write and a read of the whole answer, for which the buffer may be too small. */
int
ioctl(int fd, unsigned long command, ...)
{
	static _Thread_local char answer[EXCHANGE_BYTES_MAX];
	size_t bytes = _IOC_SIZE(command), head;
	ssize_t n;
	va_list args;
	char *data;

	va_start(args, command);
	data = va_arg(args, char *);
	va_end(args);
	assert_int_equal(command, EXCHANGE(bytes));
	head = (size_t)((char *)memchr(data, '\n', bytes) - data) + 1;
	n = pwritev64(fd, (struct iovec[]){ { data, head }, { data + head, bytes - head } }, 2, 0);
	if (n < 0 || ((size_t)n < bytes && pwrite64(fd, data + n, bytes - (size_t)n, n) < 0))
		return -1;
	n = pread64(fd, answer, bytes, 0);
	if (n < (ssize_t)bytes)
		memcpy(data, answer, n < 0 ? 0 : (size_t)n);
	else
		memcpy(data, answer, bytes), n = (int)lseek(transaction, 0, SEEK_END);
	return (int)n;
}

static void
put(const char *path, const char *text)
{
	AUTO(fclose_p) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static void *
run_gate(void *data)
{
	struct fixture *f = data;
	struct err err = { 0 };

	f->left = gate_run(&f->config, f->pool, f->listener, false, f->signals, &err);
	return NULL;
}

static void
listen_at(struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/gate.sock", f->mount);
	unlink(address.sun_path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 64), 0);
}

/* A gate with small limits. */
static void
restart_gate(struct fixture *f, int64_t client_seconds)
{
	struct err err = { 0 };

	f->config = (struct config){ .manifest_kb = 1024,
		.ecus_kb = 1024,
		.events_kb = 1024,
		.system_info_kb = 4096,
		.network_kb = 64,
		.config_kb = 256,
		.installed_kb = 4096,
		.gate_memory_mb = 8,
		.client_seconds = client_seconds,
		.device_connections = 64 };
	snprintf(f->config.mount, sizeof(f->config.mount), "%s", f->mount);
	listen_at(f);
	f->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(pool_new(f->mount, f->threads, &f->pool, &err), 0);
	assert_int_equal(pthread_create(&f->gate, NULL, run_gate, f), 0);
}

static void
stop_gate(struct fixture *f)
{
	if (!f->pool)
		return;
	eventfd_write(f->signals, 1);
	pthread_join(f->gate, NULL);
	assert_int_equal(f->left, 0);
	pool_free(f->pool);
	f->pool = NULL;
	close(f->listener);
	close(f->signals);
}

/* Files for the series of all threads; those that were there are removed, as a mount that has ended. */
static void
put_series(const char *mount)
{
	char path[160];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/gate/.series/%d", mount, i);
		unlink(path);
		put(path, "");
	}
}

static int
setup(void **state)
{
	static const char *const folders[] = { "gate", "gate/.series", "gate/car7", "gate/car7/0A" };
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
	put_series(f->mount);
	f->threads = 4;
	snprintf(f->file, sizeof(f->file), "%s/gate/car7/0A/manifest", f->mount);
	put(f->file, "");
	f->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(f->watch, f->file, IN_ACCESS) >= 0);
	restart_gate(f, 5);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int fds = f->fds;

	stop_gate(f);
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
	if (request->certificate)
		n += add(head + n, "SSL_CLIENT_CERT", request->certificate);
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

static int
connect_to(const struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/gate.sock", f->mount);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* All until the end, into f->answer. */
static const char *
read_answer(struct fixture *f, int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, f->answer + got, ANSWER_MAX - 1 - got)) > 0)
		got += (size_t)n;
	/* It ends, and in time; a reset is the end when not all was read. */
	assert_true(n == 0 || errno == ECONNRESET);
	f->answer[got] = '\0';
	return f->answer;
}

static const char *
exchange(struct fixture *f, const char *head, size_t head_bytes, const char *body, size_t bytes)
{
	AUTO(close_p) int fd = connect_to(f);

	f->is_taken = send_bytes(fd, head, head_bytes) && send_bytes(fd, body, bytes);
	shutdown(fd, SHUT_WR);
	return read_answer(f, fd);
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
	assert_int_equal(!strncmp(status, "503", 3) || !strncmp(status, "429", 3),
	    strstr(answer, "\r\nRetry-After: 30\r\n") != NULL);
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
		if (sizes[i] <= 65537)
			assert_int_equal(strlen(f->answer), sizes[i]);
		else
			assert_refusal(f->answer, "503 Service Unavailable", "not_available",
			    "the tree's answer is too long");
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
	char command[192];

	assert_refusal(ask(f, &(struct request){ .serial = "0B" }), "403 Forbidden", "unknown_device",
	    "no device car7 with certificate 0B");
	assert_refusal(ask(f, &(struct request){ .name = "car8", .subject = "CN=car8" }), "403 Forbidden",
	    "unknown_device", "no device car8 with certificate 0A");
	snprintf(command, sizeof(command), "rm -r %s/gate/.series", f->mount);
	assert_int_equal(system(command), 0);
	assert_refusal(ask(f, &(struct request){ .serial = "0B" }), "503 Service Unavailable", "not_available",
	    "No such file or directory");
	assert_false(was_committed(f));
}

/* Its threads have the tree open all the time. */
static void
goes_on_with_a_tree_that_was_mounted_anew(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 8; i++) {
		assert_string_equal(ask(f, &(struct request){ 0 }), GOOD);
		put_series(f->mount);
	}
	assert_true(was_committed(f));
}

static void
does_not_follow_links(void **state)
{
	struct fixture *f = *state;
	char command[512];

	snprintf(command, sizeof(command),
	    "cd %s/gate/.series && for n in 0 1 2 3; do mv $n $n.real; ln -s $n.real $n; done", f->mount);
	assert_int_equal(system(command), 0);
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
	AUTO(close_p) int fd = connect_to(f);
	char head[4200];

	/* The peer does not go away, and does not send either. */
	assert_true(send_bytes(fd, head, write_head(&(struct request){ .length = 999999999999999999 }, head)));
	assert_refusal(
	    read_answer(f, fd), "413 Content Too Large", "body_too_large", "has 999999999999999999 bytes");
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
does_not_call_a_body_too_large_when_the_tree_ends_in_its_middle(void **state)
{
	struct fixture *f = *state;

	ends_after = 10;
	ask(f, &(struct request){ 0 });
	ends_after = 0;
	assert_refusal(f->answer, "503 Service Unavailable", "not_available", "Transport endpoint");
	assert_false(was_committed(f));
}

/* By an exchange, and by a write and reads. */
static void
passes_on_bodies_and_answers_of_any_length(void **state)
{
	static const size_t behind[] = { 0, 1, 4000, 4096, EXCHANGE_BYTES_MAX - 400, EXCHANGE_BYTES_MAX - 300,
		EXCHANGE_BYTES_MAX - 200, EXCHANGE_BYTES_MAX + 1, 60000 };
	char body[sizeof(GOOD) + 60000], old[sizeof(body)];
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		snprintf(body, sizeof(body), "%s%*s", GOOD, (int)behind[i], "");
		assert_string_equal(ask(f, &(struct request){ .body = body }), body);
		/* What is there already stands behind what is written, and so makes the answer longer. */
		snprintf(old, sizeof(old), "%*s", (int)strlen(body), "");
		put(f->file, old);
		assert_string_equal(ask(f, &(struct request){ 0 }), body);
	}
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
leaks_nothing_and_answers_what_it_commits_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int calls = 0, fds, is_reached;

	stop_gate(f);
	f->threads = 1; /* which opens its series once */
	restart_gate(f, 5);
	ask(f, &(struct request){ 0 });
	fds = fault_open_fds();
	do {
		put(f->file, "");
		was_committed(f);
		fault_after(calls++);
		ask(f, &(struct request){ 0 });
		is_reached = fault_stop();
		assert_int_equal(fault_open_fds(), fds);
		assert_int_equal(was_committed(f), !strcmp(f->answer, GOOD));
		/* Without memory for the connection itself there is nobody to say so. */
		if (*f->answer && strcmp(f->answer, GOOD))
			assert_int_equal(strncmp(f->answer, "Status: 503 Service Unavailable\r\n", 33), 0);
	} while (is_reached);
	assert_string_equal(f->answer, GOOD);
	assert_true(calls >= 5); /* a connection, a head, a body, a write, a reply, and then none */
}

static void
outlives_a_peer_that_is_gone(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f);
	char head[4200];

	assert_true(send_bytes(fd, head, write_head(&(struct request){ 0 }, head)));
	assert_true(send_bytes(fd, GOOD, strlen(GOOD)));
	close(fd);
	stop_gate(f); /* a signal would end the test */
	assert_true(was_committed(f));
}

/* -- many, and slow ones -- */

/* A connection on which the head, and @bytes of a body as long as @length, were sent. */
static int
begin(const struct fixture *f, const struct request *request, size_t bytes)
{
	AUTO(free_p) char *body = calloc(1, bytes + 1);
	int fd = connect_to(f);
	char head[4200];

	assert_true(send_bytes(fd, head, write_head(request, head)));
	memset(body, 'x', bytes);
	assert_true(send_bytes(fd, body, bytes));
	return fd;
}

static void
with_seconds(struct fixture *f, int64_t seconds)
{
	stop_gate(f);
	restart_gate(f, seconds);
}

static void
refuses_what_does_not_come_to_its_end_in_time_wherever_it_stops(void **state)
{
	struct fixture *f = *state;
	char head[4200];
	size_t n = write_head(&(struct request){ 0 }, head), cuts[] = { 0, 1, 3, 4, 20, n - 1, n };
	int fds[7];

	with_seconds(f, 1);
	for (size_t i = 0; i < 7; i++) {
		fds[i] = connect_to(f);
		assert_true(send_bytes(fds[i], head, cuts[i]));
	}
	for (size_t i = 0; i < 7; i++) {
		assert_refusal(read_answer(f, fds[i]), "408 Request Timeout", "request_too_slow",
		    "did not come to its end in time");
		close(fds[i]);
	}
	assert_false(was_committed(f));
}

static void
slow_ones_do_not_keep_others_waiting(void **state)
{
	struct fixture *f = *state;
	int fds[30];

	for (size_t i = 0; i < 30; i++)
		fds[i] = begin(f, &(struct request){ 0 }, i);
	assert_string_equal(ask(f, &(struct request){ 0 }), GOOD);
	for (size_t i = 0; i < 30; i++)
		close(fds[i]);
}

static void
takes_a_request_that_comes_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = connect_to(f);
	char head[4200];
	size_t n = write_head(&(struct request){ 0 }, head);

	for (size_t i = 0; i < n; i++)
		assert_true(send_bytes(fd, head + i, 1));
	for (size_t i = 0; i < strlen(GOOD); i++)
		assert_true(send_bytes(fd, GOOD + i, 1));
	assert_string_equal(read_answer(f, fd), GOOD);
}

static void
does_not_look_at_what_comes_behind_the_body(void **state)
{
	struct fixture *f = *state;
	char sent[16384], head[4200];
	size_t n = write_head(&(struct request){ 0 }, head), bytes = 0;

	for (int i = 0; i < 3; i++) {
		memcpy(sent + bytes, head, n);
		memcpy(sent + bytes + n, GOOD, strlen(GOOD));
		bytes += n + strlen(GOOD);
	}
	assert_string_equal(exchange(f, sent, bytes, "", 0), GOOD);
	put(f->file, "");
	was_committed(f);
	usleep(50 * 1000);
	assert_false(was_committed(f));
}

/* Of memory for 8 MiB, two connections of different devices take all. */
static void
fill(struct fixture *f, int fds[2])
{
	static const struct request large[] = {
		{ .target = "/system_info", .length = 4 * 1024 * 1024 },
		{ .target = "/system_info", .length = 4 * 1024 * 1024, .name = "car8", .subject = "CN=car8" },
	};

	for (int i = 0; i < 2; i++)
		fds[i] = begin(f, &large[i], 10);
	usleep(50 * 1000); /* both have their room */
}

static void
who_does_not_fit_waits_for_room(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = -1;
	int fds[2];
	char c;

	fill(f, fds);
	fd = begin(f, &(struct request){ 0 }, 0);
	send_bytes(fd, GOOD, strlen(GOOD));
	usleep(100 * 1000);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(fds[0]);
	assert_string_equal(read_answer(f, fd), GOOD);
	close(fds[1]);
}

static void
who_waits_too_long_for_room_is_told_to_come_again(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = -1;
	int fds[2];

	with_seconds(f, 4);
	fill(f, fds);
	fd = begin(f, &(struct request){ .length = 10 }, 10);
	assert_refusal(
	    read_answer(f, fd), "429 Too Many Requests", "too_many_requests", "no room for the body");
	close(fds[0]);
	close(fds[1]);
	assert_false(was_committed(f));
}

static void
one_certificate_does_not_take_all_the_room(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = -1;
	int fds[2];

	fds[0] = begin(f, &(struct request){ .target = "/system_info", .length = 4 * 1024 * 1024 }, 1);
	fds[1] = begin(f, &(struct request){ .length = 1024 * 1024 }, 1);
	usleep(50 * 1000);
	fd = begin(f, &(struct request){ .length = 10 }, 10);
	assert_refusal(read_answer(f, fd), "429 Too Many Requests", "too_many_requests",
	    "this certificate's other requests take all the room");
	assert_refusal(ask(f, &(struct request){ .name = "car8", .subject = "CN=car8" }), "403 Forbidden",
	    "unknown_device", "no device car8");
	close(fds[0]);
	close(fds[1]);
}

static void
ends_what_has_begun_before_it_ends_itself(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = begin(f, &(struct request){ 0 }, 0);
	int signals = f->signals;

	usleep(50 * 1000);
	eventfd_write(signals, 1);
	usleep(50 * 1000);
	assert_true(send_bytes(fd, GOOD, strlen(GOOD)));
	assert_string_equal(read_answer(f, fd), GOOD);
	stop_gate(f);
	assert_true(was_committed(f));
}

/* -- introductions -- */

static void
put_introduce(const struct fixture *f)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/gate/.introduce", f->mount);
	put(path, "");
}

static void
shows_the_certificate_of_who_is_not_known(void **state)
{
	struct fixture *f = *state;
	struct request unknown = { .serial = "0B",
		.certificate = "Status: 403 Forbidden\r\n\r\nnot one of ours" };

	/* A tree that takes none. */
	assert_refusal(ask(f, &unknown), "403 Forbidden", "unknown_device", "no device car7");
	put_introduce(f);
	assert_string_equal(ask(f, &unknown), "Status: 403 Forbidden\r\n\r\nnot one of ours");
	assert_false(was_committed(f));
	/* Nothing to show. */
	unknown.certificate = NULL;
	assert_refusal(ask(f, &unknown), "403 Forbidden", "unknown_device", "no device car7");
}

static void
asks_once_again_after_an_introduction(void **state)
{
	struct fixture *f = *state;
	struct request unknown = { .serial = "0B", .certificate = "Status: 204 No Content\r\n\r\n" };

	put_introduce(f);
	assert_refusal(ask(f, &unknown), "403 Forbidden", "unknown_device", "no device car7");
}

static void
does_not_introduce_who_is_known(void **state)
{
	struct fixture *f = *state;
	struct request known = { .certificate = "Status: 403 Forbidden\r\n\r\n" };

	put_introduce(f);
	assert_string_equal(ask(f, &known), GOOD);
}

static void
says_503_when_an_introduction_gets_no_answer(void **state)
{
	struct fixture *f = *state;
	struct request unknown = { .serial = "0B", .certificate = "-----BEGIN" };

	put_introduce(f);
	assert_refusal(ask(f, &unknown), "503 Service Unavailable", "not_available", "the tree gave no answer");
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
		TEST(goes_on_with_a_tree_that_was_mounted_anew),
		TEST(does_not_follow_links),
		TEST(refuses_paths_and_methods),
		TEST(refuses_a_body_that_is_too_long_but_takes_it_so_that_the_answer_is_read),
		TEST(answers_at_once_when_a_body_is_too_long_to_be_taken),
		TEST(says_what_the_tree_refuses_to_take),
		TEST(does_not_call_a_body_too_large_when_the_tree_ends_in_its_middle),
		TEST(passes_on_bodies_and_answers_of_any_length),
		TEST(says_503_when_the_tree_gives_no_answer),
		TEST(leaks_nothing_and_answers_what_it_commits_whatever_fails),
		TEST(outlives_a_peer_that_is_gone),
		TEST(refuses_what_does_not_come_to_its_end_in_time_wherever_it_stops),
		TEST(slow_ones_do_not_keep_others_waiting),
		TEST(takes_a_request_that_comes_byte_by_byte),
		TEST(does_not_look_at_what_comes_behind_the_body),
		TEST(who_does_not_fit_waits_for_room),
		TEST(who_waits_too_long_for_room_is_told_to_come_again),
		TEST(one_certificate_does_not_take_all_the_room),
		TEST(ends_what_has_begun_before_it_ends_itself),
		TEST(shows_the_certificate_of_who_is_not_known),
		TEST(asks_once_again_after_an_introduction),
		TEST(does_not_introduce_who_is_known),
		TEST(says_503_when_an_introduction_gets_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
