#include "lib/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/steady.h"

/** Without descriptors or memory the listener stays readable: the next try waits so long. */
#define SHORTAGE_MS 100
/** While all threads are taken: how often those that take too long are looked for. */
#define LOOK_MS 1000

int serve_long_seconds = 15 * 60;

/* A request and its thread. */
struct slot {
	int fd;
	int64_t since; /* steady_seconds() */
	bool is_taken;
};

static struct slot slots[SERVE_REQUESTS_MAX];
static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards them, and keeps fd open while it is looked at */
static int freed = -1;         /* eventfd: a slot is */
static serve_handler *handle;
static void *handle_data;

static int
count_taken(void)
{
	int n = 0;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < SERVE_REQUESTS_MAX; i++)
		n += slots[i].is_taken;
	pthread_mutex_unlock(&lock);
	return n;
}

static struct slot *
take_slot(int fd)
{
	struct slot *slot = slots;

	pthread_mutex_lock(&lock);
	while (slot->is_taken)
		slot++; /* the caller knows that one is free */
	*slot = (struct slot){ fd, steady_seconds(), true };
	pthread_mutex_unlock(&lock);
	return slot;
}

static void
free_slot(struct slot *slot)
{
	pthread_mutex_lock(&lock);
	close(slot->fd);
	slot->is_taken = false;
	pthread_mutex_unlock(&lock);
	eventfd_write(freed, 1);
}

static void *
serve(void *argument)
{
	struct slot *slot = argument;

	handle(slot->fd, handle_data);
	free_slot(slot);
	return NULL;
}

static void
start(int fd, int peer_seconds)
{
	struct timeval timeout = { .tv_sec = peer_seconds };
	struct slot *slot = take_slot(fd);
	pthread_t thread;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (pthread_create(&thread, NULL, serve, slot) == 0) {
		pthread_detach(thread);
		return;
	}
	log_line(LOG_ERR, "no thread for a request");
	free_slot(slot);
}

static bool
somebody_waits(int listener)
{
	struct pollfd fd = { .fd = listener, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* Others wait for a thread: whoever has had one for longest, and for too long, loses it. */
static void
cut_longest(void)
{
	struct slot *longest = slots;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < SERVE_REQUESTS_MAX; i++)
		if (slots[i].is_taken && (!longest->is_taken || slots[i].since < longest->since))
			longest = &slots[i];
	if (longest->is_taken && steady_seconds() - longest->since >= serve_long_seconds) {
		log_line(LOG_WARNING, "a request is cut off that took %llds while others wait",
		    (long long)(steady_seconds() - longest->since));
		shutdown(longest->fd, SHUT_RDWR);
		longest->since = steady_seconds(); /* it needs a moment to notice */
	}
	pthread_mutex_unlock(&lock);
}

static void
wait_out_shortage(int signals)
{
	struct pollfd fd = { .fd = signals, .events = POLLIN };

	log_line(LOG_WARNING, "no request can be taken reason=\"%s\"", strerror(errno));
	poll(&fd, 1, SHORTAGE_MS);
}

static void
take_one(int listener, int signals, int peer_seconds)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		start(fd, peer_seconds);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		wait_out_shortage(signals);
}

/* Waits until a slot becomes free, @ms at most. */
static void
wait_for_slot(int ms)
{
	struct pollfd fd = { .fd = freed, .events = POLLIN };
	eventfd_t count;

	if (poll(&fd, 1, ms) > 0)
		eventfd_read(freed, &count);
}

/* A peer that is slow but not silent could go on for ever. */
static void
wait_for_requests(int seconds)
{
	int64_t end = steady_ms() + seconds * 1000LL, left;

	while (count_taken() && (left = end - steady_ms()) > 0)
		wait_for_slot((int)left);
}

int
serve_loop(int listener, int signals, int peer_seconds, serve_handler *handler, void *data, struct err *err)
{
	struct pollfd fds[] = { { .fd = listener, .events = POLLIN }, { .fd = signals, .events = POLLIN },
		{ .events = POLLIN } };

	handle = handler;
	handle_data = data;
	fds[2].fd = freed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (freed < 0)
		return err_sys(err, "eventfd");
	for (;;) {
		bool is_full = count_taken() == SERVE_REQUESTS_MAX;
		int n;

		/* Nobody is looked at who would have to wait, so that signals are heard meanwhile. */
		fds[0].fd = is_full ? -1 : listener;
		n = poll(fds, 3, is_full ? LOOK_MS : -1);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (fds[1].revents)
			break;
		if (fds[2].revents)
			wait_for_slot(0);
		if (is_full && somebody_waits(listener))
			cut_longest();
		if (!is_full && n > 0 && fds[0].revents)
			take_one(listener, signals, peer_seconds);
	}
	wait_for_requests(peer_seconds);
	return 0;
}
