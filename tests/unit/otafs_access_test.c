/* otafs/access: who acts through as/, what a role and a token may do, and how tokens are made and end. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/access_token.h"
#include "otafs/handle.h"
#include "otafs/node.h"
#include "tests/unit/fixture.h"

#define WEB 64108

static const struct access local; /* of this machine */

static int
setup(void **state)
{
	struct fixture *f;
	int r = fixture_setup(state);

	f = *state;
	f->core.web_uid = WEB;
	return r;
}

static void
give(struct fixture *f, const char *name, const char *role)
{
	const struct access_asker asker = { &local, "test" };
	struct err err = { 0 };

	assert_int_equal(access_write_role(&f->core, name, role, &asker, &err), 0);
}

/* Asks for a token as @access; @as is the first part of paths below as/ with it. */
static int
make(struct fixture *f, const struct access *access, const char *request, char as[static 128], struct err *err)
{
	const struct access_asker asker = { access, "test" };
	char text[ACCESS_TEXT_SIZE], digest[DIGEST_HEX_SIZE];
	int r = access_token_make(&f->core, request, &asker, text, err);

	if (r < 0)
		return r;
	assert_int_equal(strlen(text), ACCESS_TEXT_SIZE - 1);
	digest_sha256_hex(text, strlen(text), digest);
	snprintf(as, 128, ".%.8s.%s", text + 4, digest);
	return 0;
}

static int
who_is(struct fixture *f, const char *as, struct access *out, struct err *err)
{
	return access_find(&f->core, as, strlen(as), out, err);
}

static void
made(struct fixture *f, const struct access *access, const char *request, char as[static 128],
    struct access *out)
{
	struct err err = { 0 };

