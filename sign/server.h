/**
 * Answers requests on ota-signd's socket: one thread for each of at most SERVER_PEERS_MAX connections of a
 * user. Documents of the director are signed at once on all of them, the rest is one request at a time.
 */
#ifndef SIGN_SERVER_H
#define SIGN_SERVER_H

#include "lib/err.h"
#include "sign/issuer.h"
#include "sign/journal.h"
#include "sign/keyring.h"
#include "sign/ledger.h"
#include "sign/policy.h"

/** otafs and ota-watcher need one connection each; the rest is for their restarts. Each has its own share. */
#define SERVER_PEERS_MAX 8

struct server;

/** Serves the listening socket @fd; everything is borrowed until server_free(). The key ring's roots are logged
 * from here on; server_renew() is to be called next. */
int server_new(int fd, const struct policy *policy, struct keyring *keyring, struct ledger *ledger,
    struct journal *journal, struct issuer *issuer, struct server **out, struct err *err);
void server_free(struct server *server);

/** Takes one waiting connection; to be called when @fd is readable. */
void server_accept(struct server *server);

/** Renews roots that are due; to be called now and then. */
void server_renew(struct server *server);

/** Brings the log of signatures to disk; to be called each second. */
void server_tick(struct server *server);

/**
 * Decides one request of user @uid, with a 0 after the last byte, which is changed: the reply's code, and its
 * payload (to be freed) in @payload.
 * This is the whole policy without the socket, for tests and fuzzers.
 */
int server_answer(struct server *server, uid_t uid, char *request, size_t bytes, char **payload,
    size_t *payload_bytes, struct err *err);

#endif
