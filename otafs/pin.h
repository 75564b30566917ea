/**
 * Which publication of the image repository a device reads: the one whose timestamp.json it looked up last, for
 * as long as one visit may take. So it gets the snapshot and the targets that belong to that timestamp, even
 * while the next set is published.  (DESIGN 5.7)
 *
 * A table of fixed size in which a device may push another one out: that one then gets the newest set, which is
 * the same but in the moment of a publication. Nothing of it is worth keeping over a restart.
 */
#ifndef OTAFS_PIN_H
#define OTAFS_PIN_H

#include <stdint.h>

#include "lib/err.h"

/** Devices that may be in the middle of a visit at one moment. */
#define PIN_SLOTS 65536
/** No visit takes longer from timestamp.json to the last delegation. */
#define PIN_SECONDS 600

struct pin {
	uint64_t device; /* hash of name and serial; 0: empty */
	int64_t set, at;
};

struct pins {
	struct pin *slots;
};

/** -ENOMEM with words; the caller ends it by pins_done(). */
int pins_init(struct pins *pins, struct err *err);
void pins_done(struct pins *pins);

/** The device with that name and certificate serial reads publication @set from @now on (seconds that never go
 * back). */
void pins_set(struct pins *pins, const char *device, const char *serial, int64_t set, int64_t now);

/** The publication that the device reads, 0: any. */
int64_t pins_get(const struct pins *pins, const char *device, const char *serial, int64_t now);

#endif
