#include "sign/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/answer.h"
#include "sign/client.h"
#include "sign/director.h"
#include "sign/house.h"
#include "sign/request.h"

struct server {
	int fd; /* listens */
	struct book book;
	pthread_rwlock_t lock;           /* of the book: the director's documents are signed with it shared */
	pthread_mutex_t alone;           /* held by who has that lock, or waits for it, for himself */
	pthread_mutex_t order;           /* of the log and the ledger among them */
	pthread_mutex_t counts;          /* of peers */
	int peers[REPOSITORY_COUNT + 1]; /* of each user, by the repository that is signed for it; the last one
					    is the administrator's */
	struct err told;                 /* why roots were not renewed, as the log has it */
};

struct peer {
	struct server *server;
	int fd;
	uid_t uid;
};

/* A root, signed here or brought, is on disk in the log before it is kept. */
static int
note_root(void *context, enum repository repository, int version, const char *sha256, struct err *err)
{
	const struct book *book = context;
	struct journal_entry line = { .time = utc_now(),
		.uid = book->uid,
		.repository = repository,
		.role = ROLE_ROOT,
		.version = version,
		.sha256 = sha256,
		.is_durable = true };
	int r = journal_check_clock(book->journal, line.time, err);

	return r < 0 ? r : journal_add(book->journal, &line, err);
}

/* Documents of the director are signed all the time: whoever has to be alone comes first. */
static void
init_locks(struct server *server)
{
	pthread_rwlockattr_t kind;

	pthread_rwlockattr_init(&kind);
	pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&server->lock, &kind);
	pthread_rwlockattr_destroy(&kind);
	pthread_mutex_init(&server->alone, NULL);
	pthread_mutex_init(&server->order, NULL);
	pthread_mutex_init(&server->counts, NULL);
}

/* Only one waits for it at a time, so that those who share it come in between: else a user who asks without end
 * would keep them out. */
static void
lock_alone(struct server *server)
{
	pthread_mutex_lock(&server->alone);
	pthread_rwlock_wrlock(&server->lock);
}

static void
unlock_alone(struct server *server)
{
	pthread_rwlock_unlock(&server->lock);
	pthread_mutex_unlock(&server->alone);
}

int
server_new(int fd, const struct policy *policy, struct keyring *keyring, struct ledger *ledger,
    struct journal *journal, struct issuer *issuer, struct server **out, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	struct catalog *catalog = catalog_new();

	if (!server || !catalog) {
		free(server);
		catalog_free(catalog);
		return err_set(err, ENOMEM, "no memory for the server");
	}
	*server = (struct server){ .fd = fd,
		.book = { policy, keyring, ledger, journal, catalog, issuer, getuid(), 0 } };
	keyring_set_log(keyring, &(struct house_log){ note_root, &server->book });
	init_locks(server);
	*out = server;
	return 0;
}

int
server_answer(struct server *server, uid_t uid, char *request, size_t bytes, char **payload,
    size_t *payload_bytes, struct err *err)
{
	int r;

	if (director_is_asked(request)) {
		pthread_rwlock_rdlock(&server->lock);
		r = director_sign(&server->book, &server->order, uid, request, payload, payload_bytes, err);
		pthread_rwlock_unlock(&server->lock);
	} else {
		lock_alone(server);
		r = answer(&server->book, uid, request, bytes, payload, payload_bytes, err);
		unlock_alone(server);
	}
	return r;
}

void
server_free(struct server *server)
{
	if (!server)
		return;
	catalog_free(server->book.catalog);
	free(server);
}

/* Answers one request; 0 to go on with the connection. */
static int
serve_one(struct peer *peer)
{
	struct err err = { 0 };
	AUTO(free_p) char *request = NULL;
	AUTO(free_p) char *payload = NULL;
	unsigned char head[4];
	size_t bytes, payload_bytes = 0;
	int code, r;

	r = request_receive(peer->fd, &request, &bytes, &err);
	if (r != 0)
		return r;
	code = server_answer(peer->server, peer->uid, request, bytes, &payload, &payload_bytes, &err);
	request_put_code(code, head);
	if (code >= 0) {
		r = request_send(peer->fd, head, sizeof(head), payload, payload_bytes, &err);
		/* It may have been a private key. */
		if (payload)
			explicit_bzero(payload, payload_bytes);
		return r;
	}
	log_line(LOG_WARNING, "refused uid=%u reason=\"%s\"", peer->uid, err.text);
	return request_send(peer->fd, head, sizeof(head), err.text, strlen(err.text), &err);
}

/* The place of @uid in the count of peers; users may be one in a small set-up. */
static int *
peers_of(struct server *server, uid_t uid)
{
	for (int i = 0; i < REPOSITORY_COUNT; i++)
		if (uid == server->book.policy->signer[i])
			return &server->peers[i];
	return &server->peers[REPOSITORY_COUNT];
}

static void
leave(struct peer *peer)
{
	close(peer->fd);
	pthread_mutex_lock(&peer->server->counts);
	--*peers_of(peer->server, peer->uid);
	pthread_mutex_unlock(&peer->server->counts);
	free(peer);
}

static void *
serve(void *argument)
{
	struct peer *peer = argument;
	struct pollfd fd = { .fd = peer->fd, .events = POLLIN };

	/* Between requests a peer may be silent for as long as it likes, within one it may not. */
	while (poll(&fd, 1, -1) > 0 && serve_one(peer) == 0)
		;
	leave(peer);
	return NULL;
}

/* Takes @fd over. */
static void
start_peer(struct server *server, int fd, uid_t uid)
{
	struct peer *peer = malloc(sizeof(*peer));
	pthread_t thread;
	int count;

	if (!peer) {
		close(fd);
		return;
	}
	*peer = (struct peer){ server, fd, uid };
	pthread_mutex_lock(&server->counts);
	count = ++*peers_of(server, uid);
	pthread_mutex_unlock(&server->counts);
	if (count <= SERVER_PEERS_MAX && pthread_create(&thread, NULL, serve, peer) == 0) {
		pthread_detach(thread);
		return;
	}
	log_line(LOG_WARNING, "connection refused uid=%u reason=\"%d are open\"", uid, count - 1);
	leave(peer);
}

void
server_accept(struct server *server)
{
	/* A peer that stops in the middle of a frame gives its thread back. */
	struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_SECONDS };
	AUTO(close_p) int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) < 0)
		return;
	if (!policy_knows(server->book.policy, credentials.uid)) {
		log_line(LOG_WARNING, "connection refused uid=%u pid=%d", credentials.uid, credentials.pid);
		return;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0)
		start_peer(server, MOVE_FD(fd), credentials.uid);
}

void
server_renew(struct server *server)
{
	struct err err = { 0 };

	lock_alone(server);
	server->book.uid = getuid();
	/* It is tried each minute, and told once. */
	if (keyring_renew(server->book.keyring, utc_now(), &err) < 0 && strcmp(err.text, server->told.text))
		log_line(LOG_ERR, "roots are not renewed reason=\"%s\"", err.text);
	server->told = err;
	unlock_alone(server);
}

void
server_tick(struct server *server)
{
	lock_alone(server);
	journal_tick(server->book.journal);
	unlock_alone(server);
}
