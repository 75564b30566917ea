/** A core with a database in memory and one device, for fuzzers of what devices hand in. */
#ifndef TESTS_FUZZ_BODY_H
#define TESTS_FUZZ_BODY_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "otafs/core.h"
#include "otafs/enroll.h"
#include "otafs/reply.h"
#include "sign/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef int (*body_commit_fn)(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err);

/* The device of tests/vectors/device/ecus.json, so that the vectors' manifest is one of its own. */
static inline struct core *
body_core(void)
{
	static const char ecus[] =
	    "{\"ecus\":[{\"clientKey\":{\"keytype\":\"ED25519\",\"keyval\":{\"public\":"
	    "\"dec7ced481ce6951322793767645efe4e0b6bfbacd8716ec1cb93d9dd6a2fb13\"}},"
	    "\"ecu_serial\":\"ecu-primary-0001\",\"hardware_identifier\":\"raspberrypi4\"}],"
	    "\"primary_ecu_serial\":\"ecu-primary-0001\"}";
	static const struct config config = { .unresponsive_polls = 10, .ecu_replacement = 1 };
	static struct core core = { .config = &config };
	struct device device = { .id = "car7" };
	struct reply reply = { 0 };
	struct err err;

	if (core.state)
		return &core;
	assert(key_start(&err) == 0 && state_open(":memory:", &core.state, &err) == 0);
	assert(state_device_add(core.state, "car7", 1, &err) == 0);
	assert(enroll_commit(&core, &device, ecus, strlen(ecus), &reply, &err) == 0 && reply.status == 201);
	return &core;
}

/* Hands the body in. A body is taken or refused with code and words, and the
 * answer can be written. */
static inline void
body_fuzz(const uint8_t *data, size_t bytes, body_commit_fn commit)
{
	struct core *core = body_core();
	AUTO(free_p) char *body = malloc(bytes + 1);
	AUTO(free_p) char *answer = NULL;
	struct reply reply = { 0 };
	struct device device;
	struct err err = { 0 };
	size_t n;

	memcpy(body, data, bytes);
	body[bytes] = '\0';
	assert(state_device(core->state, "car7", &device, &err) == 0);
	assert(commit(core, &device, body, bytes, &reply, &err) == 0);
	assert(reply.status == 200 || (reply.status / 100 == 4 && reply.code && *reply.description));
	assert(reply_write(&reply, &answer, &n, &err) == 0);
	assert(!strncmp(answer, "Status: ", 8) && strlen(answer) == n);
}

#endif
