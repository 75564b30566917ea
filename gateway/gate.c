#include "gateway/gate.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "gateway/peer.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/steady.h"

#define EVENTS_MAX 256
#define TICK_MS 1000
/** The pool's transactions, and what the program has open besides. */
#define OTHER_DESCRIPTORS (2 * POOL_THREADS + 32)
/** At least so many, however low the limit of descriptors is. */
#define CONNECTIONS_MIN 16

struct gate {
	struct peers peers;
	int epoll, listener, signals;
	size_t connections_max;
	bool is_listening; /* the listener is in the epoll set */
	bool is_short;     /* of descriptors, until the next tick */
	bool is_stopping;
	bool is_inherited;
	int64_t stop_ms, tick_ms;
};

/* Events that belong to no peer have the address of the descriptor as data. */
static int
add(const struct gate *gate, int *fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

	return epoll_ctl(gate->epoll, EPOLL_CTL_ADD, *fd, &event);
}

/* -- connections -- */

static bool
is_full(const struct gate *gate)
{
	return gate->is_short || gate->peers.count >= gate->connections_max;
}

/* Asks for connections only while they can be taken. */
static void
listen_if_wanted(struct gate *gate)
{
	bool is_wanted = !gate->is_stopping && !is_full(gate);

	if (is_wanted == gate->is_listening)
		return;
	if (is_wanted)
		add(gate, &gate->listener);
	else
		epoll_ctl(gate->epoll, EPOLL_CTL_DEL, gate->listener, NULL);
	gate->is_listening = is_wanted;
}

/* Whether there may be more. */
static bool
accept_one(struct gate *gate)
{
	int fd = accept4(gate->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		peer_start(&gate->peers, fd);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		log_line(LOG_WARNING, "no request can be taken reason=\"%s\"", strerror(errno));
		gate->is_short = true;
	}
	return errno == EINTR || errno == ECONNABORTED;
}

static void
accept_all(struct gate *gate)
{
	while (!is_full(gate) && accept_one(gate))
		;
}

static void
stop(struct gate *gate)
{
	if (!gate->is_inherited) {
		accept_all(gate);
		shutdown(gate->listener, SHUT_RDWR);
	}
	gate->is_stopping = true;
	gate->stop_ms = steady_ms() + GATE_STOP_SECONDS * 1000;
	epoll_ctl(gate->epoll, EPOLL_CTL_DEL, gate->signals, NULL);
}

/* -- the loop -- */

static void
dispatch(struct gate *gate, const struct epoll_event *event)
{
	if (event->data.ptr == &gate->listener)
		accept_all(gate);
	else if (event->data.ptr == &gate->signals)
		stop(gate);
	else if (event->data.ptr != gate->peers.pool) /* peers_settle() looks there */
		peer_event(event->data.ptr, event->events);
}

static void
tick(struct gate *gate)
{
	int64_t now = steady_ms();

	if (now < gate->tick_ms)
		return;
	gate->tick_ms = now + TICK_MS;
	gate->is_short = false;
	peers_tick(&gate->peers);
}

static bool
is_at_end(const struct gate *gate)
{
	return gate->is_stopping && (gate->peers.count == 0 || steady_ms() >= gate->stop_ms);
}

static int
loop(struct gate *gate, struct err *err)
{
	struct epoll_event events[EVENTS_MAX];

	while (!is_at_end(gate)) {
		int n;

		listen_if_wanted(gate);
		n = epoll_wait(
		    gate->epoll, events, EVENTS_MAX, gate->peers.count || gate->is_short ? TICK_MS : -1);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "epoll");
		for (int i = 0; i < n; i++)
			dispatch(gate, &events[i]);
		tick(gate);
		peers_settle(&gate->peers);
	}
	return gate->peers.count ? GATE_LEFT : 0;
}

/* As many as there are descriptors for, and no more than the web server is allowed. */
static size_t
connections_max(const struct config *config)
{
	struct rlimit limit;
	size_t max = (size_t)config->device_connections;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return CONNECTIONS_MIN;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < OTHER_DESCRIPTORS + CONNECTIONS_MIN)
		return CONNECTIONS_MIN;
	return max < limit.rlim_cur - OTHER_DESCRIPTORS ? max : limit.rlim_cur - OTHER_DESCRIPTORS;
}

static int
watch_all(struct gate *gate, struct pool *pool, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = pool };

	if (add(gate, &gate->signals) < 0 || epoll_ctl(gate->epoll, EPOLL_CTL_ADD, pool_fd(pool), &event) < 0)
		return err_sys(err, "epoll");
	return 0;
}

int
gate_run(const struct config *config, struct pool *pool, int listener, bool is_inherited, int signals,
    struct err *err)
{
	AUTO(close_p) int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct gate gate = { .epoll = epoll,
		.listener = listener,
		.signals = signals,
		.is_inherited = is_inherited,
		.connections_max = connections_max(config) };
	int r;

	if (epoll < 0)
		return err_sys(err, "epoll");
	if ((r = watch_all(&gate, pool, err)) < 0 ||
	    (r = peers_init(&gate.peers, epoll, config, pool, err)) < 0)
		return r;
	r = loop(&gate, err);
	if (r != 0)
		return r;
	peers_done(&gate.peers);
	return 0;
}
