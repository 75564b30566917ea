#include "otafs/pin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/err.h"

/* FNV-1a over both and their zeros, so that "ab" "c" is another device than "a" "bc". */
static uint64_t
hash(const char *device, const char *serial)
{
	const char *parts[] = { device, serial };
	uint64_t hash = 14695981039346656037ULL;

	for (int i = 0; i < 2; i++)
		for (const char *at = parts[i];; at++) {
			hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
			if (!*at)
				break;
		}
	return hash ? hash : 1;
}

int
pins_init(struct pins *pins, struct pin *slots, struct err *err)
{
	pins->is_borrowed = slots != NULL;
	pins->slots = slots ? slots : calloc(PIN_SLOTS, sizeof(*pins->slots));
	return pins->slots ? 0 : err_set(err, ENOMEM, "no memory for pins");
}

void
pins_done(struct pins *pins)
{
	if (!pins->is_borrowed)
		free(pins->slots);
	pins->slots = NULL;
}

/* Whoever is killed while he writes leaves no pin, and not half of another's. */
static void
put(struct pins *pins, const char *device, const char *serial, struct pin pin)
{
	uint64_t key = hash(device, serial);
	struct pin *slot = &pins->slots[key % PIN_SLOTS];

	slot->device = 0;
	atomic_signal_fence(memory_order_seq_cst);
	*slot = pin;
	atomic_signal_fence(memory_order_seq_cst);
	slot->device = key;
}

/* NULL: no pin, or an old one. */
static const struct pin *
find(const struct pins *pins, const char *device, const char *serial, int64_t now)
{
	uint64_t key = hash(device, serial);
	const struct pin *pin = &pins->slots[key % PIN_SLOTS];

	return pin->device == key && now - pin->at < PIN_SECONDS ? pin : NULL;
}

void
pins_set(struct pins *pins, const char *device, const char *serial, int64_t set, int64_t now)
{
	put(pins, device, serial, (struct pin){ .set = set, .at = now });
}

void
pins_begin(struct pins *pins, const char *device, const char *serial, int64_t set, int64_t now)
{
	put(pins, device, serial, (struct pin){ .set = set, .at = now, .is_begun = true });
}

int64_t
pins_begun(const struct pins *pins, const char *device, const char *serial, int64_t now)
{
	const struct pin *pin = find(pins, device, serial, now);

	return pin && pin->is_begun ? pin->set : 0;
}

int64_t
pins_get(const struct pins *pins, const char *device, const char *serial, int64_t now)
{
	const struct pin *pin = find(pins, device, serial, now);

	return pin ? pin->set : 0;
}
