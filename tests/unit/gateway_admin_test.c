/* gateway/admin_*: paths of administrators' requests, who sends them, and from which site. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/admin_path.h"
#include "gateway/admin_who.h"
#include "lib/digest.h"

/* ---- paths */

static void
takes_paths_apart(void **state)
{
	static const struct {
		const char *target;
		enum admin_place place;
		const char *path;
	} cases[] = {
		{ "/tree", ADMIN_TREE, "" },
		{ "/tree/", ADMIN_TREE, "" },
		{ "//tree//", ADMIN_TREE, "" },
		{ "/tree/devices/car7/", ADMIN_TREE, "devices/car7" },
		{ "/tree//devices///car7", ADMIN_TREE, "devices/car7" },
		{ "/tree/query/text/status%20is%20Error", ADMIN_TREE, "query/text/status is Error" },
		{ "/tree/a%2fb", ADMIN_TREE, "a/b" },
		{ "/tree/a%2Fb%2f?", ADMIN_TREE, "a/b" },
		{ "/tree/...", ADMIN_TREE, "..." },
		{ "/treehub", ADMIN_NOWHERE, "" },
		{ "/whoami", ADMIN_WHOAMI, "" },
		{ "/", ADMIN_NOWHERE, "" },
		{ "", ADMIN_NOWHERE, "" },
		{ "*", ADMIN_NOWHERE, "" },
	};
	struct admin_target target;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (admin_target_parse(cases[i].target, &target, &err) < 0)
			fail_msg("%s: %s", cases[i].target, err.text);
		assert_int_equal(target.place, cases[i].place);
		assert_string_equal(target.path, cases[i].path);
	}
}

static void
refuses_paths_that_are_none(void **state)
{
	static const char *const cases[][2] = {
		{ "/tree/..", "a part that is no name" },
		{ "/tree/a/../b", "a part that is no name" },
		{ "/tree/a/%2e%2e/b", "a part that is no name" },
		{ "/tree/a/.%2e%2fb", "a part that is no name" },
		{ "/tree/.", "a part that is no name" },
		{ "/tree/a%00b", "a byte that no name has" },
		{ "/tree/a%0ab", "a byte that no name has" },
		{ "/tree/a%7f", "a byte that no name has" },
		{ "/tree/a%", "a byte that no name has" },
		{ "/tree/a%2", "a byte that no name has" },
		{ "/tree/a%g0", "a byte that no name has" },
		{ "/tree/a?x=1", "neither \"link\" nor \"from=N\"" },
		{ "/tree/a?from=", "neither \"link\" nor \"from=N\"" },
		{ "/tree/a?from=-1", "neither \"link\" nor \"from=N\"" },
		{ "/tree/a?from=1234567890123456789", "neither \"link\" nor \"from=N\"" },
	};
	struct admin_target target;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = (struct err){ 0 };
		assert_int_equal(admin_target_parse(cases[i][0], &target, &err), -EINVAL);
		assert_reason(err, cases[i][1]);
	}
}

static void
bounds_the_length_of_a_path(void **state)
{
	char text[6 + ADMIN_PATH_SIZE + 1];
	struct admin_target target;
	struct err err = { 0 };

	(void)state;
	memcpy(text, "/tree/", 6);
	memset(text + 6, 'a', ADMIN_PATH_SIZE);
	text[6 + ADMIN_PATH_SIZE] = '\0';
	assert_int_equal(admin_target_parse(text, &target, &err), -ENAMETOOLONG);
	assert_reason(err, "the path is longer than 1023 bytes");
	text[6 + ADMIN_PATH_SIZE - 1] = '\0';
	assert_int_equal(admin_target_parse(text, &target, &err), 0);
}

static void
knows_queries_and_destinations(void **state)
{
	struct admin_target target;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(admin_target_parse("/tree/a?link", &target, &err), 0);
	assert_true(target.is_link);
	assert_int_equal(admin_target_parse("/tree/a?from=17", &target, &err), 0);
	assert_int_equal(target.from, 17);
	assert_int_equal(admin_destination_parse("https://ota:8445/tree/groups/b", &target, &err), 0);
	assert_string_equal(target.path, "groups/b");
	assert_int_equal(admin_destination_parse("/tree/groups/b", &target, &err), 0);
	assert_int_equal(admin_destination_parse("https://ota:8445", &target, &err), -EINVAL);
	assert_reason(err, "Destination is no path below /tree/");
	assert_int_equal(admin_destination_parse("", &target, &err), -EINVAL);
	assert_int_equal(admin_destination_parse("groups/b", &target, &err), -EINVAL);
}

