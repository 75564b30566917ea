#include "tests/load/gate.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define HEAD_BYTES 1024

/* Adds "NAME\0VALUE\0". */
static size_t
put(char *head, size_t at, const char *name, const char *value)
{
	return at + (size_t)snprintf(head + at, HEAD_BYTES - at, "%s%c%s", name, 0, value) + 1;
}

/* The head as a netstring, without what a device has no part in. */
static size_t
make_head(const struct gate_request *request, char out[static HEAD_BYTES + 16])
{
	char head[HEAD_BYTES], text[128];
	size_t n = 0, digits;

	snprintf(text, sizeof(text), "%zu", request->bytes);
	n = put(head, n, "CONTENT_LENGTH", text);
	n = put(head, n, "SCGI", "1");
	n = put(head, n, "REQUEST_METHOD", request->method);
	n = put(head, n, "REQUEST_URI", request->uri);
	n = put(head, n, "SSL_CLIENT_VERIFY", "SUCCESS");
	snprintf(text, sizeof(text), "CN=%.100s", request->name);
	n = put(head, n, "SSL_CLIENT_S_DN", text);
	n = put(head, n, "SSL_CLIENT_S_DN_CN", request->name);
	n = put(head, n, "SSL_CLIENT_M_SERIAL", request->serial);
	digits = (size_t)sprintf(out, "%zu:", n);
	memcpy(out + digits, head, n);
	out[digits + n] = ',';
	return digits + n + 1;
}

static int
reach(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return MOVE_FD(fd);
}

ssize_t
gate_send(const char *path, const struct gate_request *request, char *answer, size_t room)
{
	char head[HEAD_BYTES + 16];
	struct iovec parts[] = { { .iov_base = head, .iov_len = make_head(request, head) },
		{ .iov_base = (void *)(uintptr_t)request->body, .iov_len = request->bytes } };
	AUTO(close_p) int fd = reach(path);
	size_t got = 0;
	ssize_t n;

	if (fd < 0 || writev(fd, parts, 2) != (ssize_t)(parts[0].iov_len + parts[1].iov_len))
		return -1;
	while ((n = read(fd, answer + got, room - got)) > 0)
		got += (size_t)n;
	return n < 0 ? -1 : (ssize_t)got;
}
