/** The ECUs of devices, and what they run. */
#ifndef STATE_ECU_H
#define STATE_ECU_H

#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/name.h"
#include "state/state.h"

/** ECUs of one device; a vehicle has tens. */
#define STATE_ECUS_MAX 100
/** JSON of one public key: an RSA-4096 PEM, its newlines escaped, and the members around it. */
#define STATE_KEY_MAX 2304

/** Bytes of what an ECU says of attacks that it has detected. */
#define STATE_ATTACKS_MAX 200

struct ecu {
	char serial[NAME_ECU_MAX + 1];
	char hardware[NAME_HARDWARE_MAX + 1];
	char key[STATE_KEY_MAX];             /**< its public key as JSON */
	char installed[NAME_TARGET_MAX + 1]; /**< target file it says it runs; empty: nothing reported yet */
	char installed_sha256[DIGEST_HEX_SIZE];
	int64_t installed_at;                /**< when that was first reported */
	int64_t report_counter;              /**< the highest that was taken; -1: none */
	char attacks[STATE_ATTACKS_MAX + 1]; /**< attacks_detected, as it last told, printable; empty: none */
	int64_t absent_at; /**< its device hands in manifests without it since then; 0: with it */
};

/** All ECUs of a device, the primary first; the caller frees @out. */
int state_ecus(struct state *state, const char *device, struct ecu **out, size_t *count, struct err *err);
/** Adds the ECU or replaces hardware id and key of the one with that serial. @position orders them. */
int
state_ecu_put(struct state *state, const char *device, const struct ecu *ecu, int position, struct err *err);
int state_ecu_remove(struct state *state, const char *device, const char *serial, struct err *err);
/** Stores what it said of attacks, its counter, and absent_at. */
int state_ecu_told(struct state *state, const char *device, const struct ecu *ecu, struct err *err);
/** The same, and what it runs. */
int state_ecu_installed(struct state *state, const char *device, const struct ecu *ecu, struct err *err);

#endif
