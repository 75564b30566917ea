/* Open files and folders of every kind, with rows of their own instead of the tree's. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/handle.h"
#include "otafs/tree.h"
#include "tests/unit/fault.h"

static struct core core;

static struct node
node_of(const struct row *row)
{
	struct node node = { .core = &core, .row = row, .path = "here", .who = "uid 7" };

	core.refused = 0;
	return node;
}

static const char *
last_refusal(void)
{
	assert_true(core.refused > 0);
	return core.refusals[(core.refused - 1) % CORE_REFUSALS].text;
}

/* ---- pieces */

/* Names or lines 1 to 9, three at once, the second page of three empty; cursor is the last number. */
static int
next_three(char *cursor, int *from, int *to)
{
	int at = atoi(cursor);

	*from = at + 1;
	*to = at == 3 && strcmp(cursor, "3 again") != 0 ? 3 : at + 3;
	snprintf(cursor, NODE_CURSOR_MAX, *to == at ? "3 again" : "%d", *to);
	return *to < 9;
}

static int
page_nine(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	int from, to, more = next_three(cursor, &from, &to);
	char name[8];

	(void)node, (void)err;
	for (; from <= to; from++) {
		snprintf(name, sizeof(name), "n%d", from);
		each(name, from % 2 ? S_IFLNK : S_IFDIR, context);
	}
	return more;
}

static int
list_fixed(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	(void)node, (void)err;
	return each("fixed", S_IFREG, context);
}

static int
stream_nine(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	int from, to, more = next_three(cursor, &from, &to);

	(void)node, (void)err;
	for (; from <= to; from++)
		fprintf(out, "line %d\n", from);
	return more;
}

static int
stream_broken(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	(void)node, (void)cursor, (void)out;
	return err_set(err, EIO, "the disk is gone");
}

/* All from @offset on, as a caller reads it who takes @room bytes at most; a 0 becomes a space. */
static void
read_all(struct pieces *pieces, const struct node *node, off_t offset, size_t room, char *out)
{
	struct err err = { 0 };
	size_t bytes, used = 0;
	const char *at;
	int r;

	do {
		while ((r = pieces_fetch(pieces, node, VIEW_FULL, offset, &err)) == PIECES_AGAIN)
			;
		assert_int_equal(r, 0);
		at = pieces_at(pieces, offset, &bytes);
		bytes = bytes < room ? bytes : room;
		for (size_t i = 0; i < bytes; i++)
			out[used++] = at[i] ? at[i] : ' ';
		offset += (off_t)bytes;
	} while (bytes);
	out[used] = '\0';
}

static void
a_folder_gives_fixed_names_and_then_page_after_page(void **state)
{
	const struct row row = {
		.pattern = "none", .kind = NODE_FOLDER, .list = list_fixed, .page = page_nine
	};
	struct node node = node_of(&row);
	struct handle *handle;
	struct err err = { 0 };
	char all[256];

	(void)state;
	assert_int_equal(handle_open_folder(&node, &handle, &err), 0);
	assert_null(handle->pieces.data);
	read_all(&handle->pieces, &node, 0, 1000, all);
	assert_string_equal(all, "ffixed ln1 dn2 ln3 dn4 ln5 dn6 ln7 dn8 ln9 ");
	assert_true(handle->pieces.bytes <= 12);
	handle_free(handle);
}

static void
a_folder_without_pages_ends_after_its_names(void **state)
{
	const struct row row = { .pattern = "none", .kind = NODE_FOLDER, .list = list_fixed };
	struct node node = node_of(&row);
	struct pieces pieces = { 0 };
	char all[64];

	(void)state;
	read_all(&pieces, &node, 0, 1000, all);
	assert_string_equal(all, "ffixed ");
	assert_true(pieces_have(&pieces, 1000));
	pieces_done(&pieces);
}

static void
a_stream_is_the_same_however_small_the_reads_are(void **state)
{
	const struct row row = { .kind = NODE_STREAM, .stream = stream_nine };
	struct node node = node_of(&row);
	char whole[256], part[256];

	(void)state;
	for (size_t room = 1; room < 70; room++) {
		struct pieces pieces = { 0 };

		read_all(&pieces, &node, 0, room, whole);
		assert_int_equal(strlen(whole), 63);
		read_all(&pieces, &node, 14, room, part); /* backwards: it starts again */
		assert_string_equal(part, whole + 14);
		assert_true(pieces.bytes <= 21);
		pieces_done(&pieces);
	}
}

