/* Which requests are taken in, and whose: the last line before a transaction file is opened. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/route.h"

static const char *
name_of(const char *method, const char *target)
{
	const struct route *route = NULL;

	switch (route_find(method, target, &route)) {
	case 0:
		return route->name;
	case ROUTE_NO_METHOD:
		return "no method";
	case ROUTE_NO_PATH:
		return "no path";
	}
	return "?";
}

static void
finds_what_devices_send(void **state)
{
	static const struct {
		const char *method, *target, *name;
	} requests[] = {
		{ "PUT", "/director/manifest", "manifest" },
		{ "POST", "/director/ecus", "ecus" },
		{ "PUT", "/system_info", "system_info" },
		{ "POST", "/system_info", "system_info" },
		{ "PUT", "/core/system_info", "system_info" },
		{ "PUT", "/system_info/network", "network" },
		{ "POST", "/system_info/config", "config" },
		{ "PUT", "/core/installed", "installed" },
		{ "POST", "/events", "events" },
		{ "POST", "/devices", "devices" },
		{ "POST", "/.well-known/est/simpleenroll", "simpleenroll" },
		{ "POST", "/.well-known/est/simplereenroll", "simplereenroll" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		static const char *const ends[] = { "", "/", "//", "///", "?x=/y", "/?x", "?" };

		for (size_t end = 0; end < sizeof(ends) / sizeof(ends[0]); end++) {
			char target[128];

			snprintf(target, sizeof(target), "//%s%s", requests[i].target, ends[end]);
			for (const char *at = target; *at == '/'; at++)
				assert_string_equal(name_of(requests[i].method, at), requests[i].name);
		}
	}
	assert_string_equal(name_of("PUT", "//director///manifest//"), "manifest");
}

static void
takes_nothing_in_under_other_paths(void **state)
{
	static const char *const targets[] = { "", "/", "//", "?", "/?", "*", "director/manifest", "/director",
		"/director/", "/directormanifest", "/director/manifes", "/director/manifestx",
		"/director/manifest/x", "/director/manifest.json", "/Director/manifest", "/director/%6danifest",
		"/director%2fmanifest", "/director\\manifest", "/director/./manifest",
		"/x/../director/manifest", "/director/manifest/..", "/director/manifest;x",
		"/director/manifest%00", "/director/manifest ", "/director?/manifest", "/events#x",
		"/system_info/networks", "/system_info/net", "/core", "/in/events", "/devices/other/in/events",
		"/treehub/objects/aa/x", "/repo/targets.json", "/event", "/eventss", "/device", "/.well-known",
		"/.well-known/est", "/.well-known/est/cacerts", "/est/simpleenroll",
		"/.well-known/est/x/simpleenroll" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(name_of("PUT", targets[i]), "no path"))
			fail_msg("PUT %s is taken as %s", targets[i], name_of("PUT", targets[i]));
}

static void
takes_only_whole_methods_that_the_path_allows(void **state)
{
	static const char *const methods[] = { "", "GET", "HEAD", "DELETE", "PATCH", "put", "PU", "PUTT", "P",
		"PUT POST", " ", "UT", "POS", "OST" };

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(name_of(methods[i], "/system_info"), "no method"))
			fail_msg("the method \"%s\" is taken", methods[i]);
	assert_string_equal(name_of("POST", "/director/manifest"), "no method");
	assert_string_equal(name_of("PUT", "/director/ecus"), "no method");
}

static void
knows_how_much_each_may_send(void **state)
{
	static const struct {
		const char *method, *target;
		uint64_t bytes;
	} limits[] = {
		{ "PUT", "/director/manifest", 1 * 1024 },
		{ "POST", "/director/ecus", 2 * 1024 },
		{ "POST", "/events", 3 * 1024 },
		{ "PUT", "/system_info", 4 * 1024 },
		{ "PUT", "/core/system_info", 4 * 1024 },
		{ "PUT", "/system_info/network", 5 * 1024 },
		{ "PUT", "/system_info/config", 6 * 1024 },
		{ "PUT", "/core/installed", 7 * 1024 },
		{ "POST", "/devices", 4 * 1024 },
		{ "POST", "/.well-known/est/simpleenroll", 16 * 1024 },
		{ "POST", "/.well-known/est/simplereenroll", 16 * 1024 },
	};
	const struct config config = { .manifest_kb = 1,
		.ecus_kb = 2,
		.events_kb = 3,
		.system_info_kb = 4,
		.network_kb = 5,
		.config_kb = 6,
		.installed_kb = 7 };
	const struct route *route;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		assert_int_equal(route_find(limits[i].method, limits[i].target, &route), 0);
		assert_int_equal(route_limit(route, &config), limits[i].bytes);
	}
}

/* ---- whose */

