#include "lib/uuid.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/types.h>

void
uuid_make(char text[static UUID_SIZE])
{
	uint8_t b[16];
	ssize_t n = getrandom(b, sizeof(b), 0);

	assert(n == sizeof(b)); /* requests of up to 256 bytes are never cut short */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(text, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
	    b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