	if (make(f, access, request, as, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(who_is(f, as, out, &err), 0);
}

static int
find(struct fixture *f, const char *path, uid_t uid, struct node *node, struct err *err)
{
	*err = (struct err){ 0 };
	return node_find(&f->core, VIEW_FULL, path, uid, node, err);
}

static void
gives_each_role_what_it_may(void **state)
{
	struct fixture *f = *state;
	struct node node;
	struct err err;

	give(f, "anna", "view");
	assert_int_equal(find(f, "as/anna/devices/car7/assign", WEB, &node, &err), 0);
	assert_string_equal(node.who, "anna (web)");
	assert_string_equal(node.path, "devices/car7/assign");
	assert_int_equal(node_may_read(&node, &err), 0);
	assert_int_equal(node_may_write(&node, &err), -EACCES);
	assert_string_equal(err.text, "anna: this needs role operate, he has view");
	give(f, "anna", "operate");
	assert_int_equal(find(f, "as/anna/devices/car7/assign", WEB, &node, &err), 0);
	assert_int_equal(node_may_write(&node, &err), 0);
	assert_int_equal(find(f, "as/anna/devices/car7/certificates", WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "AB12", &err), -EACCES);
	assert_string_equal(err.text, "anna: this needs role keys, he has operate");
	assert_int_equal(find(f, "as/anna/devices/car7/csr", WEB, &node, &err), 0);
	assert_int_equal(node_may_write(&node, &err), -EACCES);
	give(f, "anna", "keys\n");
	assert_int_equal(find(f, "as/anna/devices/car7/certificates", WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "AB12", &err), 0);
	assert_int_equal(fixture_told(f, "anna (web)"), 1);
}

static void
writes_no_more_to_what_was_open_before(void **state)
{
	struct fixture *f = *state;
	struct handle *handle;
	struct node node;
	struct err err;

	give(f, "anna", "operate");
	assert_int_equal(find(f, "as/anna/devices/car7/name", WEB, &node, &err), 0);
	assert_int_equal(handle_open(&node, O_WRONLY, &handle, &err), 0);
	give(f, "anna", "view");
	assert_int_equal(find(f, "as/anna/devices/car7/name", WEB, &node, &err), 0);
	assert_int_equal(handle_write(handle, &node, "van", 3, 0, &err), -EACCES);
	assert_reason(err, "this needs role operate, he has view");
	handle_free(handle);
	assert_int_equal(find(f, "as/anna/csv/tags.csv", WEB, &node, &err), 0);
	assert_int_equal(node_take_lines(&node, "DeviceID;Color\n", "car7;red\n", 2, &err), -EACCES);
	assert_reason(err, "this needs role operate");
}

static void
keeps_who_gets_in_for_the_role_keys(void **state)
{
	static const char *const paths[] = { "enroll/tokens", "enroll/blocked", "access/administrators",
		"access/administrators/eve", "devices/car7/certificates", "devices/car7/csr",
		"devices/car7/in/ecus", "devices/car7/in/manifest", "devices/car7/in/events",
		"devices/car7/in/config" };
	struct fixture *f = *state;
	struct node node;
	struct err err;
	char path[256];

	give(f, "anna", "operate");
	give(f, "bert", "keys");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(path, sizeof(path), "as/anna/%s", paths[i]);
		assert_int_equal(find(f, path, WEB, &node, &err), 0);
		assert_int_equal(node_may_write(&node, &err), -EACCES);
		assert_reason(err, "this needs role keys");
		snprintf(path, sizeof(path), "as/bert/%s", paths[i]);
		assert_int_equal(find(f, path, WEB, &node, &err), 0);
		assert_int_equal(node_may_write(&node, &err), 0);
	}
}

static void
makes_a_blocked_device_for_whoever_may_unblock_it(void **state)
{
	struct fixture *f = *state;
	char as[128], path[256];
	struct access access;
	struct node node;
	struct err err;

	give(f, "anna", "operate");
	give(f, "bert", "keys");
	assert_int_equal(find(f, "as/anna/devices", WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "car8", &err), 0);
	assert_int_equal(find(f, "as/anna/devices/car8", WEB, &node, &err), 0);
	assert_int_equal(node_remove(&node, &err), 0);
	assert_int_equal(find(f, "as/anna/devices", WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "car8", &err), -EACCES);
	assert_string_equal(err.text, "anna: this needs role keys, he has operate");
	made(f, &local, "user bert\npaths devices", as, &access);
	snprintf(path, sizeof(path), "as/%s/devices", as);
	assert_int_equal(find(f, path, WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "car8", &err), -EACCES);
	assert_string_equal(err.text, "enroll/blocked/car8: is not within the token's paths");
	assert_int_equal(find(f, "as/bert/devices", WEB, &node, &err), 0);
	assert_int_equal(node_make(&node, "car8", &err), 0);
	assert_int_equal(find(f, "devices/car8", 0, &node, &err), 0);
	assert_int_equal(node_remove(&node, &err), 0);
	assert_int_equal(find(f, "devices", 0, &node, &err), 0);
	assert_int_equal(node_make(&node, "car8", &err), 0);
}

static void
lets_nobody_else_in(void **state)
{
	struct fixture *f = *state;
	struct node node;
	struct err err;

	give(f, "anna", "keys");
	assert_int_equal(find(f, "as/anna/README", 0, &node, &err), -EACCES);
	assert_reason(err, "as/ is for ota-admin-gate");
	assert_int_equal(find(f, "as/eve/README", WEB, &node, &err), -EACCES);
	assert_reason(err, "eve is no administrator");
	assert_int_equal(find(f, "as/anna/as", WEB, &node, &err), -ENOENT);
	assert_int_equal(find(f, "as/anna/as/anna/README", WEB, &node, &err), -ENOENT);
	assert_int_equal(find(f, "as/anna/gate/car7", WEB, &node, &err), -ENOENT);
	assert_int_equal(find(f, "as/.12345678.0/README", WEB, &node, &err), -EACCES);
	assert_reason(err, "the token is not valid");
	assert_int_equal(find(f, "as//README", WEB, &node, &err), -EACCES);
	assert_int_equal(find(f, "as/anna", WEB, &node, &err), 0);
	assert_int_equal(find(f, "as/annab", WEB, &node, &err), -EACCES);
	assert_int_equal(find(f, "as/ann", WEB, &node, &err), -EACCES);
}

static int
has_name(const char *name, mode_t mode, void *wanted)
{
	(void)mode;
	return strcmp(name, wanted) == 0;
}

static void
does_not_show_what_is_not_there(void **state)
{
	struct fixture *f = *state;
	char as[] = "as", gate[] = "gate", groups[] = "groups";
	struct node node;
	struct err err;

	give(f, "anna", "keys");
	assert_int_equal(find(f, "as/anna", WEB, &node, &err), 0);
	assert_int_equal(node_list(&node, VIEW_FULL, has_name, groups, &err), 1);
	assert_int_equal(node_list(&node, VIEW_FULL, has_name, as, &err), 0);
	assert_int_equal(node_list(&node, VIEW_FULL, has_name, gate, &err), 0);
}

static void
belongs_to_the_gate_below_as(void **state)
{
	AUTO(free_p) char *content = NULL;
	struct fixture *f = *state;
	struct node node;
	struct stat st;
	struct err err;

	give(f, "anna", "view");
	assert_int_equal(find(f, "as/anna/devices/car7/in/manifest", WEB, &node, &err), 0);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_int_equal(st.st_uid, WEB);
	assert_int_equal(st.st_mode, S_IFREG | S_ISVTX | 0600);
	assert_int_equal(find(f, "as", 0, &node, &err), 0);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_int_equal(st.st_uid, WEB);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

static void
matches_patterns_by_parts(void **state)
{
	static const struct {
		const char *patterns, *path;
		enum access_reach reach;
	} cases[] = {
		{ "", "devices/car7", ACCESS_WITHIN },
		{ "", "", ACCESS_WITHIN },
		{ "devices/car*", "", ACCESS_ABOVE },
		{ "devices/car*", "devices", ACCESS_ABOVE },
		{ "devices/car*", "devices/car7", ACCESS_WITHIN },
		{ "devices/car*", "devices/car7/in/manifest", ACCESS_WITHIN },
		{ "devices/car*", "devices/bus7", ACCESS_OUTSIDE },
		{ "devices/car*", "groups/car7", ACCESS_OUTSIDE },
		{ "devices/car*", "device/car7", ACCESS_OUTSIDE },
		{ "devices/*/assign", "devices/car7", ACCESS_ABOVE },
		{ "devices/*/assign", "devices/car7/assign.check", ACCESS_OUTSIDE },
		{ "devices/*/assign", "devices/a/b/assign", ACCESS_OUTSIDE },
		{ "devices", "devices/car7/status", ACCESS_WITHIN },
		{ "devices/", "devices/car7/status", ACCESS_WITHIN },
		{ "groups/a  devices/b", "devices/b", ACCESS_WITHIN },
		{ "groups/a devices/b", "groups/b", ACCESS_OUTSIDE },
		{ "d*", "devicesx", ACCESS_WITHIN },
		{ "device?", "devices", ACCESS_WITHIN },
		{ " devices/car7", "devices/car8", ACCESS_OUTSIDE },
		{ " devices/car7 ", "devices/car7", ACCESS_WITHIN },
		{ " ", "devices/car7", ACCESS_OUTSIDE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (access_reach(cases[i].patterns, cases[i].path) != cases[i].reach)
			fail_msg("\"%s\" \"%s\"", cases[i].patterns, cases[i].path);
}

static void
narrows_a_token_to_role_and_paths(void **state)
{
	struct fixture *f = *state;
	struct access access;
	char as[128], path[256];
	struct node node;
	struct err err;

	give(f, "anna", "keys");
	made(f, &local, "user anna\nrole operate\npaths devices/car*/assign status\ntitle ci\n", as, &access);
	snprintf(path, sizeof(path), "as/%s/devices/car7/assign", as);
	assert_int_equal(find(f, path, WEB, &node, &err), 0);
	assert_int_equal(node_may_write(&node, &err), 0);
	snprintf(path, sizeof(path), "anna (token %.8s)", as + 1);
	assert_string_equal(node.who, path);
	snprintf(path, sizeof(path), "as/%s/devices/car7", as);
	assert_int_equal(find(f, path, WEB, &node, &err), 0);
	assert_int_equal(node_may_read(&node, &err), -EACCES);
	assert_string_equal(err.text, "devices/car7: is not within the token's paths");
	assert_int_equal(node_remove(&node, &err), -EACCES);
	snprintf(path, sizeof(path), "as/%s/devices/car7/certificates", as);
	assert_int_equal(find(f, path, WEB, &node, &err), -EACCES);
	assert_string_equal(err.text, "devices/car7/certificates: the token's paths do not lead there");
	/* What it was refused it may read, and what it is. */
	snprintf(path, sizeof(path), "as/%s/why", as);
	assert_int_equal(find(f, path, WEB, &node, &err), 0);
	assert_int_equal(node_may_read(&node, &err), 0);
}

static void
gives_away_only_less(void **state)
{
	struct fixture *f = *state;
	struct access anna, ci, child;
	struct err err = { 0 };
	char as[128], path[256];
	struct node node;

	give(f, "anna", "operate");
	assert_int_equal(who_is(f, "anna", &anna, &err), 0);
	assert_int_equal(make(f, &anna, "role keys", as, &err), -EACCES);
	assert_string_equal(err.text, "role: anna has operate, and cannot give away keys");
	assert_int_equal(make(f, &local, "user anna\nrole keys", as, &err), -EACCES);
	assert_int_equal(make(f, &anna, "user bert", as, &err), -EACCES);
	assert_string_equal(err.text, "user: anna makes tokens of his own only");
	made(f, &anna, "role view\npaths devices\nexpires 10d", as, &ci);
	assert_int_equal(ci.role, ACCESS_VIEW);
	assert_int_equal(make(f, &ci, "role operate", as, &err), -EACCES);
	assert_reason(err, "cannot give away operate");
	assert_int_equal(make(f, &ci, "expires 11d", as, &err), -EACCES);
	assert_reason(err, "is after the end of token");
	/* Without an end it ends with its parent; other paths do not lead further than the parent's. */
	made(f, &ci, "paths groups devices/car7", as, &child);
	assert_int_equal(child.expires_at, ci.expires_at);
	snprintf(path, sizeof(path), "as/%s/groups", as);
	assert_int_equal(find(f, path, WEB, &node, &err), -EACCES);
	snprintf(path, sizeof(path), "as/%s/devices/car7/status", as);
	assert_int_equal(find(f, path, WEB, &node, &err), 0);
	assert_int_equal(node_may_read(&node, &err), 0);
}

static void
ends_with_whatever_it_rests_on(void **state)
{
	struct fixture *f = *state;
	const struct access_asker test = { &local, "test" };
	struct access anna, ci, access;
	struct err err = { 0 };
	char parent[128], child[128];

	give(f, "anna", "operate");
	assert_int_equal(who_is(f, "anna", &anna, &err), 0);
	made(f, &anna, "", parent, &ci);
	made(f, &ci, "", child, &access);
	give(f, "anna", "view");
	assert_int_equal(who_is(f, child, &access, &err), 0);
	assert_int_equal(access.role, ACCESS_VIEW);
	assert_int_equal(access_token_revoke(&f->core, ci.token, &test, &err), 0);
	assert_int_equal(who_is(f, parent, &access, &err), -EACCES);
	assert_int_equal(who_is(f, child, &access, &err), -EACCES);
	assert_reason(err, "the token is not valid");
	made(f, &anna, "", parent, &ci);
	assert_int_equal(access_remove(&f->core, "anna", &test, &err), 0);
	give(f, "anna", "keys");
	assert_int_equal(who_is(f, parent, &access, &err), -EACCES);
}

static void
ends_in_time(void **state)
{
	struct fixture *f = *state;
	struct access_token token = { .id = "00000001", .name = "anna", .role = ACCESS_KEYS };
	struct access access;
	struct err err = { 0 };
	char as[128];

	give(f, "anna", "keys");
	digest_sha256_hex("x", 1, token.digest);
	token.expires_at = utc_now();
	assert_int_equal(state_access_add(f->core.state, &token, &err), 0);
	snprintf(as, sizeof(as), ".%s.%s", token.id, token.digest);
	assert_int_equal(who_is(f, as, &access, &err), -EACCES);
	strcpy(token.id, "00000002");
	token.expires_at = utc_now() + 60;
	assert_int_equal(state_access_add(f->core.state, &token, &err), 0);
	snprintf(as, sizeof(as), ".%s.%s", token.id, token.digest);
	assert_int_equal(who_is(f, as, &access, &err), 0);
	as[strlen(as) - 1] ^= 1;
	assert_int_equal(who_is(f, as, &access, &err), -EACCES);
}

static void
refuses_requests_in_words(void **state)
{
	static const char *const cases[][2] = {
		{ "role root", "role: is view, operate or keys" },
		{ "paths ../x", "is no path below the top" },
		{ "paths /devices", "is no path below the top" },
		{ "paths a//b", "is no path below the top" },
		{ "paths  /devices", "is no path below the top" },
		{ "paths ", "none is named" },
		{ "paths", "none is named" },
		{ "paths \xc3\xa4", "not printable" },
		{ "expires soon", "is neither 30d" },
		{ "expires 0d", "is neither 30d" },
		{ "expires 3651d", "within the next 3650 days" },
		{ "expires 2020-01-01T00:00:00Z", "within the next 3650 days" },
		{ "title \x01", "title: is not printable" },
		{ "colour red", "\"colour\": a request has role, paths" },
	};
	struct fixture *f = *state;
	struct access anna;
	struct err err = { 0 };
	char as[128];

	give(f, "anna", "keys");
	assert_int_equal(who_is(f, "anna", &anna, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(make(f, &anna, cases[i][0], as, &err), -EINVAL);
		assert_reason(err, cases[i][1]);
	}
	assert_int_equal(make(f, &local, "role view", as, &err), -EINVAL);
	assert_reason(err, "user: whose token it is has to be said");
	assert_int_equal(make(f, &local, "user bert", as, &err), -ENOENT);
	assert_reason(err, "bert is no administrator");
}

static void
bounds_how_many_and_how_deep(void **state)
{
	struct fixture *f = *state;
	struct access at, next;
	struct err err = { 0 };
	char as[128];
	int r = 0, count = ACCESS_DEPTH_MAX;

	give(f, "anna", "keys");
	assert_int_equal(who_is(f, "anna", &at, &err), 0);
	for (int i = 0; i < ACCESS_DEPTH_MAX; i++) {
		made(f, &at, "", as, &next);
		at = next;
	}
	assert_int_equal(make(f, &at, "", as, &err), -EACCES);
	assert_reason(err, "4 at most");
	while (r == 0 && count <= ACCESS_TOKENS_MAX)
		if ((r = make(f, &local, "user anna", as, &err)) == 0)
			count++;
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(count, ACCESS_TOKENS_MAX);
	assert_reason(err, "at most 100 are possible");
}

static void
shows_and_revokes_own_tokens_only(void **state)
{
	struct fixture *f = *state;
	struct access anna, bert, ci, other, child;
	struct access_asker asker = { &bert, "bert (web)" };
	struct err err = { 0 };
	char as[128];

	give(f, "anna", "operate");
	give(f, "bert", "operate");
	assert_int_equal(who_is(f, "anna", &anna, &err), 0);
	assert_int_equal(who_is(f, "bert", &bert, &err), 0);
	made(f, &anna, "", as, &ci);
	made(f, &anna, "", as, &other);
	assert_int_equal(access_token_find(&f->core, ci.token, &asker, &err), -ENOENT);
	assert_int_equal(access_token_revoke(&f->core, ci.token, &asker, &err), -ENOENT);
	asker.access = &other;
	assert_int_equal(access_token_find(&f->core, ci.token, &asker, &err), -ENOENT);
	assert_int_equal(access_token_find(&f->core, other.token, &asker, &err), 0);
	assert_int_equal(access_token_revoke(&f->core, ci.token, &asker, &err), -ENOENT);
	assert_reason(err, "there is no such token");
	made(f, &other, "", as, &child);
	assert_int_equal(access_token_find(&f->core, child.token, &asker, &err), 0);
	asker.access = &child;
	assert_int_equal(access_token_find(&f->core, other.token, &asker, &err), -ENOENT);
	asker.access = &anna;
	assert_int_equal(access_token_revoke(&f->core, ci.token, &asker, &err), 0);
	give(f, "bert", "keys");
	assert_int_equal(who_is(f, "bert", &bert, &err), 0);
	asker.access = &bert;
	assert_int_equal(access_token_revoke(&f->core, other.token, &asker, &err), 0);
}

static void
refuses_roles_and_names_in_words(void **state)
{
	const struct access_asker asker = { &local, "test" };
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(access_write_role(&f->core, "anna", "admin", &asker, &err), -EINVAL);
	assert_string_equal(err.text, "a role is view, operate or keys; rm takes an administrator away");
	assert_int_equal(access_write_role(&f->core, "an/na", "view", &asker, &err), -EINVAL);
	assert_reason(err, "administrator's name");
	assert_int_equal(access_remove(&f->core, "anna", &asker, &err), -ENOENT);
	assert_string_equal(err.text, "anna: is no administrator");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_each_role_what_it_may),
		TEST(writes_no_more_to_what_was_open_before),
		TEST(keeps_who_gets_in_for_the_role_keys),
		TEST(makes_a_blocked_device_for_whoever_may_unblock_it),
		TEST(lets_nobody_else_in),
		TEST(does_not_show_what_is_not_there),
		TEST(belongs_to_the_gate_below_as),
		cmocka_unit_test(matches_patterns_by_parts),
		TEST(narrows_a_token_to_role_and_paths),
		TEST(gives_away_only_less),
		TEST(ends_with_whatever_it_rests_on),
		TEST(ends_in_time),
		TEST(refuses_requests_in_words),
		TEST(bounds_how_many_and_how_deep),
		TEST(shows_and_revokes_own_tokens_only),
		TEST(refuses_roles_and_names_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
