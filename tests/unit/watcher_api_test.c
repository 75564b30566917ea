/* What stands between a web server and the handlers: paths, queries, who asks, which route, bodies and answers.
 */
#include "tests/unit/unit.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/unit/fault.h"
#include "watcher/api.h"
#include "watcher/multipart.h"
#include "watcher/pushed.h"

#define ANSWER_MAX 8192

static char rest_seen[256], body_seen[64];

static void
echo(struct api_request *request, const char *rest)
{
	AUTO(free_p) char *body = NULL;
	size_t bytes = 0;

	snprintf(rest_seen, sizeof(rest_seen), "%s", rest);
	if (strcmp(request->method, "PUT")) {
		api_reply(request, "200 OK", "X-A: b\r\n", request->user, strlen(request->user));
		return;
	}
	if (api_body(request, 8, &body, &bytes) < 0)
		return;
	snprintf(body_seen, sizeof(body_seen), "%s", body);
	api_reply(request, "204 No Content", "", NULL, 0);
}

static void
silent(struct api_request *request, const char *rest)
{
	(void)request;
	(void)rest;
}

static const char *const prefixes[] = { "/a/", "/a/b/", NULL };
static const struct api_route routes[] = {
	{ "GET HEAD", "one", echo, API_PUSHER },
	{ "PUT", "one", echo, API_PUSHER },
	{ "GET", "many/", echo, API_PUSHER },
	{ "GET", "own", echo, API_OWNER },
	{ "GET", "silent", silent, API_PUSHER },
	{ "GET", "*.end", echo, API_PUSHER },
	{ 0 },
};
static const struct api_route public_routes[] = { { "GET", "public/", echo, API_PUSHER }, { 0 } };
static const struct api_table table = { prefixes, routes, false };
static const struct api_table public_table = { prefixes, public_routes, true };
static const struct api_table *const tables[] = { &table, &public_table, NULL };
static struct config config = { .build_owners = "ann  bob" };

/* Appends "NAME\0VALUE\0". */
static size_t
put(char *head, size_t at, const char *name, const char *value)
{
	memcpy(head + at, name, strlen(name) + 1);
	at += strlen(name) + 1;
	memcpy(head + at, value, strlen(value) + 1);
	return at + strlen(value) + 1;
}

/* Of the builders' passwords, and what the client says. */
static const char *password_file = "/nonexistent/htpasswd", *authorization = "";

/* A client that neither sends the rest nor hangs up. */
static bool is_held;

/* Sends a request of which @body arrives though @length was announced; gives the answer. */
static const char *
ask(const char *method, const char *target, const char *user, const char *body, size_t length)
{
	static char answer[ANSWER_MAX];
	struct timeval patience = { .tv_sec = 10 };
	AUTO(login_freep) struct login *login = login_new(password_file);
	struct api api = { .tables = tables, .config = &config, .login = login };
	char head[2048], number[24], netstring[2300];
	size_t n = 0, used = 0;
	ssize_t got;
	int ends[2], bytes;

	snprintf(number, sizeof(number), "%zu", length);
	n = put(head, n, "CONTENT_LENGTH", number);
	n = put(head, n, "SCGI", "1");
	n = put(head, n, "REQUEST_METHOD", method);
	n = put(head, n, "REQUEST_URI", target);
	n = put(head, n, "REMOTE_USER", user);
	n = put(head, n, "HTTP_AUTHORIZATION", authorization);
	bytes = snprintf(netstring, sizeof(netstring), "%zu:", n);
	memcpy(netstring + bytes, head, n);
	netstring[(size_t)bytes + n] = ',';
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(send(ends[0], netstring, (size_t)bytes + n + 1, 0), (size_t)bytes + n + 1);
	assert_int_equal(send(ends[0], body, strlen(body), 0), strlen(body));
	if (!is_held)
		shutdown(ends[0], SHUT_WR);
	setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	api_serve(ends[1], &api);
	close(ends[1]);
	while ((got = read(ends[0], answer + used, sizeof(answer) - 1 - used)) > 0)
		used += (size_t)got;
	answer[used] = '\0';
	close(ends[0]);
	return answer;
}

