/** Takes connections on a Unix socket, a thread for each, until a signal ends it. */
#ifndef LIB_SERVE_H
#define LIB_SERVE_H

#include "lib/err.h"

/** Requests at once; more wait in the socket's queue. */
#define SERVE_REQUESTS_MAX 64

/** While others wait, one that takes longer is cut off, the longest first: 64 slow ones would keep all others
 * out for ever. A variable for tests. */
extern int serve_long_seconds;

/** Handles the connection @fd and leaves it to the caller to close. */
typedef void serve_handler(int fd, void *data);

/**
 * Accepts on @listener until @signals (see program_signals()) is readable, then waits for the requests in
 * flight, @peer_seconds at most. A peer that neither sends nor reads for @peer_seconds is left. One listener
 * for each process. Who returns from it to end the process must not release what the handler uses.
 */
int
serve_loop(int listener, int signals, int peer_seconds, serve_handler *handler, void *data, struct err *err);

#endif
