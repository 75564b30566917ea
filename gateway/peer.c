#include "gateway/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/answer.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/scgi.h"
#include "lib/steady.h"

#define SCRATCH_BYTES (64 * 1024)
/** The digits of SCGI_HEAD_MAX and a colon; no head that says anything is so short. */
#define START_BYTES 6
/** While memory is tight, what is sent with one certificate gets so small a part of it. */
#define SHARE 8

enum state { START, HEAD, WAITS, BODY, HANDED, DRAINS, ANSWERS, LINGERS, GONE };

struct peer {
	TAILQ_ENTRY(peer) entry;
	struct peers *peers;
	int fd;
	enum state state;
	uint32_t events; /* asked of epoll; UINT32_MAX: nothing more, not even when the other end goes away */
	int64_t since_ms, end_ms;
	struct room_seat seat;
	char start[START_BYTES];
	size_t start_bytes;
	char *head; /* and the comma */
	size_t head_bytes, head_got;
	struct job job;
	uint64_t left; /* of the body, still to come */
	size_t sent;
	bool is_over; /* the other end sends nothing any more */
};

/* -- states -- */

static void
watch(struct peer *peer, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = peer };

	if (peer->events == events || peer->events == UINT32_MAX)
		return;
	peer->events = events;
	epoll_ctl(peer->peers->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void
enter(struct peer *peer, enum state state, int64_t end_ms)
{
	peer->state = state;
	peer->end_ms = end_ms;
	if (state == HEAD || state == BODY || state == DRAINS || state == LINGERS)
		watch(peer, EPOLLIN);
}

/* When all of the request has to be there. */
static int64_t
request_end(const struct peer *peer)
{
	return peer->since_ms + peer->peers->config->client_seconds * 1000;
}

static void
drop_head(struct peer *peer)
{
	free(peer->head);
	peer->head = NULL;
}

static void
leave(struct peer *peer)
{
	struct peers *peers = peer->peers;

	if (peer->state == GONE)
		return;
	peer->state = GONE;
	close(peer->fd);
	room_leave(&peers->room, &peer->seat);
	job_done(&peer->job);
	drop_head(peer);
	TAILQ_REMOVE(&peers->list, peer, entry);
	TAILQ_INSERT_TAIL(&peers->gone, peer, entry);
	peers->count--;
}

/* -- the answer -- */

static const char *
reply_of(const struct peer *peer, char bare[static ANSWER_BARE_SIZE], size_t *bytes)
{
	if (!peer->job.reply) {
		*bytes = answer_bare("503 Service Unavailable", bare);
		return bare;
	}
	*bytes = peer->job.reply_bytes;
	return peer->job.reply;
}

static void
end_answer(struct peer *peer)
{
	if (peer->left && !peer->is_over) {
		shutdown(peer->fd, SHUT_WR);
		enter(peer, LINGERS, steady_ms() + PEER_LINGER_MS);
		return;
	}
	/* What came behind the body is not wanted, but unread it would look like a broken connection. */
	if (!peer->is_over)
		recv(peer->fd, peer->peers->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
	leave(peer);
}

static void
send_answer(struct peer *peer)
{
	char bare[ANSWER_BARE_SIZE];
	size_t bytes;
	const char *reply = reply_of(peer, bare, &bytes);

	while (peer->sent < bytes) {
		ssize_t n = send(peer->fd, reply + peer->sent, bytes - peer->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			watch(peer, EPOLLOUT);
			return;
		}
		if (n < 0 && errno != EINTR) {
			leave(peer);
			return;
		}
		if (n > 0)
			peer->sent += (size_t)n;
	}
	end_answer(peer);
}

static void
answer(struct peer *peer)
{
	room_leave(&peer->peers->room, &peer->seat);
	enter(peer, ANSWERS, steady_ms() + PEER_LINGER_MS);
	send_answer(peer);
}

/* @drains: what is left of the body is read first, unless that is too much. */
static void
refuse_peer(struct peer *peer, const struct refusal *refusal, bool drains)
{
	job_refuse(&peer->job, refusal);
	free(peer->job.body);
	peer->job.body = NULL;
	drop_head(peer);
	room_leave(&peer->peers->room, &peer->seat);
	if (drains && peer->left && peer->left <= PEER_DRAIN_MAX)
		enter(peer, DRAINS, steady_ms() + PEER_LINGER_MS);
	else
		answer(peer);
}

static void
refuse_text(struct peer *peer, const char *status, const char *code, const char *text)
{
	struct refusal refusal = { 0 };

	refuse_with(&refusal, status, code, text);
	refuse_peer(peer, &refusal, true);
}

static void
refuse_head(struct peer *peer, const struct err *err)
{
	struct refusal refusal = { .err = *err };

	refuse(&refusal, "400 Bad Request", "bad_request");
	refuse_peer(peer, &refusal, true);
}

/* -- the body -- */

static void
hand_over(struct peer *peer)
{
	enter(peer, HANDED, steady_ms() + peer->peers->config->client_seconds * 1000);
	pool_add(peer->peers->pool, &peer->job);
}

static void
begin_body(struct peer *peer)
{
	if (peer->job.bytes == 0) {
		hand_over(peer);
		return;
	}
	peer->job.body = malloc(peer->job.bytes);
	if (peer->job.body)
		enter(peer, BODY, request_end(peer));
	else
		refuse_text(peer, "503 Service Unavailable", "not_available", "no memory");
}

/* Whether what one certificate sends would take more than its share while others need the room. */
static bool
is_greedy(const struct peer *peer)
{
	const struct peers *peers = peer->peers;
	const struct peer *other;
	size_t bytes = 0;

	if (!room_is_tight(&peers->room))
		return false;
	TAILQ_FOREACH(other, &peers->list, entry)
	if (other->job.route && !strcmp(other->job.name, peer->job.name) &&
	    !strcmp(other->job.serial, peer->job.serial))
		bytes += other->seat.bytes;
	return bytes && bytes + peer->job.bytes > peers->room.max / SHARE;
}

static void
ask_room(struct peer *peer, size_t bytes, void (*begin)(struct peer *peer))
{
	if (room_take(&peer->peers->room, &peer->seat, bytes))
		begin(peer);
	else
		enter(peer, WAITS, peer->since_ms + peer->peers->config->client_seconds * 1000 / 2);
}

/* -- the head -- */

static void
begin_head(struct peer *peer)
{
	peer->head = malloc(peer->head_bytes + 1);
	if (!peer->head) {
		refuse_text(peer, "503 Service Unavailable", "not_available", "no memory");
		return;
	}
	memcpy(peer->head, peer->start + peer->start_bytes - peer->head_got, peer->head_got);
	enter(peer, HEAD, request_end(peer));
}

static int
parse_head(struct peer *peer, struct err *err)
{
	struct scgi *scgi = peer->peers->scgi;

	scgi->content_length = 0;
	if (peer->head[peer->head_bytes] != ',')
		return err_set(err, EBADMSG, "SCGI: no comma after the head");
	memcpy(scgi->head, peer->head, peer->head_bytes);
	scgi->bytes = peer->head_bytes;
	return scgi_parse(scgi, err);
}

static void
take_head(struct peer *peer)
{
	struct peers *peers = peer->peers;
	struct refusal refusal = { 0 };
	int r = parse_head(peer, &refusal.err);

	drop_head(peer);
	room_leave(&peers->room, &peer->seat);
	peer->left = peers->scgi->content_length;
	if (r < 0) {
		refuse_head(peer, &refusal.err);
	} else if (job_read(&peer->job, peers->scgi, peers->config, &refusal) < 0) {
		peer->job.route = NULL;
		refuse_peer(peer, &refusal, true);
	} else if (is_greedy(peer)) {
		refuse_text(peer, "429 Too Many Requests", "too_many_requests",
		    "this certificate's other requests take all the room that it can have");
	} else {
		ask_room(peer, peer->job.bytes, begin_body);
	}
}

/* The length before the head; what was read beyond it belongs to the head. */
static void
take_start(struct peer *peer)
{
	struct err err = { 0 };
	int r = 0;

	peer->head_bytes = 0;
	for (size_t i = 0; i < peer->start_bytes && r == 0; i++) {
		r = scgi_add_digit(&peer->head_bytes, peer->start[i], &err);
		peer->head_got = peer->start_bytes - i - 1;
	}
	if (r == SCGI_LENGTH && peer->head_bytes < START_BYTES)
		r = err_set(&err, EBADMSG, "SCGI: a head of %zu bytes says nothing", peer->head_bytes);
	if (r < 0)
		refuse_head(peer, &err);
	else if (r == SCGI_LENGTH)
		ask_room(peer, peer->head_bytes + 1, begin_head);
}

/* -- reading -- */

static void
refuse_early_end(struct peer *peer)
{
	struct err err = { 0 };

	err_set(&err, EBADMSG, "SCGI: the head ends after %zu of %zu bytes", peer->head_got, peer->head_bytes);
	refuse_head(peer, &err);
}

/* The other end sends no more. */
static void
take_end(struct peer *peer)
{
	peer->is_over = true;
	peer->left = 0;
	if (peer->state == START || peer->state == HEAD)
		refuse_early_end(peer);
	else if (peer->state == BODY)
		refuse_text(peer, "400 Bad Request", "body_incomplete", "the body ends before its length");
	else if (peer->state == DRAINS)
		answer(peer);
	else
		leave(peer);
}

/* How many bytes came; 0: none, for now or for ever, which has been seen to. */
static size_t
take_bytes(struct peer *peer, char *to, uint64_t room)
{
	ssize_t n;

	do
		n = recv(peer->fd, to, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (n == 0 || errno != EAGAIN)
		take_end(peer);
	return 0;
}

static bool
read_start(struct peer *peer)
{
	size_t n = take_bytes(peer, peer->start + peer->start_bytes, START_BYTES - peer->start_bytes);

	peer->start_bytes += n;
	if (n)
		take_start(peer);
	return n;
}

static bool
read_head(struct peer *peer)
{
	size_t n = take_bytes(peer, peer->head + peer->head_got, peer->head_bytes + 1 - peer->head_got);
	peer->head_got += n;
	if (n && peer->head_got == peer->head_bytes + 1)
		take_head(peer);
	return n;
}

static bool
read_body(struct peer *peer)
{
	size_t n = take_bytes(peer, peer->job.body + peer->job.bytes - peer->left, peer->left);

	peer->left -= n;
	if (n && peer->left == 0)
		hand_over(peer);
	return false; /* others have a turn now */
}

static bool
read_to_nowhere(struct peer *peer)
{
	uint64_t room = peer->left < SCRATCH_BYTES ? peer->left : SCRATCH_BYTES;
	size_t n = take_bytes(peer, peer->peers->scratch, room);

	peer->left -= n;
	if (n && peer->left == 0) {
		if (peer->state == DRAINS)
			answer(peer);
		else
			leave(peer);
	}
	return false;
}

/* Whether there may be more to read at once. */
static bool
read_some(struct peer *peer)
{
	switch (peer->state) {
	case START:
		return read_start(peer);
	case HEAD:
		return read_head(peer);
	case BODY:
		return read_body(peer);
	case DRAINS:
	case LINGERS:
		return read_to_nowhere(peer);
	default:
		return false;
	}
}

/* -- what happens -- */

/* The other end is gone while nothing is expected of it. What is complete is handed in all the same. */
static void
hang_up(struct peer *peer)
{
	if (peer->state == WAITS) {
		leave(peer);
		return;
	}
	epoll_ctl(peer->peers->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
	peer->events = UINT32_MAX;
}

void
peer_event(struct peer *peer, uint32_t events)
{
	if (peer->state == ANSWERS)
		send_answer(peer);
	else if (peer->state != WAITS && peer->state != HANDED)
		while (read_some(peer))
			;
	else if (events & (EPOLLHUP | EPOLLERR))
		hang_up(peer);
	else
		watch(peer, 0); /* it has to wait with what it sends */
}

static void
expire(struct peer *peer)
{
	static const struct refusal too_slow = { "408 Request Timeout", "request_too_slow",
		{ ETIMEDOUT, "the request did not come to its end in time" } };

	switch (peer->state) {
	case START:
	case HEAD:
	case BODY:
		refuse_peer(peer, &too_slow, false);
		break;
	case WAITS:
		/* No 503: devices try that three times, and so make it worse. */
		refuse_text(peer, "429 Too Many Requests", "too_many_requests",
		    "there are too many at once, and no room for the body");
		break;
	case HANDED:
		peer->end_ms = INT64_MAX;
		if (pool_take_back(peer->peers->pool, &peer->job))
			refuse_text(
			    peer, "503 Service Unavailable", "not_available", "the tree does not get to it");
		break;
	case DRAINS:
		answer(peer);
		break;
	default:
		leave(peer);
	}
}

void
peers_tick(struct peers *peers)
{
	int64_t now = steady_ms();

	for (struct peer *peer = TAILQ_FIRST(&peers->list), *next; peer; peer = next) {
		next = TAILQ_NEXT(peer, entry);
		if (peer->end_ms <= now)
			expire(peer);
	}
}

static struct peer *
of_job(struct job *job)
{
	return (struct peer *)(void *)((char *)job - offsetof(struct peer, job));
}

static struct peer *
of_seat(struct room_seat *seat)
{
	return (struct peer *)(void *)((char *)seat - offsetof(struct peer, seat));
}

void
peers_settle(struct peers *peers)
{
	struct room_seat *seat;
	struct peer *peer;
	struct job *job;

	while ((job = pool_next(peers->pool)))
		answer(of_job(job));
	while ((seat = room_next(&peers->room)))
		if (of_seat(seat)->job.route)
			begin_body(of_seat(seat));
		else
			begin_head(of_seat(seat));
	while ((peer = TAILQ_FIRST(&peers->gone))) {
		TAILQ_REMOVE(&peers->gone, peer, entry);
		free(peer);
	}
}

/* -- beginning and end -- */

void
peer_start(struct peers *peers, int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	if (!peer || epoll_ctl(peers->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		log_line(LOG_ERR, "no memory for a request");
		free(peer);
		close(fd);
		return;
	}
	peer->peers = peers;
	peer->fd = fd;
	peer->since_ms = steady_ms();
	peer->events = EPOLLIN;
	peer->end_ms = request_end(peer);
	TAILQ_INSERT_TAIL(&peers->list, peer, entry);
	peers->count++;
}

int
peers_init(struct peers *peers, int epoll, const struct config *config, struct pool *pool, struct err *err)
{
	peers->epoll = epoll;
	peers->config = config;
	peers->pool = pool;
	peers->count = 0;
	room_init(&peers->room, (size_t)config->gate_memory_mb << 20);
	TAILQ_INIT(&peers->list);
	TAILQ_INIT(&peers->gone);
	peers->scgi = malloc(sizeof(*peers->scgi));
	peers->scratch = malloc(SCRATCH_BYTES);
	if (peers->scgi && peers->scratch)
		return 0;
	peers_done(peers);
	return err_set(err, ENOMEM, "no memory");
}

void
peers_done(struct peers *peers)
{
	struct peer *peer;

	while ((peer = TAILQ_FIRST(&peers->list)))
		leave(peer);
	while ((peer = TAILQ_FIRST(&peers->gone))) {
		TAILQ_REMOVE(&peers->gone, peer, entry);
		free(peer);
	}
	free(peers->scgi);
	free(peers->scratch);
	peers->scgi = NULL;
	peers->scratch = NULL;
}
