/**
 * What otafs asks of the watcher: fleet/requests/UUID.json, {"retire":FILE}. otafs removes a request when it is
 * fulfilled; one that cannot be is answered by a line in report/refused/UUID, which goes with the request.
 */
#ifndef WATCHER_REQUESTS_H
#define WATCHER_REQUESTS_H

#include <stdint.h>

#include "store/image.h"

/** Requests looked at in one pass; more of them wait. */
#define REQUESTS_MAX 1000
/** A file name and some words around it. */
#define REQUESTS_FILE_MAX 4096

struct requests;

/** Watches @fleet/requests with @inotify (borrowed), as soon as that folder is there. NULL: no memory. */
struct requests *requests_new(const char *fleet, struct image *image, int inotify);
void requests_free(struct requests *requests);

/** Does what is asked. Returns the clock (steady_ms) when to come again, if no event wakes before. */
int64_t requests_pass(struct requests *requests);

#endif
