/** What the devices of a load test hand in. Each has one ECU; its key follows from its number. */
#ifndef TESTS_LOAD_BODY_H
#define TESTS_LOAD_BODY_H

#include <stddef.h>

#include "lib/digest.h"
#include "lib/err.h"

/** Longest device id. */
#define BODY_ID_SIZE 24

/** "load-7". */
void body_id(size_t number, char id[static BODY_ID_SIZE]);

/** The sha256 of what device @number runs in round @round. */
void body_installed(size_t number, long round, char sha256[static DIGEST_HEX_SIZE]);

/** The registration; the caller frees @out. */
int body_ecus(size_t number, char **out, size_t *bytes, struct err *err);

/** What an ECU runs. */
struct image {
	const char *file, *sha256; /**< NULL: that of the round */
};

/** A signed manifest of round @round, the device's report number @counter; the caller frees @out. */
int body_manifest(size_t number, long round, long counter, const struct image *image, char **out, size_t *bytes,
    struct err *err);

#endif
