/* The head of an SCGI request as web servers and others send it, over a socketpair. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/scgi.h"
#include "lib/cleanup.h"
#include "tests/unit/fault.h"

/* A literal with its inner zeros, without the last. */
#define BYTES(text) text, sizeof(text) - 1
#define HEAD                                                                                                   \
	"CONTENT_LENGTH\0"                                                                                     \
	"5\0"                                                                                                  \
	"SCGI\0"                                                                                               \
	"1\0"                                                                                                  \
	"REQUEST_METHOD\0"                                                                                     \
	"PUT\0"

struct fixture {
	struct scgi scgi;
	struct err err;
	int fds;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->fds = fault_open_fds();
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fault_open_fds(), f->fds);
	free(f);
	return 0;
}

/* Reads what a peer sends that then goes away. @left: bytes that were not read, when it is not NULL. */
static int
read_sent(struct fixture *f, const char *data, size_t bytes, size_t *left)
{
	AUTO(close_p) int ours = -1;
	char rest[64 * 1024];
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ours = pair[0];
	assert_int_equal(send(pair[1], data, bytes, 0), bytes);
	close(pair[1]);
	memset(&f->scgi, 0x55, sizeof(f->scgi)); /* what an earlier request left must not matter */
	memset(&f->err, 0, sizeof(f->err));
	r = scgi_read(ours, &f->scgi, &f->err);
	if (left)
		*left = (size_t)read(ours, rest, sizeof(rest));
	return r;
}

static int
parse(struct fixture *f, const char *head, size_t bytes)
{
	assert_true(bytes <= SCGI_HEAD_MAX);
	memset(&f->scgi, 0x55, sizeof(f->scgi));
	memset(&f->err, 0, sizeof(f->err));
	memcpy(f->scgi.head, head, bytes);
	f->scgi.bytes = bytes;
	return scgi_parse(&f->scgi, &f->err);
}

static size_t
netstring(const char *head, size_t bytes, char *out)
{
	int n = sprintf(out, "%zu:", bytes);

	memcpy(out + n, head, bytes);
	out[(size_t)n + bytes] = ',';
	return (size_t)n + bytes + 1;
}

static void
reads_the_head_and_not_a_byte_of_the_body(void **state)
{
	struct fixture *f = *state;
	char sent[256];
	size_t n = netstring(BYTES(HEAD), sent), left;

	memcpy(sent + n, "hello", 5);
	assert_int_equal(read_sent(f, sent, n + 5, &left), 0);
	assert_int_equal(left, 5);
	assert_int_equal(f->scgi.content_length, 5);
	assert_string_equal(scgi_get(&f->scgi, "REQUEST_METHOD"), "PUT");
	assert_string_equal(scgi_get(&f->scgi, "SCGI"), "1");
	assert_string_equal(scgi_get(&f->scgi, "PUT"), ""); /* a value is no name */
	assert_string_equal(scgi_get(&f->scgi, "NOT_SENT"), "");
	assert_string_equal(scgi_get(&f->scgi, ""), "");
}

static void
reads_a_head_that_comes_byte_by_byte_in_packets(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int ours = -1;
	char sent[256];
	size_t n = netstring(BYTES(HEAD), sent);
	int pair[2];

	/* A read gets one packet at most, whatever it asks for. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ours = pair[0];
	for (size_t i = 0; i < n; i++)
		assert_int_equal(send(pair[1], sent + i, 1, 0), 1);
	assert_int_equal(scgi_read(ours, &f->scgi, &f->err), 0);
	close(pair[1]);
	assert_string_equal(scgi_get(&f->scgi, "REQUEST_METHOD"), "PUT");
}

static void
refuses_a_head_cut_at_any_byte(void **state)
{
	struct fixture *f = *state;
	char sent[256];
	size_t n = netstring(BYTES(HEAD), sent);

	for (size_t cut = 0; cut < n; cut++) {
		assert_int_equal(read_sent(f, sent, cut, NULL), -EBADMSG);
		assert_reason(f->err, "SCGI: the head ends after");
	}
	assert_int_equal(read_sent(f, sent, n, NULL), 0);
}

static void
refuses_what_is_no_netstring(void **state)
{
	static const char *const sent[] = { ":x,", "x:", "-1:", "+5:abcde,", " 5:abcde,", "05:abcde,", "00:,",
		"5 :abcde,", "5;abcde,", "0x5:abcde,", "GET / HTTP/1.1\r\n\r\n", "\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		assert_int_equal(read_sent(f, sent[i], strlen(sent[i]), NULL), -EBADMSG);
		assert_reason(f->err, "SCGI: the head is no netstring");
	}
	assert_int_equal(read_sent(f,
			     BYTES("\0"
				   "5:"),
			     NULL),
	    -EBADMSG);
	assert_reason(f->err, "no netstring");
	assert_int_equal(read_sent(f, BYTES("0:,"), NULL), -EBADMSG);
	assert_reason(f->err, "or an empty one");
	assert_int_equal(read_sent(f, BYTES("2:a\0;"), NULL), -EBADMSG);
	assert_reason(f->err, "no comma after the head");
}

static void
takes_the_longest_head_and_refuses_a_longer_one_before_reading_it(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *head = malloc(SCGI_HEAD_MAX);
	AUTO(free_p) char *sent = malloc(SCGI_HEAD_MAX + 64);
	size_t left;

	memset(head, 'x', SCGI_HEAD_MAX);
	memcpy(head, BYTES(HEAD "LONG\0"));
	head[SCGI_HEAD_MAX - 1] = '\0';
	assert_int_equal(read_sent(f, sent, netstring(head, SCGI_HEAD_MAX, sent), &left), 0);
	assert_int_equal(left, 0);
	assert_int_equal(strlen(scgi_get(&f->scgi, "LONG")), SCGI_HEAD_MAX - sizeof(HEAD "LONG\0"));

	sprintf(sent, "%d:abc", SCGI_HEAD_MAX + 1);
	assert_int_equal(read_sent(f, sent, strlen(sent), &left), -EBADMSG);
	assert_reason(f->err, "SCGI: the head is longer than 32768 bytes");
	assert_int_equal(left, 4);
	/* A length that would wrap around ends at the digit that makes it too long. */
	assert_int_equal(read_sent(f, BYTES("18446744073709551617:a,"), NULL), -EBADMSG);
	assert_reason(f->err, "longer than");
}

