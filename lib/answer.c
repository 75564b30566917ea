#include "lib/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/name.h"
#include "lib/uuid.h"

#define PIECE_BYTES (64 * 1024)

int
answer_send(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

static const char *
retry_after(const char *status)
{
	return strncmp(status, "503", 3) && strncmp(status, "429", 3) ? "" : "Retry-After: 30\r\n";
}

size_t
answer_bare(const char *status, char text[static ANSWER_BARE_SIZE])
{
	return (size_t)snprintf(text, ANSWER_BARE_SIZE, "Status: %.64s\r\n%s\r\n", status, retry_after(status));
}

void
answer_status(int fd, const char *status)
{
	char text[ANSWER_BARE_SIZE];

	answer_send(fd, text, answer_bare(status, text));
}

char *
answer_refusal(
    const char *status, const char *code, const char *headers, const char *context, const char *reason)
{
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *body = NULL;
	char shown[ERR_TEXT_MAX], id[UUID_SIZE], *text = NULL;

	uuid_make(id);
	name_printable(reason, shown, sizeof(shown));
	json = json_pack("{s:s,s:s,s:n,s:s}", "code", code, "description", shown, "cause", "errorId", id);
	body = json ? json_write(json) : NULL;
	if (context)
		log_line(LOG_NOTICE, "refused %sstatus=\"%s\" code=%s id=%s reason=\"%s\"", context, status,
		    code, id, reason);
	if (!body || asprintf(&text, "Status: %s\r\nContent-Type: application/json\r\n%s%s\r\n%s", status,
			 strstr(headers, "Retry-After: ") ? "" : retry_after(status), headers, body) < 0)
		return NULL;
	return text;
}

void
answer_refuse(
    int fd, const char *status, const char *code, const char *headers, const char *context, const char *reason)
{
	AUTO(free_p) char *text = answer_refusal(status, code, headers, context, reason);

	if (text)
		answer_send(fd, text, strlen(text));
	else
		answer_status(fd, status);
}

ssize_t
answer_read(int fd, void *data, size_t room, uint64_t *left)
{
	ssize_t n;

	if (*left == 0 || room == 0)
		return 0;
	do
		n = read(fd, data, *left < room ? *left : room);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno != ECONNRESET ? -errno : -EBADMSG;
	*left -= (uint64_t)n;
	return n;
}

static void
read_to_nowhere(int fd, uint64_t *left)
{
	char piece[PIECE_BYTES];

	while (answer_read(fd, piece, sizeof(piece), left) > 0)
		;
}

void
answer_drain(int fd, uint64_t *left, uint64_t max)
{
	if (*left <= max)
		read_to_nowhere(fd, left);
}

void
answer_linger(int fd, uint64_t *left, int seconds)
{
	struct timeval second = { .tv_sec = 1 };
	time_t end = time(NULL) + seconds;
	char piece[PIECE_BYTES];

	shutdown(fd, SHUT_WR);
	if (seconds)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	while ((!seconds || time(NULL) < end) && answer_read(fd, piece, sizeof(piece), left) > 0)
		;
}
