#include "lib/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

/** Without descriptors or memory the listener stays readable: the next try waits so long. */
#define SHORTAGE_MS 100

static sem_t slots;
static serve_handler *handle;
static void *handle_data;

static void *
serve(void *argument)
{
	int fd = (int)(intptr_t)argument;

	handle(fd, handle_data);
	close(fd);
	sem_post(&slots);
	return NULL;
}

static void
start(int fd, int peer_seconds)
{
	struct timeval timeout = { .tv_sec = peer_seconds };
	pthread_t thread;

	sem_wait(&slots);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	// NOLINTNEXTLINE(performance-no-int-to-ptr)
	if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0) {
		pthread_detach(thread);
		return;
	}
	log_line(LOG_ERR, "no thread for a request");
	close(fd);
	sem_post(&slots);
}

static void
wait_out_shortage(int signals)
{
	struct pollfd fd = { .fd = signals, .events = POLLIN };

	log_line(LOG_WARNING, "no request can be taken reason=\"%s\"", strerror(errno));
	poll(&fd, 1, SHORTAGE_MS);
}

/* A peer that is slow but not silent could go on for ever. */
static void
wait_for_requests(int seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	for (int i = 0; i < SERVE_REQUESTS_MAX; i++)
		while (sem_timedwait(&slots, &until) < 0)
			if (errno != EINTR)
				return;
}

int
serve_loop(int listener, int signals, int peer_seconds, serve_handler *handler, void *data, struct err *err)
{
	struct pollfd fds[] = { { .fd = listener, .events = POLLIN }, { .fd = signals, .events = POLLIN } };

	handle = handler;
	handle_data = data;
	sem_init(&slots, 0, SERVE_REQUESTS_MAX);
	for (;;) {
		int fd;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (fds[1].revents)
			break;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			start(fd, peer_seconds);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			wait_out_shortage(signals);
	}
	wait_for_requests(peer_seconds);
	return 0;
}
