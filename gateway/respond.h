/** Answers one SCGI request: the body goes into a transaction file, its reply is the answer. */
#ifndef GATEWAY_RESPOND_H
#define GATEWAY_RESPOND_H

/**
 * Serves the connection @fd, below the mount @mount, and leaves it to the caller to close. A body that ends
 * early is discarded, never handed in; memory does not grow with the body.
 */
void respond(int fd, const char *mount);

#endif
