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
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/client.h"
#include "sign/envelope.h"
#include "sign/request.h"

struct server {
	int fd; /* listens */
	const struct policy *policy;
	struct keyring *keyring;
	struct ledger *ledger;
	pthread_mutex_t lock;        /* of keyring, ledger and peers */
	int peers[REPOSITORY_COUNT]; /* of each user, by the repository that is signed for it */
};

struct peer {
	struct server *server;
	int fd;
	uid_t uid;
};

int
server_new(int fd, const struct policy *policy, struct keyring *keyring, struct ledger *ledger,
    struct server **out, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return err_set(err, ENOMEM, "no memory for the server");
	*server = (struct server){ .fd = fd, .policy = policy, .keyring = keyring, .ledger = ledger };
	pthread_mutex_init(&server->lock, NULL);
	*out = server;
	return 0;
}

void
server_free(struct server *server)
{
	free(server);
}

static int
note(struct server *server, enum repository repository, enum role role, const json_t *signed_part,
    struct err *err)
{
	const char *device = json_text(json_object_get(signed_part, "custom"), "deviceId");
	AUTO(free_p) char *canonical = NULL;
	char digest[DIGEST_HEX_SIZE];
	size_t bytes;
	int r, version;

	if ((r = canonical_write(signed_part, &canonical, &bytes, err)) < 0 ||
	    (r = envelope_version(signed_part, role_name(role), &version, err)) < 0)
		return r;
	digest_sha256_hex(canonical, bytes, digest);
	return ledger_note(server->ledger, repository, role, device, version, digest, err);
}

static int
answer_sign(struct server *server, uid_t uid, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	const json_t *signed_part = json_object_get(request, "signed");
	int role = role_of(json_text(request, "role")), r;

	if (role < 0)
		return err_set(err, EINVAL, "request: no such role");
	if ((r = policy_check_peer(server->policy, uid, repository, (enum role)role, err)) < 0 ||
	    (r = policy_check_document(
		 server->policy, repository, (enum role)role, signed_part, utc_now(), err)) < 0 ||
	    (r = note(server, repository, (enum role)role, signed_part, err)) < 0)
		return r;
	return keyring_sign(server->keyring, repository, (enum role)role, signed_part, payload, bytes, err);
}

static int
answer_root(struct server *server, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int newest = keyring_root_version(server->keyring, repository), r;
	int64_t version;

	if ((r = json_need_integer(request, "version", "request", INT32_MAX, &version, err)) < 0)
		return r;
	if (version > newest) {
		*payload = strdup("no such root");
		*bytes = *payload ? strlen(*payload) : 0;
		return CLIENT_NO_ROOT;
	}
	return keyring_root(server->keyring, repository, version ? (int)version : newest, payload, bytes, err);
}

static int
answer_last(struct server *server, enum repository repository, const json_t *request, char **payload,
    size_t *bytes, struct err *err)
{
	int role = role_of(json_text(request, "role"));

	if (role < 0 || repository != REPOSITORY_IMAGE)
		return err_set(
		    err, EINVAL, "request: the ledger is kept for the roles of the image repository");
	*bytes = (size_t)asprintf(payload, "%d", ledger_last(server->ledger, (enum role)role));
	return 0;
}

int
server_answer(struct server *server, uid_t uid, const char *text, size_t bytes, char **payload,
    size_t *payload_bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *request = NULL;
	const char *operation;
	int repository, r;

	if ((r = json_read(text, bytes, "request", &request, err)) < 0 ||
	    (r = json_need_text(request, "operation", "request", &operation, err)) < 0)
		return r;
	repository = repository_of(json_text(request, "repository"));
	if (repository < 0)
		return err_set(err, EINVAL, "request: no such repository");
	if (!strcmp(operation, "sign"))
		return answer_sign(
		    server, uid, (enum repository)repository, request, payload, payload_bytes, err);
	if (!strcmp(operation, "root"))
		return answer_root(server, (enum repository)repository, request, payload, payload_bytes, err);
	if (!strcmp(operation, "last"))
		return answer_last(server, (enum repository)repository, request, payload, payload_bytes, err);
	return err_set(err, EINVAL, "request: no such operation");
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
	pthread_mutex_lock(&peer->server->lock);
	code = server_answer(peer->server, peer->uid, request, bytes, &payload, &payload_bytes, &err);
	pthread_mutex_unlock(&peer->server->lock);
	request_put_code(code, head);
	if (code >= 0)
		return request_send(peer->fd, head, sizeof(head), payload, payload_bytes, &err);
	log_line(LOG_WARNING, "refused uid=%u reason=\"%s\"", peer->uid, err.text);
	return request_send(peer->fd, head, sizeof(head), err.text, strlen(err.text), &err);
}

/* The place of @uid in the count of peers; both users may be one in a small set-up. */
static int *
peers_of(struct server *server, uid_t uid)
{
	return &server->peers[uid == server->policy->signer[REPOSITORY_IMAGE] ? REPOSITORY_IMAGE
									      : REPOSITORY_DIRECTOR];
}

static void
leave(struct peer *peer)
{
	close(peer->fd);
	pthread_mutex_lock(&peer->server->lock);
	--*peers_of(peer->server, peer->uid);
	pthread_mutex_unlock(&peer->server->lock);
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
	pthread_mutex_lock(&server->lock);
	count = ++*peers_of(server, uid);
	pthread_mutex_unlock(&server->lock);
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
	if (!policy_knows(server->policy, credentials.uid)) {
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
	struct err err;

	pthread_mutex_lock(&server->lock);
	if (keyring_renew(server->keyring, utc_now(), &err) < 0)
		log_line(LOG_ERR, "roots are not renewed reason=\"%s\"", err.text);
	pthread_mutex_unlock(&server->lock);
}
