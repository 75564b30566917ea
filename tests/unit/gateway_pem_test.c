/* The client's certificate in what a web server sends. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "gateway/pem.h"
#include "lib/cleanup.h"

static char *
pem(const char *name, const char *value)
{
	static struct scgi scgi;
	size_t n = strlen(name) + 1;

	strcpy(scgi.head, name);
	strcpy(scgi.head + n, value);
	scgi.bytes = n + strlen(value) + 1;
	return pem_of(&scgi);
}

static void
takes_the_text_as_it_is_from_apache_and_lighttpd(void **state)
{
	AUTO(free_p) char *text = pem("SSL_CLIENT_CERT", "-----BEGIN\nA+%20/=\n");

	(void)state;
	assert_string_equal(text, "-----BEGIN\nA+%20/=\n");
}

static void
decodes_what_nginx_sends(void **state)
{
	AUTO(free_p) char *text = pem("SSL_CLIENT_ESCAPED_CERT", "-----BEGIN%20CERT%0AA%2bB%2F+%3d%0a");

	(void)state;
	assert_string_equal(text, "-----BEGIN CERT\nA+B/+=\n");
}

static void
takes_nothing_that_makes_no_sense(void **state)
{
	static const char *const bad[] = { "", "%", "A%2", "A%", "%zz", "%0", "%%41", "A%00B" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(pem("SSL_CLIENT_ESCAPED_CERT", bad[i]));
	assert_null(pem("SSL_CLIENT_CERTS", "x"));
}

static void
takes_nothing_that_is_too_long(void **state)
{
	static char text[PEM_BYTES_MAX + 2];
	AUTO(free_p) char *longest = NULL;

	(void)state;
	memset(text, 'x', PEM_BYTES_MAX + 1);
	assert_null(pem("SSL_CLIENT_CERT", text));
	text[PEM_BYTES_MAX] = '\0';
	longest = pem("SSL_CLIENT_CERT", text);
	assert_string_equal(longest, text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_text_as_it_is_from_apache_and_lighttpd),
		cmocka_unit_test(decodes_what_nginx_sends),
		cmocka_unit_test(takes_nothing_that_makes_no_sense),
		cmocka_unit_test(takes_nothing_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
