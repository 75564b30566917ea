/**
 * Asks ota-signd for signatures and roots over its Unix socket.
 *
 * The connection is made at the first call and again after it broke; a call waits at most
 * CLIENT_TIMEOUT_SECONDS. One client may be used by several threads.
 */
#ifndef SIGN_CLIENT_H
#define SIGN_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/role.h"

#define CLIENT_TIMEOUT_SECONDS 5
/** A signer that did not answer in time is left alone for so long; meanwhile calls fail at once. */
#define CLIENT_PAUSE_SECONDS 5

struct client;

/** A client of the socket at @path; no connection is made yet. NULL: no memory. */
struct client *client_new(const char *path);
void client_free(struct client *client);
void client_freep(struct client **client);

/**
 * Has @signed_part, the "signed" object of a metadata file, signed for @role of @repository.
 *
 * @envelope: set on success to the complete file in canonical form, {"signatures":[...],"signed":{...}}, with a
 * 0 after the last byte; the caller frees it. @bytes may be NULL.
 *
 * Returns 0; -EACCES when the policy does not give this user that role; -EINVAL when the signer does not accept
 * the document; -ESTALE when its version is not above the last one signed; -EAGAIN when the signer cannot be
 * reached.
 */
int client_sign(struct client *client, enum repository repository, enum role role, const json_t *signed_part,
    char **envelope, size_t *bytes, struct err *err);

/** The director has another root than the one the document was made for. */
#define CLIENT_NEW_ROOT 4
/** Nobody has shown the signer yet what the image repository offers: client_show() it, and ask again. */
#define CLIENT_NOT_SHOWN 5

/** What a document of the director was made from. */
struct client_basis {
	int root;      /**< version of the director's root */
	int64_t epoch; /**< of the fleet, a part of the version */
};

/**
 * The same for a document of the director, made from @basis: @text, without a 0 in it, of exactly the form in
 * sign/form.h, or it is -EINVAL. For any number of threads at once: what is asked while others wait for their
 * answer goes to the signer together, in one round trip.
 *
 * CLIENT_NEW_ROOT when its root is not the newest: fetch the newer one, raise the version, ask again, so that
 * no version is ever signed by two keys. CLIENT_NOT_SHOWN. -EPERM when targets name what the image repository
 * does not offer; -ESTALE also when the epoch is below one told before. @envelope_bytes may be NULL.
 */
int client_sign_text(struct client *client, enum role role, const struct client_basis *basis, const char *text,
    size_t bytes, char **envelope, size_t *envelope_bytes, struct err *err);

/**
 * Shows the signer what the image repository offers, one whole file (the envelope @file) after the other:
 * "targets", then each delegation, by its name, after one that delegates it; and NULL for @file at the end. It
 * verifies all of it. 0; -EBADMSG, -ESTALE and others when it does not take that one.
 */
int client_show(struct client *client, const char *name, const json_t *file, struct err *err);

/** Whether the last signature or certificate was refused for what is wrong at the signer itself, its disk say;
 * @why then has the words. */
bool client_trouble(struct client *client, struct err *why);

/** For the administrator: the clock is right now, after one that was ahead. */
int client_set_clock(struct client *client, struct err *err);

/** Whether anything is signed now: 0, or -EAGAIN when the clock is before the newest signature, or the signer
 * cannot be reached. */
int client_check_clock(struct client *client, struct err *err);

/** For the administrator: the image repository's versions jump ahead, after a backup was restored. */
int client_restored(struct client *client, struct err *err);

/** The signer has no root of that version. */
#define CLIENT_NO_ROOT 1

/**
 * Fetches N.root.json of @repository, @version 0 for the newest. Every signed version is kept for ever.
 *
 * Returns 0, CLIENT_NO_ROOT, or -errno; @envelope and @bytes as for client_sign().
 */
int client_root(struct client *client, enum repository repository, int version, char **envelope, size_t *bytes,
    struct err *err);

/** Sets @version to the last one signed for an image role, 0 for none. Publishers go on from the higher of this
 * and what they have published, so a crash between signing and publishing costs a number and nothing else. */
int
client_last(struct client *client, enum repository repository, enum role role, int *version, struct err *err);

