/**
 * What goes over ota-signd's socket, both ways: a frame is 4 bytes of length (big endian) and so many bytes.
 *
 * A request is lines, for documents of the director (director.h), or the JSON
 * {"operation":"sign","repository":"image","role":"targets","signed":{...}}; or operation "root" with "version"
 * (0: the newest), "last" or "can_sign" with "role", "keys", "put_root" or "finish" with "root", the file as a
 * text, "begin" with "roles", "expires" and "preview" (keyring_begin()), "take_key" or "delete_key" with
 * "keyid", "show" with "name" and "file" (client_show()), "clock", "restored", or those of certify.h.
 *
 * A reply is 4 bytes of code (big endian: 0, a positive answer, or a negative errno) and a payload: the
 * envelope, the number as text, the private key, nothing, or the reason as text.
 */
#ifndef SIGN_REQUEST_H
#define SIGN_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** Clients take image targets of 8 MiB (aktualizr-wire 2.3); the rest of a frame needs less than 64 KiB. */
#define REQUEST_BYTES_MAX (8 * 1024 * 1024 + 64 * 1024)

/** Sends one frame made of two parts; -errno with words. */
int request_send(int fd, const void *head, size_t head_bytes, const void *body, size_t bytes, struct err *err);

/** The peer closed the connection between two frames. */
#define REQUEST_END 1

/** Receives one frame into @out, with a 0 after the last byte; the caller frees it. 0, REQUEST_END or -errno.
 */
int request_receive(int fd, char **out, size_t *bytes, struct err *err);

/** The reply's code in its first four bytes, both ways. */
void request_put_code(int32_t code, unsigned char head[static 4]);
int32_t request_get_code(const char *head);

#endif
