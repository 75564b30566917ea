/* sign/restored: the ledger after a backup was put back. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "sign/restored.h"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/otafs-unit.XXXXXX");
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") || system(command);
}

static void
write_ledger(const char *text)
{
	struct err err = { 0 };

	assert_int_equal(file_replace(AT_FDCWD, LEDGER_FILE, text, strlen(text), 0600, &err), 0);
}

static void
jumps_once_for_each_file(void **state)
{
	AUTO(close_p) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = { 0 };

	(void)state;
	write_ledger("{\"targets\":{\"version\":7,\"sha256\":\"00\"}}");
	for (int round = 0; round < 2; round++) {
		AUTO(ledger_freep) struct ledger *ledger = NULL;

		assert_int_equal(ledger_open(dir, &ledger, &err), 0);
		assert_int_equal(ledger_last(ledger, ROLE_TARGETS), 7 + round * LEDGER_RESTORE_JUMP);
		assert_int_equal(file_replace(dir, RESTORED_FILE, "", 0, 0600, &err), 0);
		assert_int_equal(restored_follow(dir, ledger, &err), 0);
		assert_int_equal(access(RESTORED_FILE, F_OK), -1);
		assert_int_equal(restored_follow(dir, ledger, &err), 0);
		assert_int_equal(ledger_last(ledger, ROLE_TARGETS), 7 + (round + 1) * LEDGER_RESTORE_JUMP);
	}
}

static void
keeps_the_file_when_numbers_end(void **state)
{
	AUTO(close_p) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(ledger_freep) struct ledger *ledger = NULL;
	struct err err = { 0 };

	(void)state;
	write_ledger("{\"snapshot\":{\"version\":2147480000,\"sha256\":\"00\"}}");
	assert_int_equal(ledger_open(dir, &ledger, &err), 0);
	assert_int_equal(file_replace(dir, RESTORED_FILE, "", 0, 0600, &err), 0);
	assert_int_equal(restored_follow(dir, ledger, &err), -ERANGE);
	assert_reason(err, "restored: snapshot");
	assert_int_equal(ledger_last(ledger, ROLE_SNAPSHOT), 2147480000);
	assert_int_equal(access(RESTORED_FILE, F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jumps_once_for_each_file, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_the_file_when_numbers_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