static void
between_two_pieces_the_lock_is_given_back(void **state)
{
	const struct row row = { .kind = NODE_STREAM, .stream = stream_nine };
	struct node node = node_of(&row);
	struct pieces pieces = { 0 };
	struct err err = { 0 };
	int turns = 1;

	(void)state;
	while (pieces_fetch(&pieces, &node, VIEW_FULL, 62, &err) == PIECES_AGAIN)
		turns++;
	assert_int_equal(turns, 4); /* three pieces and an empty one */
	pieces_done(&pieces);
}

static void
a_stream_that_fails_says_why_and_can_be_tried_again(void **state)
{
	const struct row broken = { .kind = NODE_STREAM, .stream = stream_broken };
	const struct row whole = { .kind = NODE_STREAM, .stream = stream_nine };
	struct node node = node_of(&broken);
	struct pieces pieces = { 0 };
	struct err err = { 0 };
	char all[256];

	(void)state;
	assert_int_equal(pieces_fetch(&pieces, &node, VIEW_FULL, 0, &err), -EIO);
	assert_string_equal(err.text, "the disk is gone");
	node = node_of(&whole);
	read_all(&pieces, &node, 0, 100, all);
	assert_int_equal(strlen(all), 63);
	pieces_done(&pieces);
}

/* Otherwise whoever may hand in one could have the memory fill up. */
static void
bodies_that_nobody_hands_in_have_a_bound_together(void **state)
{
	const struct row row = { .kind = NODE_TRANSACTION, .room = HANDLE_BODIES_MAX };
	struct node node = node_of(&row);
	AUTO(free_p) char *large = calloc(1, HANDLE_BODIES_MAX / 2);
	struct handle *handles[3];
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(handle_open(&node, O_RDWR, &handles[i], &err), 0);
	assert_int_equal(handle_write(handles[0], &node, large, HANDLE_BODIES_MAX / 2, 0, &err), 0);
	assert_int_equal(handle_write(handles[1], &node, large, HANDLE_BODIES_MAX / 2, 0, &err), 0);
	assert_int_equal(handle_write(handles[2], &node, "x", 1, 0, &err), -ENOBUFS);
	assert_int_equal(handle_hand_in(handles[2], 0), -ENOBUFS);
	handle_free(handles[2]);
	/* Answered is as good as closed. */
	assert_int_equal(handle_hand_in(handles[0], 0), 0);
	handle_answer(handles[0], strdup("Status: 200"), 11);
	assert_int_equal(handle_open(&node, O_RDWR, &handles[2], &err), 0);
	assert_int_equal(handle_write(handles[2], &node, large, HANDLE_BODIES_MAX / 2, 0, &err), 0);
	handle_free(handles[1]);
	assert_int_equal(handle_write(handles[2], &node, "x", 1, HANDLE_BODIES_MAX / 2, &err), 0);
	handle_free(handles[0]);
	handle_free(handles[2]);
}

static struct handle *
open_series(size_t room)
{
	static struct row row = { .kind = NODE_TRANSACTION, .flags = ROW_SERIES };
	struct handle *handle = NULL;
	struct err err = { 0 };
	struct node node;

	row.room = room;
	node = node_of(&row);
	assert_int_equal(handle_open(&node, O_RDWR, &handle, &err), 0);
	assert_true(handle->is_series);
	return handle;
}

/* Writes a whole transaction. */
static int
put_series(struct handle *handle, const char *text, size_t bytes)
{
	return handle_continue(handle, text, bytes, 0);
}

static void
a_series_is_one_transaction_after_another(void **state)
{
	struct handle *handle = open_series(100);
	char path[NODE_PATH_MAX];
	size_t bytes;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(put_series(handle, "car7/0A/events\n[1,", 18), 0);
		assert_int_equal(handle_continue(handle, "\n2]", 3, 18), 0);
		assert_int_equal(handle_path(handle, path), 0);
		assert_string_equal(path, "gate/car7/0A/events");
		assert_string_equal(handle_body(handle, &bytes), "[1,\n2]");
		assert_int_equal(bytes, 6);
		assert_int_equal(handle_hand_in(handle, 0), 0);
		/* While somebody works on it. */
		assert_int_equal(put_series(handle, "x", 1), -EBUSY);
		handle_answer(handle, strdup("Status: 200"), 11);
		assert_true(handle_is_answered(handle));
	}
	handle_free(handle);
}