#define assert_answer(answer, words)                                                                           \
	do {                                                                                                   \
		const char *answer_ = (answer);                                                                \
		if (!strstr(answer_, (words)))                                                                 \
			fail_msg("answer is \"%s\", expected \"%s\" in it", answer_, (words));                 \
	} while (0)

static void
checks_passwords(void **state)
{
	char path[] = "/tmp/otafs-htpasswd-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "ann:%s\n", crypt("secret", "$6$saltsalt$"));
	password_file = path;
	authorization = "Basic YW5uOnNlY3JldA==";
	assert_answer(ask("PUT", "/a/one", "", "1", 1), "Status: 204 ");
	assert_answer(ask("GET", "/a/own", "", "", 0), "Status: 200 ");
	authorization = "Basic YW5uOndyb25n";
	for (int i = 0; i < 2; i++) {
		assert_answer(ask("PUT", "/a/one", "", "1", 1), "Status: 401 ");
		assert_answer(ask("PUT", "/a/one", "", "1", 1), "WWW-Authenticate: Basic");
	}
	assert_answer(ask("GET", "/a/public/x", "", "", 0), "Status: 200 ");
	close(fd);
	unlink(path);
	password_file = "/nonexistent/htpasswd";
	assert_answer(ask("PUT", "/a/one", "", "1", 1), "Status: 401 ");
	password_file = "/tmp";
	assert_answer(ask("PUT", "/a/one", "", "1", 1), "Status: 503 ");
	assert_answer(ask("PUT", "/a/one", "", "1", 1), "build_passwords");
	password_file = "/nonexistent/htpasswd";
	authorization = "";
}

static void
lets_nobody_hold_a_thread(void **state)
{
	time_t start = time(NULL);

	(void)state;
	is_held = true;
	assert_answer(ask("POST", "/a/public/x", "", "x", 1000000), "Status: 401 ");
	is_held = false;
	assert_in_range(time(NULL) - start, 0, 5);
}

static void
decodes_paths(void **state)
{
	static const char *const cases[][2] = { { "/a/b", "/a/b" }, { "//a///b/", "/a/b" },
		{ "/a%20b%2Fc", "/a b/c" }, { "/a?b=/../c", "/a" }, { "/", "/" }, { "//", "/" },
		{ "/..a/b../.../.b", "/..a/b../.../.b" }, { "/%2f%2Fa%2f", "/a" }, { "/%41%7e", "/A~" } };
	char path[API_PATH_SIZE];
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(api_decode_path(cases[i][0], path, &err), 0);
		assert_string_equal(path, cases[i][1]);
	}
}

static void
refuses_paths_with_tricks(void **state)
{
	static const char *const cases[][2] = { { "", "no path" }, { "a", "no path" },
		{ "http://x/", "no path" }, { "/a/..", "\"..\"" }, { "/../a", "\"..\"" }, { "/a/./b", "\".\"" },
		{ "/%2e%2E/a", "\"..\"" }, { "/a%2f..%2fb", "\"..\"" }, { "/.", "\".\"" },
		{ "/a/../", "\"..\"" }, { "/%00", "0x00" }, { "/a%0ab", "0x0a" }, { "/a\tb", "0x09" },
		{ "/%7f", "0x7f" }, { "/%", "hex" }, { "/%4", "hex" }, { "/%g0", "hex" }, { "/%0", "hex" },
		{ "/%1\x10", "hex" } };
	char path[API_PATH_SIZE], target[API_PATH_SIZE + 8];
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(api_decode_path(cases[i][0], path, &err), -EBADMSG);
		assert_reason(err, cases[i][1]);
	}
	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[API_PATH_SIZE - 1] = '\0';
	assert_int_equal(api_decode_path(target, path, &err), 0);
	target[API_PATH_SIZE - 1] = 'a';
	target[API_PATH_SIZE] = '\0';
	assert_int_equal(api_decode_path(target, path, &err), -EBADMSG);
	assert_reason(err, "longer than");
}

