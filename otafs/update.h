/**
 * One update in the making: which ECUs of a device get what, and whether the device would take it.
 *
 * aktualizr tells nobody why it passes over a document, so all that it would not take is refused here, in
 * words (aktualizr-wire 2.7 to 2.10): a file that is not offered, whose bytes or commit are not there, of other
 * hardware, of a delegation that the ECU does not look into, of a format that its package manager does not
 * install; an ECU that is not there or is named twice; what the ECU runs already; a name that it runs with
 * other content; a document of more than DIRECTOR_BYTES_MAX.
 */
#ifndef OTAFS_UPDATE_H
#define OTAFS_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "otafs/core.h"

struct update {
	struct core *core;
	const struct device *device;
	struct ecu *ecus;
	size_t ecu_count;
	struct assignment *list; /**< what is to be stored; room for each ECU */
	size_t count;
	char correlation[STATE_CORRELATION_MAX];
	int64_t now;
	bool is_later; /**< it begins later: what runs now will maybe not run then */
};

/** Makes a new correlation id, "urn:here-ota:KIND:UUID": of an update by hand, or of one that was followed. */
#define UPDATE_BY_HAND "mtu"
#define UPDATE_FOLLOWED "auto-update"
void update_correlation(const char *kind, char out[static STATE_CORRELATION_MAX]);

/** Reads the device's ECUs, if it has told any. @correlation NULL: a new one of an update by hand. */
int update_open(struct core *core, const struct device *device, const char *correlation, struct update *out,
    struct err *err);
void update_close(struct update *update);

/** Adds what lines "PACKAGE VERSION [ECU]" say. The ECU's serial is the rest of the line, for it may have
 * spaces in it; without one the package goes to every ECU that it fits. */
int update_parse(struct update *update, const char *text, struct err *err);

/** Whether @target may go to @ecu: 0, or -errno with the reason. */
int update_check_target(
    const struct update *update, const struct ecu *ecu, const struct target *target, struct err *err);
/** Adds one ECU, checked. */
int update_add(struct update *update, const struct ecu *ecu, const struct target *target, struct err *err);

/** -ENXIO when the device has not told its ECUs. Looked at after the words of a command, which may be wrong for
 * every device. */
int update_check_registered(const struct update *update, struct err *err);
/** A device has one update at a time: -EBUSY when one is open. */
int update_check_idle(const struct update *update, struct err *err);
/** -EFBIG when the device's targets.json would be too large. */
int update_check_size(const struct update *update, struct err *err);

/** Stores it: assignments, counter, history, status, and what the watcher has to keep. */
int update_store(const struct update *update, const char *who, struct err *err);

/** Prints a line for each ECU, which begins with @verb. */
void update_print(const struct update *update, const char *verb, FILE *out);

/** The ECU of that serial, or -ENOENT with the serials that there are. */
int update_find_ecu(const struct update *update, const char *serial, const struct ecu **out, struct err *err);

/** Why the package, or this version of it (NULL: any), cannot be had: always negative. */
int update_refuse_package(const struct core *core, const char *package, const char *version, struct err *err);
/** The same for a target that fits no ECU of the device. */
int update_refuse_hardware(const struct update *update, const struct target *target, struct err *err);

/** The rest of a line without the blanks around it; NULL: there is nothing. Changes the text. */
char *update_rest(char *rest);

/** Counter, status, history of the device's last change, and the names that are no longer true: whatever
 * changes what a device should install ends with this, within its transaction. */
int update_note(struct core *core, const char *device, int64_t now, struct err *err);

#endif