static void
what_was_written_in_part_is_no_part_of_the_next(void **state)
{
	struct handle *handle = open_series(20);
	char path[NODE_PATH_MAX];
	size_t bytes;

	(void)state;
	assert_int_equal(put_series(handle, "a/B/events\nbody", 15), 0);
	assert_int_equal(handle_continue(handle, "too long", 8, 15), -EFBIG);
	assert_int_equal(handle_hand_in(handle, 0), -EFBIG);
	assert_int_equal(put_series(handle, "c/D/ecus\n", 9), 0);
	assert_int_equal(handle_path(handle, path), 0);
	assert_string_equal(path, "gate/c/D/ecus");
	assert_string_equal(handle_body(handle, &bytes), "");
	assert_int_equal(bytes, 0);
	assert_int_equal(handle_hand_in(handle, 0), 0);
	handle_answer(handle, strdup("Status: 200"), 11);
	handle_free(handle);
}

static void
a_first_line_that_is_no_path_is_none(void **state)
{
	char path[NODE_PATH_MAX], longest[NODE_PATH_MAX];
	struct handle *handle = open_series(4096);

	(void)state;
	assert_int_equal(handle_path(handle, path), -ENOENT);
	assert_int_equal(put_series(handle, "a/B/events", 10), 0);
	assert_int_equal(handle_path(handle, path), -ENOENT);
	assert_int_equal(put_series(handle, "a/B\0/events\n", 13), 0);
	assert_int_equal(handle_path(handle, path), -ENOENT);
	memset(longest, 'x', sizeof(longest));
	longest[NODE_PATH_MAX - 6] = '\n';
	assert_int_equal(put_series(handle, longest, sizeof(longest)), 0);
	assert_int_equal(handle_path(handle, path), -ENOENT);
	longest[NODE_PATH_MAX - 7] = '\n';
	assert_int_equal(put_series(handle, longest, sizeof(longest)), 0);
	assert_int_equal(handle_path(handle, path), 0);
	assert_int_equal(strlen(path), NODE_PATH_MAX - 2);
	handle_free(handle);
}

static void
only_what_can_be_written_is_opened_for_it(void **state)
{
	static const struct {
		enum node_kind kind;
		int r;
	} kinds[] = { { NODE_STREAM, -EACCES }, { NODE_LOG, -EACCES }, { NODE_LINK, -ELOOP },
		{ NODE_LINES, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct row row = { .kind = kinds[i].kind };
		struct node node = node_of(&row);
		struct handle *handle = NULL;
		struct err err = { 0 };

		assert_int_equal(handle_open(&node, O_WRONLY, &handle, &err), kinds[i].r);
		handle_free(handle);
	}
}

/* ---- lines */

static char taken[65536];
static int turns;

static int
take(const struct node *node, const char *header, const char *lines, int64_t first, struct err *err)
{
	const char *bad = strstr(lines, "bad");
	size_t n = strlen(taken);

	(void)node;
	turns++;
	if (strcmp(header, "head") != 0)
		return err_set(err, EINVAL, "line 1: no header");
	if (bad)
		return err_set(err, EINVAL, "line %lld: bad", (long long)first);
	if (*lines)
		snprintf(taken + n, sizeof(taken) - n, "%lld:%s", (long long)first, lines);
	return 0;
}

static const struct row lines_row = { .kind = NODE_LINES, .take = take, .room = 20 };

/* Writes @text as fs does; at most @room bytes at once. */
static int
write_lines(struct lines *lines, const char *text, size_t bytes, size_t room)
{
	struct node node = node_of(&lines_row);
	struct err err = { 0 };
	int r = 0;

	for (size_t at = 0; r == 0 && at < bytes; at += room) {
		r = lines_add(lines, text + at, room < bytes - at ? room : bytes - at);
		while (r == 0 && (r = lines_take(lines, &node, &err)) == LINES_AGAIN)
			r = 0;
	}
	return r;
}

static int
close_lines(struct lines *lines)
{
	struct node node = node_of(&lines_row);
	struct err err = { 0 };
	int r = lines_close(lines, &node, &err);

	lines_done(lines);
	return r;
}

static int
setup_lines(void **state)
{
	(void)state;
	taken[0] = '\0';
	turns = 0;
	return 0;
}

static void
whole_lines_are_taken_within_the_write(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\na\nb\nc", 10, 100), 0);
	assert_string_equal(taken, "2:a\nb\n");
	assert_int_equal(write_lines(&lines, "d\n", 2, 100), 0);
	assert_string_equal(taken, "2:a\nb\n4:cd\n");
	assert_int_equal(close_lines(&lines), 0);
}

/* It may be what there is of a longer one. */
static void
a_last_line_without_its_end_is_refused_and_not_taken(void **state)
{
	static const char refusal[] = "has no line end and was not taken: was the copy cut short?";
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\na\nb", 8, 100), 0);
	assert_int_equal(close_lines(&lines), -EINVAL);
	assert_non_null(strstr(last_refusal(), refusal));
	assert_non_null(strstr(last_refusal(), "line 3: "));
	assert_string_equal(taken, "2:a\n");
	assert_int_equal(write_lines(&lines, "head", 4, 100), 0);
	assert_int_equal(close_lines(&lines), -EINVAL);
	assert_non_null(strstr(last_refusal(), "line 1: "));
}

static void
lines_may_come_byte_by_byte(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\na\nb\n", 9, 1), 0);
	assert_string_equal(taken, "2:a\n3:b\n");
	assert_int_equal(close_lines(&lines), 0);
	assert_string_equal(taken, "2:a\n3:b\n");
}

static void
a_header_that_means_nothing_is_refused_though_no_line_follows(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "tail\n", 5, 100), -EINVAL);
	assert_string_equal(last_refusal(), "line 1: no header");
	close_lines(&lines);
}

