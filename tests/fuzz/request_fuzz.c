/* Frames on ota-signd's socket. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sign/request.h"

/** What a socket's buffer takes without a reader. */
#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct err err = { 0 };
	int fds[2], r;

	if (bytes > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return 0;
	assert(send(fds[0], data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes || bytes == 0);
	close(fds[0]);
	do {
		AUTO(free_p) char *request = NULL;
		size_t n = 0;

		r = request_receive(fds[1], &request, &n, &err);
		assert(r != 0 || (n <= REQUEST_BYTES_MAX && request[n] == '\0'));
		assert(r >= 0 || *err.text);
	} while (r == 0);
	close(fds[1]);
	return 0;
}
