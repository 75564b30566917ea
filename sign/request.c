#include "sign/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

/* Takes @bytes that were sent off the front of @parts. */
static void
advance(struct msghdr *parts, size_t bytes)
{
	while (parts->msg_iovlen && bytes >= parts->msg_iov->iov_len) {
		bytes -= parts->msg_iov->iov_len;
		parts->msg_iov++;
		parts->msg_iovlen--;
	}
	if (!parts->msg_iovlen)
		return;
	parts->msg_iov->iov_base = (char *)parts->msg_iov->iov_base + bytes;
	parts->msg_iov->iov_len -= bytes;
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
	/* Together: each send would wake the peer. */
	struct iovec iov[] = { { &length, sizeof(length) }, { (void *)(uintptr_t)head, head_bytes },
		{ (void *)(uintptr_t)body, bytes } };
	struct msghdr parts = { .msg_iov = iov, .msg_iovlen = 3 };

	if (head_bytes + bytes > REQUEST_BYTES_MAX)
		return err_set(err, EMSGSIZE, "message of %zu bytes is longer than %d", head_bytes + bytes,
		    REQUEST_BYTES_MAX);
	while (parts.msg_iovlen) {
		ssize_t n = sendmsg(fd, &parts, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return err_sys(err, "send");
		advance(&parts, n > 0 ? (size_t)n : 0);
	}
	return 0;
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