/* ---- who it is */

/* "anna:secret". */
#define BASIC "Basic YW5uYTpzZWNyZXQ="
#define SECRET "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
	char path[64];
	struct login *login;
	struct scgi scgi;
};

static int
start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	FILE *file;
	int fd;

	assert_non_null(f);
	strcpy(f->path, "/tmp/otafs-admin.XXXXXX");
	fd = mkstemp(f->path);
	file = fdopen(fd, "w");
	assert_non_null(file);
	/* "secret" */
	fputs("anna:$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/"
	      "XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00\n",
	    file);
	assert_int_equal(fclose(file), 0);
	f->login = login_new(f->path);
	assert_non_null(f->login);
	*state = f;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	login_free(f->login);
	unlink(f->path);
	free(f);
	return 0;
}

/* A head of these names and values, ended by NULL. */
static void
say(struct fixture *f, const char *const *words)
{
	struct scgi *scgi = &f->scgi;
	struct err err = { 0 };
	static const char first[] = "CONTENT_LENGTH\0000\0SCGI\0001";

	memcpy(scgi->head, first, sizeof(first));
	scgi->bytes = sizeof(first);
	for (; *words; words++) {
		memcpy(scgi->head + scgi->bytes, *words, strlen(*words) + 1);
		scgi->bytes += strlen(*words) + 1;
	}
	if (scgi_parse(scgi, &err) < 0)
		fail_msg("%s", err.text);
}
#define SAY(f, ...) say(f, (const char *const[]){ __VA_ARGS__, NULL })

static int
identify(struct fixture *f, struct admin_who *who, struct err *err)
{
	*who = (struct admin_who){ 0 };
	*err = (struct err){ 0 };
	return admin_identify(&f->scgi, f->login, who, err);
}

static void
asks_the_certificate_then_the_server_then_the_header(void **state)
{
	struct fixture *f = *state;
	struct admin_who who;
	struct err err;

	SAY(f, "REMOTE_USER", "otto@example.org", "SSL_CLIENT_VERIFY", "NONE", "HTTP_AUTHORIZATION", BASIC);
	assert_int_equal(identify(f, &who, &err), 0);
	assert_string_equal(who.as, "otto@example.org");
	assert_string_equal(who.by, "oidc");
	SAY(f, "REMOTE_USER", "otto@example.org", "SSL_CLIENT_VERIFY", "SUCCESS", "SSL_CLIENT_S_DN", "CN=carl",
	    "SSL_CLIENT_S_DN_CN", "carl", "HTTP_AUTHORIZATION", BASIC);
	assert_int_equal(identify(f, &who, &err), 0);
	assert_string_equal(who.as, "carl");
	assert_string_equal(who.by, "certificate");
	SAY(f, "SSL_CLIENT_VERIFY", "NONE", "SSL_CLIENT_S_DN_CN", "carl", "HTTP_AUTHORIZATION", BASIC);
	assert_int_equal(identify(f, &who, &err), 0);
	assert_string_equal(who.as, "anna");
	assert_string_equal(who.by, "password");
	SAY(f, "HTTP_AUTHORIZATION", "Bearer ota_01234567_" SECRET);
	assert_int_equal(identify(f, &who, &err), 0);
	assert_memory_equal(who.as, ".01234567.", 10);
	assert_int_equal(strlen(who.as), ADMIN_WHO_SIZE - 1);
	assert_null(strstr(who.as, SECRET));
	assert_string_equal(who.by, "token");
	SAY(f, "REQUEST_METHOD", "GET");
	assert_int_equal(identify(f, &who, &err), ADMIN_NOBODY);
}

static void
refuses_names_that_are_not_an_administrators(void **state)
{
	static const char *const names[] = { "../anna", "anna/x", ".01234567.x", "anna b", "-anna", "anna:b" };
	struct fixture *f = *state;
	struct admin_who who;
	struct err err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		SAY(f, "REMOTE_USER", names[i]);
		assert_int_equal(identify(f, &who, &err), -EACCES);
		assert_reason(err, "administrator's name");
	}
	SAY(f, "SSL_CLIENT_VERIFY", "SUCCESS", "SSL_CLIENT_S_DN", "CN=carl,O=anna", "SSL_CLIENT_S_DN_CN",
	    "carl", "HTTP_AUTHORIZATION", BASIC);
	assert_int_equal(identify(f, &who, &err), -EACCES);
	assert_reason(err, "is not CN=carl and nothing else");
	/* What lighttpd makes of a CN with two 0 in it. */
	SAY(f, "SSL_CLIENT_VERIFY", "SUCCESS", "SSL_CLIENT_S_DN", "CN = x\\00REMOTE_USER\\00anna",
	    "SSL_CLIENT_S_DN_CN", "x", "REMOTE_USER", "anna");
	assert_int_equal(identify(f, &who, &err), -EACCES);
	assert_reason(err, "is not CN=x and nothing else");
}

