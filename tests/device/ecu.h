/** The ECUs of the vehicle: the primary is number 0, virtual secondaries follow. */
#ifndef TESTS_DEVICE_ECU_H
#define TESTS_DEVICE_ECU_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/name.h"
#include "sign/key.h"

/** More ECUs than a test vehicle has; director targets of 64 KiB name about 200. */
#define ECUS_MAX 64

struct ecu {
	char serial[NAME_ECU_MAX + 1];
	char hardware[NAME_HARDWARE_MAX + 1];
	struct key_pair *key;    /**< signs this ECU's version report */
	bool is_failing;         /**< every installation on it fails */
	const json_t *installed; /**< borrowed: {"name","target"} as the director listed it; NULL: unknown */
};

struct ecus {
	struct ecu ecu[ECUS_MAX];
	size_t count;
};

#endif
