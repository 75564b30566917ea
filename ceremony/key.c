/* ota-sign key: keys in files and tokens. */
#include "ceremony/command.h"

const struct command key_commands[] = { { 0 } };