static void
finds_values_in_the_query(void **state)
{
	struct scgi scgi;
	struct api_request request = { .scgi = &scgi };
	struct err err;
	char value[8];

	(void)state;
	scgi.bytes = put(scgi.head, 0, "CONTENT_LENGTH", "0");
	scgi.bytes = put(scgi.head, scgi.bytes, "SCGI", "1");
	scgi.bytes =
	    put(scgi.head, scgi.bytes, "REQUEST_URI", "/x?ab=1&a=b+c%21&empty=&flag&long=123456789&nul=%00");
	assert_int_equal(scgi_parse(&scgi, &err), 0);
	assert_true(api_query(&request, "a", value, sizeof(value)));
	assert_string_equal(value, "b c!");
	assert_true(api_query(&request, "empty", value, sizeof(value)) && !*value);
	assert_true(api_query(&request, "flag", value, sizeof(value)) && !*value);
	assert_false(api_query(&request, "b", value, sizeof(value)));
	assert_false(api_query(&request, "long", value, sizeof(value)));
	assert_false(api_query(&request, "nul", value, sizeof(value)));
}

static void
finds_the_handler(void **state)
{
	(void)state;
	assert_answer(
	    ask("GET", "/a/one", "ci", "", 0), "Status: 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nci");
	assert_answer(ask("GET", "//a//b/one/", "ci", "", 0), "200 OK");
	assert_answer(ask("GET", "/a/many/x/y", "ci", "", 0), "200 OK");
	assert_string_equal(rest_seen, "x/y");
	assert_answer(ask("GET", "/a/many", "ci", "", 0), "404 Not Found");
	assert_answer(ask("GET", "/a/one/more", "ci", "", 0), "404 Not Found");
	assert_answer(ask("GET", "/one", "ci", "", 0), "\"code\":\"not_found\"");
	assert_answer(ask("DELETE", "/a/one", "ci", "", 0), "405 Method Not Allowed");
	assert_answer(ask("", "/a/one", "ci", "", 0), "405 Method Not Allowed");
	assert_answer(ask("GET HEAD", "/a/one", "ci", "", 0), "405 Method Not Allowed");
	assert_null(strstr(ask("HEAD", "/a/one", "ci", "", 0), "\r\n\r\nci"));
	assert_answer(ask("GET", "/a/silent", "ci", "", 0), "500 Internal Server Error");
}

static void
asks_who_it_is(void **state)
{
	(void)state;
	assert_answer(ask("GET", "/a/one", "", "", 0), "401 Unauthorized");
	assert_answer(ask("GET", "/a/one", "", "", 0), "WWW-Authenticate: Basic");
	assert_answer(ask("GET", "/a/one", "a b", "", 0), "403 Forbidden");
	assert_answer(ask("GET", "/a/../x", "", "", 0), "401 Unauthorized");
	assert_answer(ask("GET", "/a/public/x", "", "", 0), "200 OK");
	assert_answer(ask("GET", "/a/public/../one", "", "", 0), "401 Unauthorized");
	assert_answer(ask("PUT", "/a/public/x", "", "", 0), "401 Unauthorized");
	assert_answer(ask("GET", "/a/7.end", "ann", "", 0), "200 OK");
	assert_string_equal(rest_seen, "7.end");
	assert_answer(ask("GET", "/a/b/c/7.end", "ann", "", 0), "404 Not Found");
	assert_answer(ask("GET", "/a/own", "ci", "", 0), "not_an_owner");
	assert_answer(ask("GET", "/a/own", "bo", "", 0), "not_an_owner");
	assert_answer(ask("GET", "/a/own", "bob", "", 0), "200 OK");
	assert_answer(ask("GET", "/a/own", "ann", "", 0), "200 OK");
}

static void
takes_bodies_within_bounds(void **state)
{
	(void)state;
	assert_answer(ask("PUT", "/a/one", "ci", "12345678", 8), "Status: 204 No Content\r\n\r\n");
	assert_string_equal(body_seen, "12345678");
	assert_answer(ask("PUT", "/a/one", "ci", "123456789", 9), "413 Content Too Large");
	assert_answer(ask("PUT", "/a/one", "ci", "", 0), "411 Length Required");
	assert_answer(ask("PUT", "/a/one", "ci", "123", 8), "400 Bad Request");
	assert_answer(ask("PUT", "/a/one", "ci", "123", 8), "ends 5 bytes before its length of 8");
}

/* -- what old clients send -- */