static void
refuses_a_head_without_a_content_length_in_front(void **state)
{
	static const struct {
		const char *head;
		size_t bytes;
	} heads[] = {
		{ BYTES("SCGI\0"
			"1\0") },
		{ BYTES("SCGI\0"
			"1\0"
			"CONTENT_LENGTH\0"
			"5\0") },
		{ BYTES("content_length\0"
			"5\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"-5\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"+5\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			" 5\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"5x\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"0x5\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"1e3\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"1000000000000000000\0"
			"SCGI\0"
			"1\0") },
		{ BYTES("CONTENT_LENGTH\0"
			"18446744073709551621\0"
			"SCGI\0"
			"1\0") },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		assert_int_equal(parse(f, heads[i].head, heads[i].bytes), -EBADMSG);
		assert_reason(f->err, "SCGI: the head does not start with a CONTENT_LENGTH");
	}
	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0"
					"999999999999999999\0"
					"SCGI\0"
					"1\0")),
	    0);
	assert_true(f->scgi.content_length == 999999999999999999ULL);
}

static void
refuses_names_without_values_and_stray_zeros(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, BYTES("\0")), -EBADMSG);
	assert_reason(f->err, "a name has no value");
	assert_int_equal(parse(f, BYTES("\0\0")), -EBADMSG);
	assert_reason(f->err, "CONTENT_LENGTH");
	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0")), -EBADMSG);
	assert_reason(f->err, "a name has no value");
	assert_int_equal(parse(f, BYTES(HEAD "LAST\0")), -EBADMSG);
	assert_reason(f->err, "a name has no value");
	assert_int_equal(parse(f, BYTES(HEAD "LAST\0"
					     "value")),
	    -EBADMSG);
	assert_reason(f->err, "the head does not end with a 0");
	/* A zero inside a value shifts all that follows: then the pairs do not add up, or names stand for
	 * values. */
	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0"
					"5\0"
					"X\0"
					"a\0b\0"
					"SCGI\0"
					"1\0")),
	    -EBADMSG);
	assert_reason(f->err, "a name has no value");
	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0"
					"5\0"
					"SCGI\0"
					"1\0"
					"EMPTY\0"
					"\0")),
	    0);
	assert_string_equal(scgi_get(&f->scgi, "EMPTY"), "");
}

static void
refuses_another_protocol(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0"
					"5\0")),
	    -EBADMSG);
	assert_reason(f->err, "SCGI: the member SCGI is not 1");
	assert_int_equal(parse(f, BYTES("CONTENT_LENGTH\0"
					"5\0"
					"SCGI\0"
					"2\0")),
	    -EBADMSG);
	assert_reason(f->err, "SCGI is not 1");
}

static void
refuses_a_name_that_is_given_twice(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, BYTES(HEAD "NAME\0"
					     "first\0"
					     "NAME\0"
					     "second\0")),
	    -EBADMSG);
	assert_reason(f->err, "SCGI: NAME is given twice");
	assert_int_equal(parse(f, BYTES(HEAD "SCGI\0"
					     "1\0")),
	    -EBADMSG);
	assert_reason(f->err, "SCGI: SCGI is given twice");
}

/* As lighttpd 1.4.69 sends it for a certificate with CN = car7, 0, SSL_CLIENT_M_SERIAL, 0, 0A01. */
static void
refuses_what_a_zero_in_a_common_name_adds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, BYTES(HEAD "SSL_CLIENT_VERIFY\0"
					     "SUCCESS\0"
					     "SSL_CLIENT_S_DN\0"
					     "CN = car7\\00SSL_CLIENT_M_SERIAL\\000A01\0"
					     "SSL_CLIENT_S_DN_CN\0"
					     "car7\0"
					     "SSL_CLIENT_M_SERIAL\0"
					     "0A01\0"
					     "SSL_CLIENT_M_SERIAL\0"
					     "4D\0")),
	    -EBADMSG);
	assert_reason(f->err, "SCGI: SSL_CLIENT_M_SERIAL is given twice");
}

/* lighttpd makes the same name of Content-Length, with its own spelling, and of Content_Length. */
static void
takes_headers_of_the_client_twice(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, BYTES(HEAD "HTTP_CONTENT_LENGTH\0"
					     "7\0"
					     "HTTP_CONTENT_LENGTH\0"
					     "5\0")),
	    0);
	assert_true(f->scgi.content_length == 5);
	assert_string_equal(scgi_get(&f->scgi, "HTTP_CONTENT_LENGTH"), "7");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_head_and_not_a_byte_of_the_body),
		TEST(reads_a_head_that_comes_byte_by_byte_in_packets),
		TEST(refuses_a_head_cut_at_any_byte),
		TEST(refuses_what_is_no_netstring),
		TEST(takes_the_longest_head_and_refuses_a_longer_one_before_reading_it),
		TEST(refuses_a_head_without_a_content_length_in_front),
		TEST(refuses_names_without_values_and_stray_zeros),
		TEST(refuses_another_protocol),
		TEST(refuses_a_name_that_is_given_twice),
		TEST(refuses_what_a_zero_in_a_common_name_adds),
		TEST(takes_headers_of_the_client_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
