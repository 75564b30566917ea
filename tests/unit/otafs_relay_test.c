/* What a process leaves to the one after it. */
#include "otafs/relay.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otafs/inode.h"

static struct config config = { .mount = "/srv/ota", .www = "/run/www", .repository = "/var/lib/repository" };
static struct relay *relay;
static const struct stat st = { .st_mode = S_IFREG | 0444, .st_size = 7 };

static int
setup(void **state)
{
	struct err err;

	(void)state;
	return relay_new(&config, &relay, &err) < 0 || relay_begin(relay, &err) < 0;
}

static int
teardown(void **state)
{
	(void)state;
	relay_free(relay);
	return 0;
}

static void
has_nothing_at_first(void **state)
{
	struct relay_thing thing;
	size_t bytes;

	(void)state;
	assert_int_equal(relay_run(relay), 1);
	assert_int_equal(relay_generation(relay), 0);
	assert_false(relay_can_resend(relay));
	assert_null(relay_greeting(relay, 0, &bytes));
	assert_false(relay_find(relay, 1, &thing));
}

static void
gives_the_newest_of_an_id(void **state)
{
	struct relay_thing thing;

	(void)state;
	relay_put(relay, 7, &st, "sets/1/root.json", 1, "content", 7);
	relay_put(relay, 8, &st, "a folder", 0, NULL, 0);
	relay_put(relay, 7, &st, "sets/2/root.json", 2, "another", 7);
	assert_true(relay_find(relay, 7, &thing));
	assert_string_equal(thing.path, "sets/2/root.json");
	assert_string_equal(thing.content, "another");
	assert_int_equal(thing.tag, 2);
	assert_int_equal(thing.st.st_mode, S_IFREG | 0444);
	relay_thing_done(&thing);
	assert_true(relay_find(relay, 8, &thing));
	assert_null(thing.content);
	relay_thing_done(&thing);
}

static void
lets_the_oldest_go(void **state)
{
	struct relay_thing thing;

	(void)state;
	for (uint64_t id = 1; id <= RELAY_THINGS_MAX + 10; id++)
		relay_put(relay, id, &st, "x", 0, NULL, 0);
	assert_false(relay_find(relay, 10, &thing));
	assert_true(relay_find(relay, 12, &thing));
	relay_thing_done(&thing);
}

/* What was written over is none, though its record is there still. */
static void
has_no_bytes_of_others(void **state)
{
	char *large = calloc(1, RELAY_BYTES_MAX / 4 + 1);
	struct relay_thing thing;

	(void)state;
	memset(large, 'x', RELAY_BYTES_MAX / 4);
	relay_put(relay, 1, &st, "first", 0, "content", 7);
	for (uint64_t id = 2; id <= 5; id++)
		relay_put(relay, id, &st, "large", 0, large, RELAY_BYTES_MAX / 4);
	assert_false(relay_find(relay, 1, &thing));
	assert_true(relay_find(relay, 5, &thing));
	assert_memory_equal(thing.content, large, RELAY_BYTES_MAX / 4);
	relay_thing_done(&thing);
	relay_put(relay, 6, &st, "too large", 0, large, RELAY_BYTES_MAX);
	assert_false(relay_find(relay, 6, &thing));
	free(large);
}

/* In a process of its own, which ends without a word. */
static void
leave(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		relay_set_generation(relay, 41);
		relay_set_greeting(relay, 1, "hello", 6);
		relay_set_can_resend(relay);
		relay_put(relay, 7, &st, "sets/1/root.json", 1, "content", 7);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
is_there_after_a_process_was_killed(void **state)
{
	struct relay_thing thing;
	struct err err;
	size_t bytes;

	(void)state;
	leave();
	assert_int_equal(relay_begin(relay, &err), 0);
	assert_int_equal(relay_run(relay), 2);
	assert_int_equal(relay_generation(relay), 41);
	assert_true(relay_can_resend(relay));
	assert_string_equal(relay_greeting(relay, 1, &bytes), "hello");
	assert_true(relay_find(relay, 7, &thing));
	assert_string_equal(thing.content, "content");
	relay_thing_done(&thing);
}

static void
is_adopted_by_the_next_program(void **state)
{
	struct config other = config;
	struct relay *next;
	struct err err;

	(void)state;
	leave();
	assert_int_equal(relay_adopt(dup(relay_fd(relay)), &config, &next, &err), 0);
	assert_int_equal(relay_generation(next), 41);
	relay_free(next);
	strcpy(other.www, "/run/other");
	assert_int_equal(relay_adopt(relay_fd(relay), &other, &next, &err), -EPROTO);
	assert_reason(err, "had other mounts");
	assert_int_equal(relay_adopt(STDIN_FILENO, &config, &next, &err), -EPROTO);
	assert_int_equal(ftruncate(relay_fd(relay), 0), -1);
}

static void
ends_before_ids_come_again(void **state)
{
	struct err err;

	(void)state;
	while (relay_run(relay) < RELAY_RUNS_MAX)
		assert_int_equal(relay_begin(relay, &err), 0);
	assert_int_equal(relay_begin(relay, &err), -EOVERFLOW);
	assert_true((uint64_t)RELAY_RUNS_MAX << RELAY_RUN_SHIFT < 1ULL << 63);
}

/* ---- inodes by it */

static void
free_one(void *inode)
{
	inode_free(inode);
}

static void
inodes_of_a_process_before_are_found(void **state)
{
	struct inodes before, inodes;
	struct inode *inode;
	struct err err;
	char text[8] = "";
	uint64_t id;

	(void)state;
	inodes_init(&before, relay);
	inode = inodes_enter(&before, inode_new("sets/3/root.json", 3, &st, strdup("content")));
	id = inodes_id(&before, inode);
	assert_ptr_equal(inodes_of(&before, id), inode);
	inodes_forget(&before, id, 1);
	relay_begin(relay, &err);
	inodes_init(&inodes, relay);
	inode = inodes_of(&inodes, id);
	assert_non_null(inode);
	assert_ptr_equal(inodes_of(&inodes, id), inode);
	assert_string_equal(inode->path, "sets/3/root.json");
	assert_int_equal(inodes_read(&inodes, inode, text, 7, 0), 7);
	assert_string_equal(text, "content");
	assert_true(inodes_id(&inodes, inode) == id);
	/* What it was told of them in the process before is nothing to this one. */
	inodes_forget(&inodes, id, 1000);
	assert_ptr_equal(inodes_of(&inodes, id), inode);
	assert_null(inodes_of(&inodes, id + 16));
	assert_ptr_equal(inodes_of(&inodes, INODE_TOP_ID), &inodes.top);
	tdestroy(inodes.inherited, free_one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(has_nothing_at_first),
		TEST(gives_the_newest_of_an_id),
		TEST(lets_the_oldest_go),
		TEST(has_no_bytes_of_others),
		TEST(is_there_after_a_process_was_killed),
		TEST(is_adopted_by_the_next_program),
		TEST(ends_before_ids_come_again),
		TEST(inodes_of_a_process_before_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
