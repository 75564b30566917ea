/** Who takes part in the threads of ota-admin-gate: nobody has them all, with or without a name. */
#ifndef GATEWAY_ADMIN_TURN_H
#define GATEWAY_ADMIN_TURN_H

#include <stdint.h>

#include "lib/serve.h"

/** Requests of one source at once; a fourth of the threads is left to others. */
#define ADMIN_TURNS_MAX (SERVE_REQUESTS_MAX / 4 * 3)

/** Takes a turn of @source, an address (login_source()). -EAGAIN: it has as many as it may. */
int admin_turn_take(uint64_t source);
void admin_turn_end(int turn);

#endif
