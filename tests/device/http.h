/**
 * HTTPS with a client certificate, the way aktualizr does it: a new connection for each request, 60 seconds,
 * three attempts after a transport error or a 5xx, bodies of bounded size.  (aktualizr-wire 0.2)
 */
#ifndef TESTS_DEVICE_HTTP_H
#define TESTS_DEVICE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

/** Answers to POST and PUT may have that many bytes. */
#define HTTP_ANSWER_MAX (64 * 1024)

/** Where the server is and who we are; all borrowed. */
struct http {
	const char *url;  /**< https://host:port, paths are appended as text */
	const char *cert; /**< PEM file of the client certificate */
	const char *key;  /**< PEM file of its key */
	const char *ca;   /**< PEM file of the CAs of the server */
	bool is_verbose;  /**< print "METHOD PATH STATUS BYTES" for each request; status 0: no answer */
};

struct http_answer {
	long status;
	char *body; /**< with a 0 after the last byte */
	size_t bytes;
};

void http_answer_done(struct http_answer *answer);

/** To be called once, before there are threads. */
int http_start(struct err *err);

/** aktualizr looks no closer. */
bool http_is_ok(long status);

/**
 * GETs @path (or a whole URL) with at most @max bytes. Returns 0 when the status is good; -EFBIG: the body is
 * larger; -ECOMM: any other failure. The caller calls http_answer_done() either way.
 */
int
http_get(const struct http *http, const char *path, size_t max, struct http_answer *answer, struct err *err);

/** Sends a body with @method PUT or POST. Returns 0 for any status, else as http_get(). */
int http_send(const struct http *http, const char *method, const char *path, const char *type, const char *body,
    size_t bytes, struct http_answer *answer, struct err *err);

/** The server did not honour Range; nothing was written. */
#define HTTP_NO_RANGE 1

/**
 * GETs @path once and appends the body to @fd, from byte @offset of the resource on and up to @max bytes of it.
 *
 * Like the real client this writes what comes with an error status, too: servers must send empty bodies then.
 * Returns 0, HTTP_NO_RANGE, -EFBIG or -ECOMM.
 */
int http_download(const struct http *http, const char *path, int fd, off_t offset, off_t max, struct err *err);

#endif
