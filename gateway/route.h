/** Which request goes into which transaction file, and whose.  (aktualizr-wire 1.2, 1.4, 4; RFC 7030) */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"
#include "lib/err.h"

struct route {
	const char *path;    /**< as devices request it, without a slash at the end */
	const char *methods; /**< allowed ones, separated by spaces */
	const char *name;    /**< file below gate/ID/SERIAL/ of the full tree */
	size_t setting;      /**< where struct config has the longest body in KiB; 0: there is no setting */
	uint64_t limit;      /**< then the longest body in bytes */
};

/** Nothing of the kind is served. */
#define ROUTE_NO_PATH 1
/** It is, but not by that method. */
#define ROUTE_NO_METHOD 2

/** Finds the route of a raw request target: a query is left off, doubled slashes and one at the end do not
 * count. */
int route_find(const char *method, const char *target, const struct route **out);

/** The longest body of @route in bytes. */
uint64_t route_limit(const struct route *route, const struct config *config);

/** Checks the client's certificate with subject_check() (lib/subject.h); @serial: its serial number in hex.
 * -EACCES with words. */
int
route_identify(const char *verify, const char *subject, const char *name, const char *serial, struct err *err);

#endif
