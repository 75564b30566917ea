/** Asks whether something is wanted. */
#ifndef CEREMONY_CONFIRM_H
#define CEREMONY_CONFIRM_H

#include "lib/err.h"

/** Asks @question on /dev/tty, whatever standard input is. 0 for "yes" alone, -ECANCELED for anything else,
 * -ENOTTY when there is no terminal. */
int confirm(const char *question, struct err *err);

#endif
