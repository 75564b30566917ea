/** Answers to administrators, with headers that keep browsers from making more of them than data. */
#ifndef GATEWAY_ADMIN_SEND_H
#define GATEWAY_ADMIN_SEND_H

#include <stddef.h>
#include <stdint.h>

/** Nothing is kept, guessed at, run, framed, or read by pages of other sites. */
#define ADMIN_HEADERS                                                                                          \
	"Cache-Control: no-store\r\n"                                                                          \
	"X-Content-Type-Options: nosniff\r\n"                                                                  \
	"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n"                     \
	"Cross-Origin-Resource-Policy: same-origin\r\n"                                                        \
	"Referrer-Policy: no-referrer\r\n"

/** "Status: @status", these headers, and no body. */
void admin_send_status(int fd, const char *status);

/** The head of an answer with a body of @bytes; -1: until the connection ends. -errno. */
int admin_send_head(int fd, const char *type, int64_t bytes);

/** An answer of the tree, in CGI form, with these headers. */
void admin_send_reply(int fd, const char *reply, size_t bytes);

/** Streams the files of the folder @folder, which it reads and does not close, as a JSON array of
 * {"name","type"}, type "folder", "file" or "link". */
void admin_send_folder(int fd, int folder);

/** Streams the regular file @file from byte @from on. -errno when nothing was sent yet. */
int admin_send_file(int fd, int file, const char *type, int64_t from);

#endif