static void
stops_looking_after_too_many_wrong_tokens(void **state)
{
	static const char *const wrong[] = { "", "ota_", "ota_01234567_" SECRET "0", "ota_0123456G_" SECRET,
		"ota_01234567-" SECRET, "otb_01234567_" SECRET, "ota_01234567_" SECRET " " };
	struct fixture *f = *state;
	struct admin_who who;
	struct err err;
	char header[256];

	for (size_t i = 0; i < LOGIN_FAILURES; i++) {
		snprintf(header, sizeof(header), "Bearer %s", wrong[i % (sizeof(wrong) / sizeof(wrong[0]))]);
		SAY(f, "HTTP_AUTHORIZATION", header, "REMOTE_ADDR", "192.0.2.1");
		assert_int_equal(identify(f, &who, &err), ADMIN_NOBODY);
		assert_string_equal(err.text, "this is no token");
	}
	SAY(f, "HTTP_AUTHORIZATION", "Bearer ota_01234567_" SECRET, "REMOTE_ADDR", "192.0.2.1");
	assert_int_equal(identify(f, &who, &err), ADMIN_TOO_MANY);
	assert_reason(err, "wait for 60 seconds");
	SAY(f, "HTTP_AUTHORIZATION", BASIC, "REMOTE_ADDR", "192.0.2.1");
	assert_int_equal(identify(f, &who, &err), ADMIN_TOO_MANY);
	SAY(f, "HTTP_AUTHORIZATION", BASIC, "REMOTE_ADDR", "192.0.2.2");
	assert_int_equal(identify(f, &who, &err), 0);
}

/* ---- other sites */

static int
origin(struct fixture *f, struct err *err)
{
	*err = (struct err){ 0 };
	return admin_check_origin(&f->scgi, err);
}

static void
refuses_what_other_sites_make_a_browser_send(void **state)
{
#define MARKED "REQUEST_METHOD", "PUT", "HTTP_HOST", "ota:8445", "HTTP_X_OTA_ADMIN", "1"
	struct fixture *f = *state;
	struct err err;

	SAY(f, "REQUEST_METHOD", "PUT");
	assert_int_equal(origin(f, &err), -EACCES);
	assert_reason(err, "needs the header X-OTA-Admin: 1");
	SAY(f, "REQUEST_METHOD", "POST", "HTTP_X_OTA_ADMIN", "yes");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, "REQUEST_METHOD", "get");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, MARKED, "HTTP_ORIGIN", "https://evil");
	assert_int_equal(origin(f, &err), -EACCES);
	assert_reason(err, "Origin names another site");
	SAY(f, MARKED, "HTTP_ORIGIN", "null");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, MARKED, "HTTP_ORIGIN", "http://ota:8445");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, "REQUEST_METHOD", "PUT", "HTTP_X_OTA_ADMIN", "1", "HTTP_ORIGIN", "https://");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, MARKED, "HTTP_SEC_FETCH_SITE", "cross-site");
	assert_int_equal(origin(f, &err), -EACCES);
	assert_reason(err, "another site sent this");
	SAY(f, MARKED, "HTTP_SEC_FETCH_SITE", "same-site");
	assert_int_equal(origin(f, &err), -EACCES);
	SAY(f, MARKED, "HTTP_SEC_FETCH_SITE", "same-origin", "HTTP_ORIGIN", "https://OTA:8445");
	assert_int_equal(origin(f, &err), 0);
	SAY(f, MARKED);
	assert_int_equal(origin(f, &err), 0);
	SAY(f, "REQUEST_METHOD", "GET", "HTTP_SEC_FETCH_SITE", "cross-site");
	assert_int_equal(origin(f, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_paths_apart),
		cmocka_unit_test(refuses_paths_that_are_none),
		cmocka_unit_test(bounds_the_length_of_a_path),
		cmocka_unit_test(knows_queries_and_destinations),
		TEST(asks_the_certificate_then_the_server_then_the_header),
		TEST(refuses_names_that_are_not_an_administrators),
		TEST(stops_looking_after_too_many_wrong_tokens),
		TEST(refuses_what_other_sites_make_a_browser_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
