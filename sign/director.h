/**
 * Signs documents of the director, many in one request, when everything that the signer can know of them allows
 * it: who asks, their form, the clock, the versions signed before, the fleet's epoch, and for targets what the
 * image repository offers.
 *
 * The request is lines, as is the answer; a document that is refused does not keep the others from being
 * signed:
 *
 *     director
 *     ROLE ROOT EPOCH TEXT       ROOT: version of the root it is made for; EPOCH: of the fleet; TEXT: see
 * form.h
 *
 *     CODE TEXT                  in the same order: 0 and the envelope; or CLIENT_NEW_ROOT, CLIENT_NOT_SHOWN or
 *                                a negative errno (-EACCES, -EINVAL, -EPERM, -ESTALE, -EAGAIN ...), and the
 * reason
 */
#ifndef SIGN_DIRECTOR_H
#define SIGN_DIRECTOR_H

#include <pthread.h>
#include <stdbool.h>

#include "sign/answer.h"

/** Documents of a request: each has at most 64 KiB, as aktualizr reads them, so that they fit a frame. */
#define DIRECTOR_DOCUMENTS_MAX 64
#define DIRECTOR_TEXT_MAX (64 * 1024)

/** Whether @request is one of these. */
bool director_is_asked(const char *request);

/**
 * Answers one, for several threads at once as long as the rest of the book stays as it is: @order is held for
 * what changes, the log and the ledger, and not while something is read or signed. @request, with a 0 after the
 * last byte, is changed. 0 with the answer in @payload, which the caller frees; -EACCES, -EINVAL, -ENOMEM. What
 * was not logged does not leave.
 */
int director_sign(const struct book *book, pthread_mutex_t *order, uid_t uid, char *request, char **payload,
    size_t *payload_bytes, struct err *err);

#endif
