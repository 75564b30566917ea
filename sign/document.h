/**
 * Signs one document of the image repository, when everything that the signer can know of it allows it: who
 * asks, its form, the clock, and the versions signed before. And takes what is shown of them. Those of the
 * director: sign/director.h.
 */
#ifndef SIGN_DOCUMENT_H
#define SIGN_DOCUMENT_H

#include "sign/answer.h"

/** -EAGAIN before the first root of @repository: everybody waits. */
int document_check_begun(const struct book *book, enum repository repository, struct err *err);

/** And -ENOKEY when @role is signed elsewhere: the ledger counts no version that cannot be signed. */
int document_check_online(const struct book *book, enum repository repository, enum role role, struct err *err);

/**
 * Answers the request "sign" of user @uid: 0 with the envelope in @payload, which the caller frees; -EACCES,
 * -EINVAL, -EBADMSG, -ESTALE, -ENOKEY, -EAGAIN and others with words. What was not logged does not leave.
 */
int document_sign(const struct book *book, uid_t uid, enum repository repository, const json_t *request,
    char **payload, size_t *bytes, struct err *err);

/** Takes what the request "show", of @bytes, shows of the image repository. */
int document_show(const struct book *book, const json_t *request, size_t bytes, struct err *err);

#endif
