/* Enrolment tokens, blocked ids, and where certificates came from. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "state/blocked.h"
#include "state/certificate.h"
#include "state/device.h"
#include "state/token.h"

static char path[64];
static struct state *state;
static struct err err;

static int
setup(void **unused)
{
	(void)unused;
	strcpy(path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/state.db");
	assert_int_equal(state_open(path, &state, &err), 0);
	return 0;
}

static int
teardown(void **unused)
{
	char command[128];

	(void)unused;
	state_free(state);
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

static int
join(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

static int
join_token(const struct token *token, void *out)
{
	return join(token->name, out);
}

static void
a_token_is_stored_as_it_is(void **unused)
{
	const struct token made = { .name = "fleet-a", .created_at = 5, .who = "uid 0 (root)" };
	const struct token changed = { .name = "fleet-a",
		.serial = "4F",
		.expires_at = 7,
		.most = 3,
		.used = 2,
		.group = "cars",
		.tags = "k=v\n" };
	struct token token = { 0 };

	(void)unused;
	assert_int_equal(state_token(state, "fleet-a", &token, &err), STATE_NONE);
	assert_int_equal(state_token_put(state, &changed, &err), STATE_NONE);
	assert_int_equal(state_token_add(state, &made, &err), 0);
	assert_int_equal(state_token_add(state, &made, &err), STATE_EXISTS);
	assert_int_equal(state_token_put(state, &changed, &err), 0);
	assert_int_equal(state_token(state, "fleet-a", &token, &err), 0);
	assert_string_equal(token.name, "fleet-a");
	assert_string_equal(token.who, "uid 0 (root)");
	assert_string_equal(token.serial, "4F");
	assert_string_equal(token.group, "cars");
	assert_string_equal(token.tags, "k=v\n");
	assert_int_equal(token.created_at, 5);
	assert_int_equal(token.expires_at, 7);
	assert_int_equal(token.most, 3);
	assert_int_equal(token.used, 2);
	assert_int_equal(state_token_remove(state, "fleet-a", &err), 0);
	assert_int_equal(state_token_remove(state, "fleet-a", &err), STATE_NONE);
}

static void
tokens_are_listed_by_name(void **unused)
{
	char names[64] = "";

	(void)unused;
	assert_int_equal(state_token_add(state, &(struct token){ .name = "b" }, &err), 0);
	assert_int_equal(state_token_add(state, &(struct token){ .name = "a" }, &err), 0);
	assert_int_equal(state_tokens(state, join_token, names, &err), 0);
	assert_string_equal(names, "a b ");
}

static void
a_blocked_id_stays_so_until_it_is_unblocked(void **unused)
{
	struct blocked blocked;
	char names[64] = "";

	(void)unused;
	assert_int_equal(state_blocked(state, "car7", &blocked, &err), STATE_NONE);
	assert_int_equal(state_blocked_add(state, "car7", "anna", 5, &err), 0);
	assert_int_equal(state_blocked_add(state, "car7", "bert", 6, &err), STATE_EXISTS);
	assert_int_equal(state_blocked(state, "car7", &blocked, &err), 0);
	assert_string_equal(blocked.who, "anna");
	assert_int_equal(blocked.created_at, 5);
	assert_int_equal(state_blocked_add(state, "car8", "anna", 5, &err), 0);
	assert_int_equal(state_blocked_page(state, "", 1, join, names, &err), 0);
	assert_int_equal(state_blocked_page(state, "car7", 9, join, names, &err), 0);
	assert_string_equal(names, "car7 car8 ");
	assert_int_equal(state_blocked_remove(state, "car7", &err), 0);
	assert_int_equal(state_blocked_remove(state, "car7", &err), STATE_NONE);
}

static void
certificates_know_where_they_came_from(void **unused)
{
	(void)unused;
	assert_int_equal(state_device_add(state, "car7", 1, &err), 0);
	assert_int_equal(state_certificates_unused(state, "car7", "token a", &err), STATE_NONE);
	assert_int_equal(state_certificate_source(state, "car7", "4F", "token a", &err), STATE_NONE);
	assert_int_equal(state_certificate_add(state, "car7", "4F", 1, &err), 0);
	assert_int_equal(state_certificates_unused(state, "car7", "token a", &err), STATE_NONE);
	assert_int_equal(state_certificate_source(state, "car7", "4F", "token a", &err), 0);
	assert_int_equal(state_certificates_unused(state, "car7", "token a", &err), 0);
	assert_int_equal(state_certificates_unused(state, "car7", "token b", &err), STATE_NONE);
	assert_int_equal(state_certificate_add(state, "car7", "50", 1, &err), 0);
	assert_int_equal(state_certificates_unused(state, "car7", "token a", &err), STATE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_token_is_stored_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(tokens_are_listed_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_blocked_id_stays_so_until_it_is_unblocked, setup, teardown),
		cmocka_unit_test_setup_teardown(certificates_know_where_they_came_from, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