static void
after_a_refusal_nothing_more_is_taken(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\na\n", 7, 100), 0);
	assert_int_equal(write_lines(&lines, "bad\n", 4, 100), -EINVAL);
	assert_string_equal(last_refusal(), "line 3: bad");
	assert_int_equal(write_lines(&lines, "c\nd", 3, 100), -EINVAL);
	close_lines(&lines);
	assert_string_equal(taken, "2:a\n");
}

static void
a_line_that_does_not_end_is_refused(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\n123456789012345678901", 26, 7), -EFBIG);
	assert_string_equal(last_refusal(), "line 2: is too long");
	close_lines(&lines);
}

static void
a_0_byte_is_refused(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(write_lines(&lines, "head\na\0b\n", 9, 100), -EINVAL);
	assert_string_equal(last_refusal(), "line 2: has a 0 byte");
	close_lines(&lines);
	assert_string_equal(taken, "");
}

static void
many_lines_are_taken_in_slices(void **state)
{
	struct lines lines = { 0 };
	char text[8192] = "head\n", last[32];

	(void)state;
	for (int i = 0; i < 1000; i++)
		strcat(text, "abcd\n");
	assert_int_equal(write_lines(&lines, text, strlen(text), sizeof(text)), 0);
	assert_int_equal(turns, 1 + 1000 / LINES_SLICE);
	snprintf(last, sizeof(last), "%d:abcd\n", 1002 - LINES_SLICE);
	assert_non_null(strstr(taken, last));
	close_lines(&lines);
}

static void
without_memory_a_write_is_refused_and_nothing_after_it_is_taken(void **state)
{
	struct lines lines = { 0 };

	(void)state;
	fault_after(0);
	assert_int_equal(lines_add(&lines, "head\na\n", 7), -ENOMEM);
	assert_true(fault_stop());
	assert_int_equal(write_lines(&lines, "b\n", 2, 100), -ENOMEM);
	close_lines(&lines);
	assert_string_equal(taken, "");
}

/* ---- logs, links, texts that grow */

static const char *grown;

static int
print_grown(const struct node *node, FILE *out, struct err *err)
{
	(void)node, (void)err;
	return fputs(grown, out) < 0;
}

