/* What -n says of settings. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/config.h"

/* The defaults, with users that need not be in /etc/passwd. */
static struct config
fresh(void)
{
	struct config config;
	struct err err = { 0 };
	char path[] = "/tmp/otafs-unit.XXXXXX";
	char *const users[] = { config.user_sign, config.user_otafs, config.user_watcher, config.user_gate,
		config.user_www, config.user_build, config.user_admin, config.user_admin_web,
		config.group_admin };

	close(mkstemp(path));
	assert_int_equal(config_read(path, &config, &err), 0);
	unlink(path);
	for (int i = 0; i < (int)(sizeof(users) / sizeof(users[0])); i++)
		snprintf(users[i], CONFIG_VALUE_MAX, "%d", 64101 + i);
	return config;
}

static void
refuses(const struct config *config, int code, const char *reason)
{
	struct err err = { 0 };

	assert_int_equal(config_check(config, &err), -code);
	assert_reason(err, reason);
}

static void
accepts_what_can_be_started(void **unused)
{
	struct config config = fresh();
	struct err err = { 0 };

	(void)unused;
	if (config_check(&config, &err) < 0)
		fail_msg("%s", err.text);
}

static void
names_users_and_groups_that_there_are_not(void **unused)
{
	struct config config = fresh();

	(void)unused;
	strcpy(config.group_admin, "no-such-group");
	refuses(&config, ENOENT, "group_admin: group no-such-group: there is no such group");
	strcpy(config.user_otafs, "nobody-of-that-name");
	refuses(&config, ENOENT, "user_otafs: user nobody-of-that-name: there is no such user");
}

static void
names_paths_that_are_none(void **unused)
{
	struct config config = fresh();

	(void)unused;
	memset(config.sign_socket, '/', 108);
	config.sign_socket[108] = '\0';
	refuses(&config, ENAMETOOLONG, "sign_socket: a socket's path has at most 107 bytes");
	strcpy(config.keys, "keys");
	refuses(&config, EINVAL, "keys: \"keys\" does not begin with a slash");
}

static void
keeps_the_users_apart(void **unused)
{
	struct config config = fresh();

	(void)unused;
	strcpy(config.user_otafs, config.user_sign);
	refuses(&config, EINVAL, "user_sign and user_otafs are the same user");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_can_be_started),
		cmocka_unit_test(names_users_and_groups_that_there_are_not),
		cmocka_unit_test(names_paths_that_are_none),
		cmocka_unit_test(keeps_the_users_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
