/* A file of its own: tests link another one, since a second for each passphrase is most of what they would
 * take. */
#include "sign/vault.h"

const struct vault_cost vault_cost = { .passes = 3, .memory_bytes = 256 * 1024 * 1024 };
