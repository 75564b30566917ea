/** What an event says that a device hands in.  (aktualizr-wire 4.3) */
#ifndef OTAFS_EVENT_H
#define OTAFS_EVENT_H

#include <jansson.h>

/** NULL: not told. Texts are borrowed from the JSON, and of the device's own choice. */
struct event {
	const char *id, *type, *ecu;
	const char *correlation; /**< NULL too when it is longer than any of ours */
	int success;             /**< 1, 0, -1: neither */
};

void event_read(const json_t *json, struct event *out);

#endif
