/**
 * Connections of web servers, each with one SCGI request, none of which ever makes the loop wait.
 *
 *     START -> HEAD -> BODY -> HANDED -> ANSWERS -> gone          a request
 *         \_ WAITS _/ \_ WAITS _/                                 for room
 *     any of them -> DRAINS -> ANSWERS -> LINGERS -> gone         a refusal while the body is still coming
 *
 * Room is reserved before a head is read, and then anew for the whole body; both together stay below
 * gate_memory_mb. A request has client_seconds from its first moment until its body is there, and half of them
 * until it has room. Once it is there it is handed in, whether somebody waits for the answer or not.
 */
#ifndef GATEWAY_PEER_H
#define GATEWAY_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "gateway/pool.h"
#include "gateway/room.h"
#include "lib/config.h"

/** A body that is refused is read up to here before the answer: a web server that is still sending may not read
 * it. */
#define PEER_DRAIN_MAX (64ULL * 1024 * 1024)
/** And for so long; the same for a web server that does not take its answer. */
#define PEER_LINGER_MS 10000

struct peer;
TAILQ_HEAD(peer_list, peer);

/** What all of them share. */
struct peers {
	int epoll;                   /**< borrowed; a peer's events have the peer as data */
	const struct config *config; /**< borrowed */
	struct pool *pool;           /**< borrowed */
	struct room room;
	struct peer_list list, gone;
	size_t count; /**< in the list */
	struct scgi *scgi;
	char *scratch;
};

/** @config, @pool: borrowed. -ENOMEM. */
int peers_init(struct peers *peers, int epoll, const struct config *config, struct pool *pool, struct err *err);
/** Frees all connections; none may be in the pool. */
void peers_done(struct peers *peers);

/** Takes over the connection @fd, or closes it when there is no memory. */
void peer_start(struct peers *peers, int fd);

/** Something happened: @events of epoll. */
void peer_event(struct peer *peer, uint32_t events);

/** Answers those whose jobs are done, lets in who has room now, and frees who is gone: after each round of
 * events, and never between two of them. */
void peers_settle(struct peers *peers);

/** Refuses or leaves those whose time is over; about once a second. */
void peers_tick(struct peers *peers);

#endif