/** The newest root does not give the role to a key that the signer has: its documents come from outside. */
#define CLIENT_OFFLINE 2

/**
 * Whether the signer can sign for @role under the newest root: 0, CLIENT_OFFLINE, or -errno. client_sign() of
 * such a role is -ENOKEY.
 */
int client_can_sign(struct client *client, enum repository repository, enum role role, struct err *err);

/**
 * Hands in the next root of @repository, signed elsewhere. The signer takes it when its version is the newest +
 * 1, a threshold of the old and of the new root keys signed it, it has not expired, and snapshot, timestamp and
 * the director's targets have keys that the signer has. Private keys that it does not name any more are
 * deleted. 0; -EBADMSG with the reason when it is not taken; or another -errno.
 */
int client_put_root(
    struct client *client, enum repository repository, const char *text, size_t bytes, struct err *err);

/**
 * What the newest root of @repository asks for:
 * {"version":N,"expires":TEXT,"roles":{ROLE:{"threshold":T,"keys":
 * [{"keyid":ID,"where":"here"|"elsewhere"|"lost"}...]}}} in @out, which the caller releases. Version 0: there
 * is no root yet. See keyring_keys().
 */
int client_keys(struct client *client, enum repository repository, json_t **out, struct err *err);

/**
 * Prepares the next root of @repository, for the administrator (uid 0) only: its "signed" part in @signed_part,
 * which the caller releases. @roles says what changes, @expires may be NULL, @is_preview makes nothing: see
 * keyring_begin().
 */
int client_begin(struct client *client, enum repository repository, const json_t *roles, const char *expires,
    bool is_preview, json_t **signed_part, struct err *err);

/**
 * Has the signer add what signatures its own root keys can give to the envelope @text (maybe with none yet) and
 * take it as the next root, for the administrator only. @envelope: as it was kept, with a 0 after the last
 * byte; the caller frees it. 0; -EBADMSG with the reason, as when signatures are missing; or another -errno.
 */
int client_finish(struct client *client, enum repository repository, const char *text, size_t bytes,
    char **envelope, size_t *envelope_bytes, struct err *err);

/** The private key may not be had: it was handed out before, or the administrator did not allow it. */
#define CLIENT_NO_KEY 3

/**
 * Fetches a private key of the image repository's root, once, if the administrator allowed it: as
 * {"keytype":"ED25519","keyval":{"public":HEX,"private":128 HEX}}; the caller wipes and frees it. And deletes
 * it. 0, CLIENT_NO_KEY with the reason in @err, or -errno.
 */
int client_take_key(struct client *client, const char *keyid, char **text, size_t *bytes, struct err *err);
int client_delete_key(struct client *client, const char *keyid, struct err *err);

/** There is no issuing CA: `ota-sign issuer` makes one. */
#define CLIENT_NO_ISSUER 6

/**
 * Has the issuing CA certify that the device or token @name holds the private key of @public_pem (SPKI), for
 * @days: see otafs/issue.h. For the director's signer alone. @chain: PEM, the certificate first, then the CAs
 * without the root; the caller frees it. 0; CLIENT_NO_ISSUER; -EINVAL; or another -errno.
 */
int client_issue(struct client *client, const char *name, const char *public_pem, int64_t days, char **chain,
    size_t *bytes, struct err *err);

/** PEM of the issuing CA and all above it, the root last. 0, CLIENT_NO_ISSUER or -errno. */
int client_issuer(struct client *client, char **chain, size_t *bytes, struct err *err);

/** For the administrator: the request for an issuing CA called @name (NULL: as it is called by itself), and the
 * chain that answers it. See issuer_request() and issuer_install(). */
int client_issuer_request(
    struct client *client, const char *name, bool is_new_key, char **pem, size_t *bytes, struct err *err);
int client_issuer_install(struct client *client, const char *chain, struct err *err);

/** For the administrator: a revocation list, PEM, of the array @serials, good for @days. 0, CLIENT_NO_ISSUER or
 * -errno. */
int client_issuer_revoke(
    struct client *client, const json_t *serials, int64_t days, char **pem, size_t *bytes, struct err *err);

#endif
