#include "sign/line.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/cleanup.h"
#include "lib/steady.h"
#include "sign/client.h"
#include "sign/request.h"

void
line_end_init(struct line_end *end, const char *path)
{
	*end = (struct line_end){ .address = { .sun_family = AF_UNIX } };
	snprintf(end->address.sun_path, sizeof(end->address.sun_path), "%s", path);
}

void
line_init(struct line *line, struct line_end *end)
{
	*line = (struct line){ -1, end };
}

void
line_done(struct line *line)
{
	close_p(&line->fd);
	line->fd = -1;
}

static int
dial(struct line *line, struct err *err)
{
	AUTO(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_un *address = &line->end->address;
	struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_SECONDS };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return err_sys(err, "%s", address->sun_path);
	line->fd = MOVE_FD(fd);
	return 0;
}

static int
exchange(
    struct line *line, const char *request, size_t request_bytes, char **reply, size_t *bytes, struct err *err)
{
	int r = 0;

	if (line->fd < 0)
		r = dial(line, err);
	if (r < 0)
		return r;
	r = request_send(line->fd, NULL, 0, request, request_bytes, err);
	if (r == 0)
		r = request_receive(line->fd, reply, bytes, err);
	if (r == REQUEST_END || (r == 0 && *bytes < 4)) {
		free(MOVE(*reply));
		r = err_set(err, EPIPE, "connection closed");
	}
	if (r < 0)
		line_done(line);
	return r;
}

static int
exchange_patiently(
    struct line *line, const char *request, size_t request_bytes, char **reply, size_t *bytes, struct err *err)
{
	int was_connected = line->fd >= 0, r;

	if (steady_seconds() < line->end->paused_until)
		return err_set(
		    err, EAGAIN, "it did not answer within %d seconds lately", CLIENT_TIMEOUT_SECONDS);
	r = exchange(line, request, request_bytes, reply, bytes, err);
	/* It may have been started anew since the last call; every request may be repeated. */
	if (r < 0 && r != -EAGAIN && was_connected)
		r = exchange(line, request, request_bytes, reply, bytes, err);
	if (r == -EAGAIN)
		line->end->paused_until = steady_seconds() + CLIENT_PAUSE_SECONDS;
	return r;
}

int
line_call(
    struct line *line, const char *request, size_t request_bytes, char **reply, size_t *bytes, struct err *err)
{
	int r;

	*reply = NULL;
	r = exchange_patiently(line, request, request_bytes, reply, bytes, err);
	if (r == 0)
		return 0;
	err_context(err, r, "ota-signd cannot be reached");
	err->code = EAGAIN;
	return -EAGAIN;
}
