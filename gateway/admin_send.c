#include "gateway/admin_send.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/name.h"

#define PIECE_BYTES (64 * 1024)

void
admin_send_status(int fd, const char *status)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "Status: %s\r\n" ADMIN_HEADERS "\r\n", status);

	answer_send(fd, text, (size_t)n);
}

int
admin_send_head(int fd, const char *type, int64_t bytes)
{
	char text[1024], length[64] = "";
	int n;

	if (bytes >= 0)
		snprintf(length, sizeof(length), "Content-Length: %" PRId64 "\r\n", bytes);
	n = snprintf(
	    text, sizeof(text), "Status: 200 OK\r\nContent-Type: %s\r\n%s" ADMIN_HEADERS "\r\n", type, length);
	return answer_send(fd, text, (size_t)n);
}

void
admin_send_reply(int fd, const char *reply, size_t bytes)
{
	const char *end = memchr(reply, '\n', bytes);
	size_t head = end ? (size_t)(end - reply) + 1 : bytes;

	if (answer_send(fd, reply, head) == 0 && answer_send(fd, ADMIN_HEADERS, strlen(ADMIN_HEADERS)) == 0)
		answer_send(fd, reply + head, bytes - head);
}

/* ---- folders */

static const char *
type_of(unsigned char type)
{
	return type == DT_DIR ? "folder" : type == DT_LNK ? "link" : "file";
}

static int
print_entry(const struct dirent *entry, bool is_first, FILE *out)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	char shown[4 * sizeof(entry->d_name)];

	/* A name that is no text would end the list. */
	json = json_pack("{s:s,s:s}", "name", entry->d_name, "type", type_of(entry->d_type));
	if (!json)
		json = json_pack("{s:s,s:s}", "name", name_printable(entry->d_name, shown, sizeof(shown)),
		    "type", type_of(entry->d_type));
	text = json ? json_write_as(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (!text)
		return -ENOMEM;
	return fprintf(out, "%s%s", is_first ? "" : ",\n", text) < 0 ? -EIO : 0;
}

static int
print_entries(DIR *folder, FILE *out)
{
	const struct dirent *entry;
	bool is_first = true;

	while (errno = 0, (entry = readdir(folder))) {
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if ((r = print_entry(entry, is_first, out)) < 0)
			return r;
		is_first = false;
	}
	return -errno;
}

static ssize_t
write_out(void *fd, const char *data, size_t bytes)
{
	return answer_send(*(int *)fd, data, bytes) < 0 ? 0 : (ssize_t)bytes;
}

void
admin_send_folder(int fd, int folder)
{
	AUTO(close_p) int again = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	AUTO(closedir_p) DIR *names = again < 0 ? NULL : fdopendir(again);
	AUTO(fclose_p) FILE *out = fopencookie(&fd, "w", (cookie_io_functions_t){ .write = write_out });

	if (names)
		again = -1;
	if (!names || !out) {
		admin_send_status(fd, "503 Service Unavailable");
		return;
	}
	if (admin_send_head(fd, "application/json", -1) < 0)
		return;
	fputc('[', out);
	/* Cut short, it is no JSON. */
	if (print_entries(names, out) == 0)
		fputs("]\n", out);
}

/* ---- files */

static ssize_t
read_piece(int file, char *piece, size_t room, int64_t at)
{
	size_t got = 0;

	while (got < room) {
		ssize_t n = pread(file, piece + got, room - got, at + (int64_t)got);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

/* How much is sent: all that there is, as far as that is known; -1: it is not. */
static int64_t
length_of(int file, int64_t from, size_t first)
{
	struct stat st;

	if (first < PIECE_BYTES)
		return (int64_t)first;
	return fstat(file, &st) == 0 && st.st_size >= from + (int64_t)first ? st.st_size - from : -1;
}

static void
copy(int fd, int file, char *piece, size_t first, int64_t at, int64_t length)
{
	ssize_t n = (ssize_t)first;
	int64_t left = length < 0 ? INT64_MAX : length;

	while (n > 0 && left > 0 && answer_send(fd, piece, (size_t)(n < left ? n : left)) == 0) {
		left -= n;
		at += n;
		n = left > 0 ? read_piece(file, piece, PIECE_BYTES, at) : 0;
	}
}

int
admin_send_file(int fd, int file, const char *type, int64_t from)
{
	AUTO(free_p) char *piece = malloc(PIECE_BYTES);
	ssize_t first = piece ? read_piece(file, piece, PIECE_BYTES, from) : -ENOMEM;
	int64_t length;

	if (first < 0)
		return (int)first;
	length = length_of(file, from, (size_t)first);
	if (admin_send_head(fd, type, length) == 0)
		copy(fd, file, piece, (size_t)first, from, length);
	return 0;
}