static void
a_text_that_grows_is_looked_at_again_at_its_end(void **state)
{
	const struct row row = { .kind = NODE_TEXT, .print = print_grown, .flags = ROW_GROWS };
	struct node node = node_of(&row);
	struct handle *handle;
	struct err err = { 0 };

	(void)state;
	grown = "one\n";
	assert_int_equal(handle_open(&node, O_RDONLY, &handle, &err), 0);
	assert_true(handle->is_growing);
	grown = "one\ntwo\n";
	assert_int_equal(handle_look_again(handle, &node, 3, &err), 0);
	assert_int_equal(handle->bytes, 4);
	assert_int_equal(handle_look_again(handle, &node, 4, &err), 0);
	assert_string_equal(handle->data, "one\ntwo\n");
	grown = "";
	assert_int_equal(handle_look_again(handle, &node, 8, &err), 0);
	assert_int_equal(handle->bytes, 8);
	handle_free(handle);
}

static int64_t
size_of_log(const struct node *node, struct err *err)
{
	(void)node, (void)err;
	return 5000000000;
}

static int
link_away(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)node, (void)err;
	return snprintf(out, room, "../away") < 0;
}

static void
logs_and_links_have_their_type_and_size(void **state)
{
	const struct row log = { .kind = NODE_LOG, .mode = 0640, .size = size_of_log };
	const struct row link = { .kind = NODE_LINK, .mode = 0777, .link = link_away };
	struct node node = node_of(&log);
	char *content = NULL;
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_true(st.st_size == 5000000000);
	node = node_of(&link);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_int_equal(st.st_mode, S_IFLNK | 0777);
	assert_int_equal(st.st_size, 7);
	free(content);
}

static void
what_cannot_be_linked_renamed_or_removed_is_refused_in_words(void **state)
{
	const struct row row = { .kind = NODE_TEXT }, shown = { .kind = NODE_TEXT, .flags = ROW_SHOWN };
	struct node node = node_of(&row);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(node_make_link(&node, "a", "b", &err), -EPERM);
	assert_string_equal(last_refusal(), "no link can be made here");
	assert_string_equal(core.refusals[0].path, "here/a");
	assert_int_equal(node_rename(&node, "a", &err), -EPERM);
	assert_string_equal(last_refusal(), "cannot be renamed");
	assert_int_equal(node_unlink(&node, &err), -EPERM);
	assert_string_equal(last_refusal(), "cannot be removed");
	assert_string_equal(core.refusals[2].who, "uid 7");
	node = node_of(&shown);
	assert_int_equal(node_unlink(&node, &err), 0);
	assert_int_equal(core.refused, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_gives_fixed_names_and_then_page_after_page),
		cmocka_unit_test(a_folder_without_pages_ends_after_its_names),
		cmocka_unit_test(a_stream_is_the_same_however_small_the_reads_are),
		cmocka_unit_test(between_two_pieces_the_lock_is_given_back),
		cmocka_unit_test(a_stream_that_fails_says_why_and_can_be_tried_again),
		cmocka_unit_test(bodies_that_nobody_hands_in_have_a_bound_together),
		cmocka_unit_test(a_series_is_one_transaction_after_another),
		cmocka_unit_test(what_was_written_in_part_is_no_part_of_the_next),
		cmocka_unit_test(a_first_line_that_is_no_path_is_none),
		cmocka_unit_test(only_what_can_be_written_is_opened_for_it),
		cmocka_unit_test_setup(whole_lines_are_taken_within_the_write, setup_lines),
		cmocka_unit_test_setup(a_last_line_without_its_end_is_refused_and_not_taken, setup_lines),
		cmocka_unit_test_setup(lines_may_come_byte_by_byte, setup_lines),
		cmocka_unit_test_setup(
		    a_header_that_means_nothing_is_refused_though_no_line_follows, setup_lines),
		cmocka_unit_test_setup(after_a_refusal_nothing_more_is_taken, setup_lines),
		cmocka_unit_test_setup(a_line_that_does_not_end_is_refused, setup_lines),
		cmocka_unit_test_setup(a_0_byte_is_refused, setup_lines),
		cmocka_unit_test_setup(many_lines_are_taken_in_slices, setup_lines),
		cmocka_unit_test_setup(
		    without_memory_a_write_is_refused_and_nothing_after_it_is_taken, setup_lines),
		cmocka_unit_test(a_text_that_grows_is_looked_at_again_at_its_end),
		cmocka_unit_test(logs_and_links_have_their_type_and_size),
		cmocka_unit_test(what_cannot_be_linked_renamed_or_removed_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
