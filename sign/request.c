#include "sign/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

static int
send_all(int fd, const void *data, size_t bytes, int flags, struct err *err)
{
	const char *at = data;

	while (bytes) {
		ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL | flags);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "send");
		if (n > 0) {
			at += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

/* Returns the bytes that came before the end of the stream, or -errno. */
static ssize_t
receive_all(int fd, void *data, size_t bytes, struct err *err)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t n = recv(fd, (char *)data + got, bytes - got, 0);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return err_sys(err, "receive");
		if (n > 0)
			got += (size_t)n;
	}
	return (ssize_t)got;
}

int
request_send(int fd, const void *head, size_t head_bytes, const void *body, size_t bytes, struct err *err)
{
	uint32_t length = htonl((uint32_t)(head_bytes + bytes));
	int r;

	if (head_bytes + bytes > REQUEST_BYTES_MAX)
		return err_set(err, EMSGSIZE, "message of %zu bytes is longer than %d", head_bytes + bytes,
		    REQUEST_BYTES_MAX);
	if ((r = send_all(fd, &length, sizeof(length), MSG_MORE, err)) < 0)
		return r;
	if (head_bytes && (r = send_all(fd, head, head_bytes, bytes ? MSG_MORE : 0, err)) < 0)
		return r;
	return send_all(fd, body, bytes, 0, err);
}

int
request_receive(int fd, char **out, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *data = NULL;
	uint32_t length;
	ssize_t n;

	n = receive_all(fd, &length, sizeof(length), err);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return REQUEST_END;
	length = ntohl(length);
	if (n != sizeof(length) || length > REQUEST_BYTES_MAX)
		return err_set(err, EBADMSG, "message with a broken or too large length");
	data = malloc((size_t)length + 1);
	if (!data)
		return err_set(err, ENOMEM, "no memory for a message of %u bytes", length);
	n = receive_all(fd, data, length, err);
	if (n < 0)
		return (int)n;
	if ((size_t)n != length)
		return err_set(err, EBADMSG, "message ends after %zd of %u bytes", n, length);
	data[length] = '\0';
	*bytes = length;
	*out = MOVE(data);
	return 0;
}

void
request_put_code(int32_t code, unsigned char head[static 4])
{
	uint32_t wire = htonl((uint32_t)code);

	memcpy(head, &wire, sizeof(wire));
}

int32_t
request_get_code(const char *head)
{
	uint32_t wire;

	memcpy(&wire, head, sizeof(wire));
	return (int32_t)ntohl(wire);
}