static int
append(void *data, const char *bytes, size_t count, struct err *err)
{
	(void)err;
	strncat(data, bytes, count);
	return 0;
}

static int
parse(const char *type, const char *body, size_t piece, char *out, struct err *err)
{
	struct multipart multipart;
	int r = multipart_init(&multipart, type, "file", append, out, err);
	size_t bytes = strlen(body);

	*out = '\0';
	for (size_t at = 0; r == 0 && at < bytes; at += piece)
		r = multipart_write(&multipart, body + at, bytes - at < piece ? bytes - at : piece, err);
	return r ? r : multipart_end(&multipart, err);
}

#define FORM "multipart/form-data; boundary=B"
#define PART(name, text)                                                                                       \
	"--B\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"file\"\r\n\r\n" text "\r\n"

static void
finds_the_file_in_a_form(void **state)
{
	static const char *const cases[][2] = { { PART("file", "data") "--B--\r\n", "data" },
		{ PART("file", "") "--B--", "" },
		{ PART("x", "no") PART("file", "yes") PART("y", "no") "--B--\r\nepilogue", "yes" },
		{ "preamble\r\n" PART("file", "a\r\n--\r\n--C\r\r\n-\r\n--A") "--B--\r\n",
		    "a\r\n--\r\n--C\r\r\n-\r\n--A" } };
	struct err err = { 0 };
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t piece = 1; piece < 200; piece++) {
			assert_int_equal(parse(FORM, cases[i][0], piece, out, &err), 0);
			assert_string_equal(out, cases[i][1]);
		}
}

static void
refuses_other_forms(void **state)
{
	static const char *const cases[][3] = { { "text/plain", "", "no multipart/form-data" },
		{ "multipart/form-data", "", "with a boundary" },
		{ "multipart/form-data; boundary=", "", "RFC 2046" },
		{ "multipart/form-data; boundary=a\"b", "", "RFC 2046" },
		{ FORM, PART("file", "data"), "ends before" }, { FORM, "", "ends before" },
		{ FORM, PART("other", "data") "--B--", "no part named" },
		{ FORM, PART("file", "1") PART("file", "2") "--B--", "two parts" },
		{ FORM, "--Bx", "end of its line" } };
	struct err err = { 0 };
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i][0], cases[i][1], 7, out, &err), -EBADMSG);
		assert_reason(err, cases[i][2]);
	}
}

/* -- which refs become releases -- */

static void
finds_the_first_rule(void **state)
{
	static const char rules[] =
	    "# comment\n\n  release/*  app\tqemux86-64,rpi4  \n*/x - -\nrelease/a other -\r\n";
	static const char *const cases[][2] = {
		{ "release/a", "{\"hardwareIds\":[\"qemux86-64\",\"rpi4\"],\"name\":\"app\"}" },
		{ "y/x", "{}" }
	};
	struct err err = { 0 };
	char *push;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pushed_rule(rules, cases[i][0], &push, &err), 0);
		assert_string_equal(push, cases[i][1]);
		free(push);
	}
	assert_int_equal(pushed_rule(rules, "main", &push, &err), 0);
	assert_null(push);
}

static void
names_the_line_that_is_wrong(void **state)
{
	static const char *const cases[][2] = { { "a b", "line 1: a line is" },
		{ "\na b c d", "line 2: a line is" }, { "# x\n* a/b -", "line 2: package name" },
		{ "* a ,", "line 1: hardware id" } };
	struct err err = { 0 };
	char *push;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pushed_rule(cases[i][0], "main", &push, &err), -EINVAL);
		assert_null(push);
		assert_reason(err, cases[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_paths),
		cmocka_unit_test(refuses_paths_with_tricks),
		cmocka_unit_test(finds_values_in_the_query),
		cmocka_unit_test(finds_the_handler),
		cmocka_unit_test(asks_who_it_is),
		cmocka_unit_test(takes_bodies_within_bounds),
		cmocka_unit_test(checks_passwords),
		cmocka_unit_test(lets_nobody_hold_a_thread),
		cmocka_unit_test(finds_the_file_in_a_form),
		cmocka_unit_test(refuses_other_forms),
		cmocka_unit_test(finds_the_first_rule),
		cmocka_unit_test(names_the_line_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