static int
identify(const char *subject, const char *name, const char *serial, struct err *err)
{
	memset(err, 0, sizeof(*err));
	return route_identify("SUCCESS", subject, name, serial, err);
}

static void
accepts_a_subject_of_the_common_name_alone(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(identify("CN = car7", "car7", "0A1B", &err), 0);
	assert_int_equal(identify("CN=car7", "car7", "0A1B", &err), 0);
	assert_int_equal(identify("CN=a.b_c+d:e-f", "a.b_c+d:e-f", "00", &err), 0);
	assert_int_equal(identify("CN = \"a+b\"", "a+b", "00", &err), 0);
	assert_int_equal(identify("CN=a\\+b\\+", "a+b+", "00", &err), 0);
	assert_int_equal(identify("CN=7", "7", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", &err), 0);
}

static void
accepts_only_what_the_server_verified(void **state)
{
	static const char *const words[] = { "", "NONE", "FAILED", "FAILED:expired", "success", "SUCCESS ",
		"SUCCESSFUL", "GENEROUS" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(route_identify(words[i], "CN=car7", "car7", "0A", &err), -EACCES);
		assert_reason(err, "the client's certificate was not verified");
	}
}

static void
refuses_subjects_with_more_than_the_common_name(void **state)
{
	static const struct {
		const char *subject, *name;
	} subjects[] = {
		{ "CN = car7, CN = car8", "car8" },
		{ "CN = car7, CN = car8", "car7" },
		{ "CN=car8,CN=car7", "car7" },
		{ "O = x, CN = car7", "car7" },
		{ "CN = car7, O = x", "car7" },
		{ "O = x/CN=car8, CN = car7", "car7" },
		{ "/CN=car7", "car7" },
		{ "CN  = car7", "car7" },
		{ "CN =car7", "car7" },
		{ "CN= car7", "car7" },
		{ " CN = car7", "car7" },
		{ "CN = car7 ", "car7" },
		{ "CN = Car7", "car7" },
		{ "cn = car7", "car7" },
		{ "CN = car77", "car7" },
		{ "CN = \"car7", "car7" },
		{ "CN = \"car7\", O = x", "car7" },
		{ "CN = \"car7\"\"", "car7" },
		{ "CN=\"car7\"", "car7" },
		{ "CN=car7\\", "car7" },
		{ "CN=c\\ar7", "car7" },
		{ "CN = a\\+b", "a+b" },
		{ "CN=a\\\\+b", "a+b" },
		{ "CN=a\\+b+CN=c", "a+b" },
		{ "CN=a\\", "a+" },
		{ "CN = ", "car7" },
		{ "", "car7" },
		{ "car7", "car7" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (identify(subjects[i].subject, subjects[i].name, "0A", &err) != -EACCES)
			fail_msg("\"%s\" was accepted as %s", subjects[i].subject, subjects[i].name);
		assert_reason(err, "the certificate's subject is not CN=");
		assert_reason(err, "and nothing else");
	}
}

static void
refuses_names_that_are_no_device(void **state)
{
	static const char *const names[] = { "", ".", "..", "../x", "a/b", "a,b", "a, CN = b", "a\"b", "a\\b",
		"a b", " a", "a ", "*", "-a", "%2e", "a\nb", "a\tb", "a\xc3\xa9", "\xc0\xae", "a=b", "a;b",
		"a'b", "a#b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char subject[128];

		snprintf(subject, sizeof(subject), "CN = %s", names[i]);
		if (identify(subject, names[i], "0A", &err) != -EACCES)
			fail_msg("the name \"%s\" was accepted", names[i]);
		assert_reason(err, "device id");
	}
}

static void
refuses_serials_in_any_other_form(void **state)
{
	static const char *const serials[] = { "", "0a", "0A:1B", "0x0A", " 0A", "0A ", "-0A", "../0A", "0A/in",
		"G", "00000000000000000000000000000000000000000" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		assert_int_equal(identify("CN=car7", "car7", serials[i], &err), -EACCES);
		assert_reason(err, "certificate serial");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_devices_send),
		cmocka_unit_test(takes_nothing_in_under_other_paths),
		cmocka_unit_test(takes_only_whole_methods_that_the_path_allows),
		cmocka_unit_test(knows_how_much_each_may_send),
		cmocka_unit_test(accepts_a_subject_of_the_common_name_alone),
		cmocka_unit_test(accepts_only_what_the_server_verified),
		cmocka_unit_test(refuses_subjects_with_more_than_the_common_name),
		cmocka_unit_test(refuses_names_that_are_no_device),
		cmocka_unit_test(refuses_serials_in_any_other_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
