/**
 * Looking at documents of any type, verifying and signing them.
 */
#ifndef CEREMONY_INSPECT_H
#define CEREMONY_INSPECT_H

#include "lib/err.h"

/* What "inspect", "verify" and "sign" do; see struct command. The commands of "targets" and "delegation" of
 * these names do the same, for documents of type Targets only. */
int inspect_show(int argc, char **argv, struct err *err);
int inspect_verify(int argc, char **argv, struct err *err);
int inspect_sign(int argc, char **argv, struct err *err);

#endif
