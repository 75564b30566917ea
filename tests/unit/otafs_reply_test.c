/* What a transaction file answers. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/reply.h"
#include "tests/unit/fault.h"

static void
gives_a_body_of_any_bytes_with_its_type(void **state)
{
	static const char secret[] = { 'P', 'K', '\0', '\n', '\r', (char)0xff };
	struct reply reply = { .status = 201, .type = "application/x-pkcs12", .body = malloc(sizeof(secret)) };
	static const char head[] = "Status: 201 Created\r\nContent-Type: application/x-pkcs12\r\n\r\n";
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	struct err err;

	(void)state;
	memcpy(reply.body, secret, sizeof(secret));
	reply.body_bytes = sizeof(secret);
	assert_int_equal(reply_write(&reply, &text, &bytes, &err), 0);
	assert_int_equal(bytes, strlen(head) + sizeof(secret));
	assert_memory_equal(text, head, strlen(head));
	assert_memory_equal(text + strlen(head), secret, sizeof(secret));
	reply_done(&reply);
	assert_null(reply.body);
	reply_done(&reply);
}

static void
gives_no_body_but_the_reason_when_it_refuses(void **state)
{
	struct reply reply = { .type = "application/x-pkcs12", .body = strdup("secret"), .body_bytes = 6 };
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	struct err err;

	(void)state;
	reply_refuse(&reply, 503, "not_stored", "the disk is full");
	assert_int_equal(reply_write(&reply, &text, &bytes, &err), 0);
	assert_int_equal(bytes, strlen(text));
	assert_non_null(strstr(text, "Status: 503 Service Unavailable\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(text, "\r\nRetry-After: "));
	assert_non_null(strstr(text, "\"description\":\"the disk is full\""));
	assert_null(strstr(text, "secret"));
	reply_done(&reply);
}

static void
says_when_there_is_no_memory(void **state)
{
	int failed = 0;

	(void)state;
	for (int n = 0, is_reached = 1; is_reached; n++) {
		struct reply reply = { .status = 400, .code = "bad" };
		AUTO(free_p) char *text = NULL;
		struct err err = { 0 };
		size_t bytes;
		int r;

		fault_after(n);
		r = reply_write(&reply, &text, &bytes, &err);
		is_reached = fault_stop();
		if (r < 0)
			assert_string_equal(err.text, "no memory for an answer");
		failed += r < 0;
	}
	assert_true(failed > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_body_of_any_bytes_with_its_type),
		cmocka_unit_test(gives_no_body_but_the_reason_when_it_refuses),
		cmocka_unit_test(says_when_there_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
