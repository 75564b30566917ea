/* Devices that ask for their next certificate. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "lib/utc.h"
#include "otafs/credential.h"
#include "otafs/node.h"
#include "otafs/renewal.h"
#include "tests/unit/fixture.h"
#include "tests/unit/issuing.h"
#include "tests/unit/requests.h"

static struct err err;

static int
setup(void **state)
{
	struct fixture *f;

	ca_key = EVP_EC_gen("P-256");
	issue_answer = issued_count = 0;
	fixture_setup(state);
	f = *state;
	f->config.certificate_overlap_days = 7;
	f->config.certificate_days = 90;
	return credential_add(&f->core,
	    &(struct credential){ "car7", "0A", utc_now() + 86400, CREDENTIAL_REQUEST }, "made", "test", &err);
}

static int
teardown(void **state)
{
	EVP_PKEY_free(ca_key);
	return fixture_teardown(state);
}

static int
note(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

static const char *
certificates(struct fixture *f)
{
	static char names[256];

	names[0] = '\0';
	assert_int_equal(state_certificates(f->core.state, "car7", note, names, &err), 0);
	return names;
}

/* A request by the certificate @serial, up to its commit. */
static void
begin(struct fixture *f, const char *serial, struct node *node, struct reply *reply)
{
	struct request request = request_make("car7", ca_key, REQUEST_BASE64);
	char path[128];

	*reply = (struct reply){ 0 };
	snprintf(path, sizeof(path), "gate/car7/%s/simplereenroll", serial);
	assert_int_equal(node_find(&f->core, VIEW_FULL, path, 0, node, &err), 0);
	assert_int_equal(node_prepare(node, request.text, request.bytes, reply, &err), 0);
	request_free(&request);
}

/* Its status. */
static int
end(struct node *node, struct reply *reply)
{
	assert_int_equal(node_commit(node, "", 0, reply, &err), 0);
	node_finish(node);
	return reply->status;
}

static int
renew(struct fixture *f, const char *serial)
{
	struct reply reply;
	struct node node;
	int status;

	begin(f, serial, &node, &reply);
	status = end(&node, &reply);
	reply_done(&reply);
	return status;
}

static void
what_was_lost_on_the_way_gives_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(renew(f, "0A"), 200);
	assert_string_equal(certificates(f), "0A 4101 ");
	assert_int_equal(renew(f, "0A"), 200);
	assert_string_equal(certificates(f), "0A 4102 ");
}

/* It may have fetched with it only, until it asks for the next one. */
static void
the_one_that_asks_stays(void **state)
{
	struct fixture *f = *state;
	struct certificate_row row;

	assert_int_equal(renew(f, "0A"), 200);
	assert_int_equal(renew(f, "4101"), 200);
	assert_string_equal(certificates(f), "0A 4101 4102 ");
	assert_int_equal(state_certificate_row(f->core.state, "car7", "4101", &row, &err), 0);
	assert_true(row.used_at > 0);
	assert_int_equal(fixture_told(f, "certificate 0A ends at"), 1);
}

/* The device may have given up waiting for the first one, and has stored the answer to the second. */
static void
of_two_requests_at_once_the_slower_one_takes_nothing_away(void **state)
{
	struct fixture *f = *state;
	struct reply reply;
	struct node slow;

	for (int i = 1; i <= 2; i++) {
		begin(f, "0A", &slow, &reply);
		assert_int_equal(renew(f, "0A"), 200);
		assert_int_equal(end(&slow, &reply), 503);
		assert_string_equal(reply.code, "overtaken");
		assert_string_equal(reply.description, "another request of the device was answered meanwhile");
		assert_string_equal(certificates(f), i == 1 ? "0A 4102 " : "0A 4104 ");
		reply_done(&reply);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_lost_on_the_way_gives_way),
		TEST(the_one_that_asks_stays),
		TEST(of_two_requests_at_once_the_slower_one_takes_nothing_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
