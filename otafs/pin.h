/**
 * Which publication of the image repository a device reads: the newest at the moment when it found that there
 * is no next root, or, if it did not ask for roots, when it looked up timestamp.json; for as long as one visit
 * may take. So it gets the timestamp that its root verifies, and the snapshot and the targets that belong to
 * that, even while the next set is published, or signed with other keys.  (DESIGN 5.7)
 *
 * A table of fixed size in which a device may push another one out: that one then gets the newest set, which is
 * the same but in the moment of a publication. A process that is killed leaves it to the next (relay.h);
 * nothing of it is worth keeping for longer.
 */
#ifndef OTAFS_PIN_H
#define OTAFS_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/** Devices that may be in the middle of a visit at one moment. */
#define PIN_SLOTS 65536
/** No visit takes longer from timestamp.json to the last delegation. */
#define PIN_SECONDS 600

struct pin {
	uint64_t device; /* hash of name and serial; 0: empty */
	int64_t set, at;
	bool is_begun; /* it asked for roots: timestamp.json has to be of this set too */
};

struct pins {
	struct pin *slots;
	bool is_borrowed;
};

/** @slots: PIN_SLOTS of them, borrowed; NULL: it has its own. -ENOMEM with words; the caller ends it by
 * pins_done(). */
int pins_init(struct pins *pins, struct pin *slots, struct err *err);
void pins_done(struct pins *pins);

/** The device with that name and certificate serial reads publication @set from @now on (seconds that never go
 * back). */
void pins_set(struct pins *pins, const char *device, const char *serial, int64_t set, int64_t now);

/** The same for a device that has read the roots of @set to the end, and now reads timestamp.json. */
void pins_begin(struct pins *pins, const char *device, const char *serial, int64_t set, int64_t now);

/** The publication whose timestamp.json the device has to get after pins_begin(), 0: any. */
int64_t pins_begun(const struct pins *pins, const char *device, const char *serial, int64_t now);

/** The publication that the device reads, 0: any. */
int64_t pins_get(const struct pins *pins, const char *device, const char *serial, int64_t now);

#endif
