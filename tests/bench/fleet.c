/*
 * Fills a new database with a fleet, by the way that otafs goes: fleet FILE DEVICES. Each device has a
 * certificate, a primary and a secondary ECU that told what they run, a name, a tag and a line of history.
 * Nothing is assigned: otafs would end what is not published. Ids are "veh-" and eight hexadecimal digits that
 * are spread like a hash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "state/certificate.h"
#include "state/device.h"
#include "state/ecu.h"
#include "state/history.h"
#include "state/tag.h"

/** Devices in one transaction. */
#define SLICE 10000
#define NOW 1790000000

static const char key[] = "{\"keytype\":\"ED25519\",\"keyval\":{\"public\":\""
			  "c9ab1e25b1ee2dfcd72a9a3a5b5e4d5ff5ed7be6cbe31e6f3a4c5b9b5f2f2a10\"}}";
static const char hash[] = "a100000000000000000000000000000000000000000000000000000000000000";

static int
add_ecu(struct state *state, const char *device, int position, const char *hardware, const char *runs,
    struct err *err)
{
	struct ecu ecu = { .installed_at = NOW };
	int r;

	snprintf(ecu.serial, sizeof(ecu.serial), "%s-%d", device, position);
	snprintf(ecu.hardware, sizeof(ecu.hardware), "%s", hardware);
	snprintf(ecu.key, sizeof(ecu.key), "%s", key);
	snprintf(ecu.installed, sizeof(ecu.installed), "%s", runs);
	snprintf(ecu.installed_sha256, sizeof(ecu.installed_sha256), "%s", hash);
	if ((r = state_ecu_put(state, device, &ecu, position, err)) < 0)
		return r;
	return state_ecu_installed(state, device, &ecu, err);
}

static int
add_device(struct state *state, unsigned number, struct err *err)
{
	char id[32], ecu[48], serial[32], text[64];
	int r;

	snprintf(id, sizeof(id), "veh-%08x", number);
	snprintf(ecu, sizeof(ecu), "%s-0", id);
	snprintf(serial, sizeof(serial), "%016X", number);
	snprintf(text, sizeof(text), "Vehicle %u", number);
	if ((r = state_device_add(state, id, NOW, err)) < 0 ||
	    (r = state_certificate_add(state, id, serial, NOW, err)) < 0 ||
	    (r = add_ecu(state, id, 0, "qemux86-64", "app-1.0", err)) < 0 ||
	    (r = add_ecu(state, id, 1, "mcu", "fw-1.0", err)) < 0 ||
	    (r = state_device_primary(state, id, ecu, err)) < 0 ||
	    (r = state_device_name(state, id, text, NOW, err)) < 0 ||
	    (r = state_tag_put(state, id, "region", number % 3 ? "EU" : "US", err)) < 0)
		return r;
	return state_happened(state,
	    &(struct happening){
		.device = id, .at = NOW, .who = "uid 0", .what = "made", .text = "device made by uid 0" },
	    err);
}

static int
add_slice(struct state *state, const unsigned *numbers, size_t count, struct err *err)
{
	int r = state_begin(state, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_device(state, numbers[i], err);
	return state_end(state, r, err);
}

static int
compare(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* All different, since the factor is odd. */
static unsigned *
make_numbers(size_t count)
{
	unsigned *numbers = calloc(count, sizeof(*numbers));

	for (size_t i = 0; numbers && i < count; i++)
		numbers[i] = (unsigned)i * 2654435761u;
	if (numbers)
		qsort(numbers, count, sizeof(*numbers), compare);
	return numbers;
}

int
main(int argc, char **argv)
{
	AUTO(state_freep) struct state *state = NULL;
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	AUTO(free_p) unsigned *numbers = make_numbers(count);
	struct err err = { 0 };
	int r;

	if (!count || !numbers) {
		fprintf(stderr, "usage: fleet FILE DEVICES\n");
		return 2;
	}
	r = state_open(argv[1], &state, &err);
	for (size_t from = 0; r == 0 && from < count; from += SLICE)
		r = add_slice(state, numbers + from, from + SLICE < count ? SLICE : count - from, &err);
	if (r < 0)
		fprintf(stderr, "fleet: %s\n", err.text);
	return r < 0;
}
