/**
 * Why an open update is not done yet, as far as the server can know it; and the alarm about a device that polls
 * without a sign of it.
 *
 * A device tells nothing of metadata that it refuses (aktualizr-wire 2.10). So what is known has to do: how far
 * it has read, which event came last, what has expired, what its ECUs run.
 */
#ifndef OTAFS_SILENCE_H
#define OTAFS_SILENCE_H

#include <stdbool.h>
#include <stdio.h>

#include "otafs/core.h"

/** How the words in why begin when the last manifest was refused. */
#define SILENCE_REFUSED "manifest refused: "

/** Why the last manifest of @device was refused, as why has it; "" if it was not. */
const char *silence_refusal(const struct device *device);

/** What is known of an update under way. */
struct silence {
	bool is_read;        /**< the device has read director/targets.json since */
	const char *event;   /**< type of the last event, if that is of this update; "" */
	int success;         /**< that the event tells: 1, 0, -1: neither */
	const char *refused; /**< why its last manifest was refused; "" */
	const char *expired; /**< a sentence about metadata that has expired; "" */
	const char *unheard; /**< an ECU that is registered and was never told of; "" */
	const char *absent;  /**< an ECU that should be updated and is not in the manifests; "" */
	const char *trap;    /**< a target that an ECU runs with other content; "" */
};

/** The likely causes of silence, as half a sentence: the rule. */
void silence_causes(const struct silence *facts, FILE *out);

/** Prints " because ...": for status, when an update is open. */
int silence_print(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    FILE *out, struct err *err);

/** Whether the alarm is to be given now that @device has polled @polls times. */
bool silence_is_due(const struct core *core, const struct device *device, int64_t polls);

/** Whether @device counts as unresponsive and should not, after @polls: unresponsive_polls was set higher. */
bool silence_is_over(const struct core *core, const struct device *device, int64_t polls);

/** Gives the alarm: in why, history and log. Within a transaction; standing_update() is the caller's. */
int silence_tell(struct core *core, const struct device *device, const struct assignment *open, size_t count,
    int64_t polls, int64_t now, struct err *err);

/** A sign of an update: an event of @correlation has come. If that is open, polls are counted from now.
 * Within a transaction. */
int silence_end(struct core *core, const struct device *device, const char *correlation, struct err *err);

#endif
